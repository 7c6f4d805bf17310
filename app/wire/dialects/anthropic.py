"""Anthropic's messages (https://docs.anthropic.com/en/api/messages, .../messages-streaming)."""

from __future__ import annotations

from typing import Any, Final

from app.wire.dialects.dialect import Dialect, OurError, Seen, dicts, may_say_error

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_BY_ITSELF: Final = ("end_turn", "stop_sequence")
_EMPTY_AT_FIRST: Final = {"text": "text", "thinking": "thinking"}
"""Blocks that begin empty, and the member that deltas fill. All other blocks are content when they begin."""


def error_type(error: OurError) -> str:
    """The `type` of an error of ours.

    Claude Code asks again after an `overloaded_error` whatever `x-should-retry` says, so a final error is none.
    """
    if 502 <= error.status <= 504 and not error.is_final:
        return "overloaded_error"
    return _TYPES.get(error.status, "api_error")


class Anthropic(Dialect):
    """Messages, and all that is asked for with an `anthropic-version`."""

    def __init__(self) -> None:
        super().__init__("anthropic", "api.anthropic.com", ("anthropic", "claude"), False, True)

    def error_value(self, error: OurError) -> dict[str, Any]:
        told = {"type": error_type(error), "message": error.message}
        return {"type": "error", "error": told, "request_id": error.request_id}

    def error_events(self, error: OurError, sequence_number: int, response_id: str) -> bytes:
        return b"event: error\ndata: %b\n\n" % self.error_body(error)

    def is_telling(self, piece: bytes) -> bool:
        return may_say_error(piece) or b"message_stop" in piece

    def read_event(self, value: dict[str, Any], seen: Seen) -> None:
        kind = value.get("type")
        if kind == "content_block_delta":
            seen.is_useful = seen.is_useful or _says_something(value.get("delta"))
        elif kind == "content_block_start":
            seen.is_useful = seen.is_useful or _is_content(value.get("content_block"))
        elif kind == "message_delta":
            _read_stop_reason(value.get("delta"), seen)
        elif kind == "message_stop":
            seen.is_ended = True
        elif kind == "message_start":
            message = value.get("message")
            if isinstance(message, dict) and not seen.is_useful:
                seen.is_useful = any(map(_is_content, dicts(message.get("content"))))

    def read_whole(self, value: dict[str, Any], seen: Seen) -> None:
        content = value.get("content")
        if not isinstance(content, list):  # a count of tokens, a batch
            seen.is_useful = True
            return
        seen.is_useful = any(map(_is_content, dicts(content)))
        _read_stop_reason(value, seen)


def _says_something(delta: Any) -> bool:
    """True but for a delta of no characters."""
    return isinstance(delta, dict) and any(value for name, value in delta.items() if name != "type")


def _is_content(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    member = _EMPTY_AT_FIRST.get(str(block.get("type")))
    return member is None or bool(block.get(member))


def _read_stop_reason(delta: Any, seen: Seen) -> None:
    reason = delta.get("stop_reason") if isinstance(delta, dict) else None
    seen.stopped_by_itself = reason in _BY_ITSELF
    if reason == "refusal":
        seen.is_useful = True
