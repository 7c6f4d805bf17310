"""OpenAI's chat completions, completions and their like (https://platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

import re
from typing import Any, Final

from app.wire.dialects.dialect import DONE, Dialect, OurError, Seen, dicts, may_say_error

_CONTENT: Final = (
    "content", "text", "tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", "reasoning_details",
    "thinking", "audio",
)  # fmt: skip
"""Where a message, a delta or a choice holds what its reader waits for; each empty until there is something.

`reasoning_content` is DeepSeek's and many others', `reasoning` and `reasoning_details` OpenRouter's."""
_FINISH: Final = b'"finish_reason"'
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"').search
_TYPE_OF_END = re.compile(rb'"type"\s*:\s*"[a-z_.]+\.(?:done|completed)"').search
"""Of streams that are none of chat: speech, transcriptions, images."""
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


def error_value(error: OurError) -> dict[str, Any]:
    """An error of ours as all of OpenAI's APIs tell it."""
    told = {
        "message": error.message,
        "type": "insufficient_quota" if error.code == "budget_exceeded" else _TYPES.get(error.status, "server_error"),
        "param": None,
        "code": error.code,
        "request_id": error.request_id,
    }
    return {"error": told}


class OpenAI(Dialect):
    """Chat completions and all else below `/v1` that is of no other dialect."""

    def __init__(self) -> None:
        super().__init__("openai", "api.openai.com", ("openai", "gpt"), True, True)

    def error_value(self, error: OurError) -> dict[str, Any]:
        return error_value(error)

    def is_telling(self, piece: bytes) -> bool:
        if b"error" not in piece:
            # Most pieces are one chunk with one choice that goes on: told by one look at its `finish_reason`.
            found = piece.find(_FINISH)
            if found >= 0 and piece.startswith(b":null", found + len(_FINISH)):
                behind = found + len(_FINISH)
                if piece.find(_FINISH, behind) < 0 and piece.find(b"data:", behind) < 0:
                    return False
        return may_say_error(piece) or _FINISHED(piece) is not None or DONE in piece or _TYPE_OF_END(piece) is not None

    def judge_long(self, ends: bytes, seen: Seen) -> None:
        super().judge_long(ends, seen)
        seen.is_ended = seen.is_ended or _FINISHED(ends) is not None

    def read_event(self, value: dict[str, Any], seen: Seen) -> None:
        if "choices" in value:
            _read_choices(value["choices"], seen)
            return
        kind = value.get("type")
        if isinstance(kind, str) and kind.endswith((".done", ".completed")):
            seen.is_ended = seen.stopped_by_itself = True
        if value.get("object") != "chat.completion.chunk":
            seen.is_useful = True

    def read_whole(self, value: dict[str, Any], seen: Seen) -> None:
        if isinstance(value.get("choices"), list):
            _read_choices(value["choices"], seen)
        else:
            seen.is_useful = True


def _read_choices(choices: Any, seen: Seen) -> None:
    for choice in dicts(choices):
        finish_reason = choice.get("finish_reason")
        if isinstance(finish_reason, str) and finish_reason:
            seen.is_ended = True
            seen.stopped_by_itself = finish_reason == "stop"
        if not seen.is_useful:
            seen.is_useful = _has_content(choice)


def _has_content(choice: dict[str, Any]) -> bool:
    for part in (choice.get("delta"), choice.get("message"), choice):
        if isinstance(part, dict):
            for name in _CONTENT:
                if part.get(name):
                    return True
    return False
