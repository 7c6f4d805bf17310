"""OpenAI's responses (https://platform.openai.com/docs/api-reference/responses, .../responses-streaming)."""

from __future__ import annotations

from typing import Any, Final

import orjson

from app.wire.dialects.dialect import Dialect, OurError, Seen, dicts, may_say_error
from app.wire.dialects.openai import error_value

_METADATA: Final = frozenset({"response.created", "response.queued", "response.in_progress", "keepalive", "ping"})
"""With all whose name begins with `codex.`, and ends with `.added`: what says that something will come."""
_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


class Responses(Dialect):
    """Responses; what Codex speaks."""

    def __init__(self) -> None:
        super().__init__("responses", "api.openai.com", ("openai", "gpt"), False, True)
        self.is_numbered = True

    def error_value(self, error: OurError) -> dict[str, Any]:
        return error_value(error)

    def error_events(self, error: OurError, sequence_number: int, response_id: str) -> bytes:
        """Two: SDKs raise at the first; Codex reads the second only. opencode needs the first one's number."""
        named = {"code": error.code, "message": error.message}
        told = {"type": "server_error", **named, "param": None}
        first = {"type": "error", "sequence_number": sequence_number, **named, "param": None, "error": told}
        response = {"id": response_id, "object": "response", "status": "failed", "error": named}
        second = {"type": "response.failed", "sequence_number": sequence_number + 1, "response": response}
        return b"event: error\ndata: %b\n\nevent: response.failed\ndata: %b\n\n" % (
            orjson.dumps(first),
            orjson.dumps(second),
        )

    def is_telling(self, piece: bytes) -> bool:
        return may_say_error(piece) or b'"response":' in piece

    def read_event(self, value: dict[str, Any], seen: Seen) -> None:
        kind = str(value.get("type"))
        response = value.get("response")
        if isinstance(response, dict) and isinstance(response.get("id"), str):
            seen.response_id = response["id"]
        if kind in _ENDS:
            seen.is_ended = True
            seen.is_failed = kind == "response.failed"
            seen.stopped_by_itself = kind == "response.completed"
            if isinstance(response, dict) and not seen.is_useful:
                seen.is_useful = any(map(_is_content, dicts(response.get("output"))))
        elif not seen.is_useful:
            seen.is_useful = _says_something(kind, value)

    def read_whole(self, value: dict[str, Any], seen: Seen) -> None:
        output, status = value.get("output"), value.get("status")
        seen.stopped_by_itself = status == "completed"
        is_to_come = status in ("queued", "in_progress")
        seen.is_useful = is_to_come or not isinstance(output, list) or any(map(_is_content, dicts(output)))


def _says_something(kind: str, value: dict[str, Any]) -> bool:
    if kind in _METADATA or kind.startswith("codex."):
        return False
    if kind in ("response.output_item.added", "response.output_item.done"):
        return _is_content(value.get("item"))
    if kind in ("response.content_part.added", "response.content_part.done"):
        return _is_part(value.get("part"))
    if kind.endswith((".added", "part.done")):
        return False
    if kind.endswith(".delta"):
        return bool(value.get("delta"))
    return bool(value.get("text", True))


def _is_content(item: Any) -> bool:
    """True for an item of the output that holds something: a call of a tool does when it begins."""
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    if kind == "message":
        return any(map(_is_part, dicts(item.get("content"))))
    if kind == "reasoning":
        return bool(item.get("summary") or item.get("content") or item.get("encrypted_content"))
    return True


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    return any(value for name, value in part.items() if name in ("text", "refusal", "transcript", "audio"))
