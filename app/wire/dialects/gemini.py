"""Gemini's generateContent (https://ai.google.dev/api/generate-content), errors as Google's APIs tell them.

(https://google.aip.dev/193, https://cloud.google.com/apis/design/errors)
"""

from __future__ import annotations

from typing import Any, Final

from app.wire.dialects.dialect import Dialect, OurError, Seen, dicts, may_say_error

_STATUSES: Final = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_REFUSALS: Final = frozenset(
    "BLOCKLIST IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION IMAGE_SAFETY LANGUAGE PROHIBITED_CONTENT RECITATION"
    " SAFETY SPII".split()
)
"""Reasons to finish which say that the content is kept back."""
_NO_CONTENT: Final = frozenset({"thought", "thoughtSignature", "videoMetadata"})
"""What a part says about itself."""


class Gemini(Dialect):
    """generateContent and all else below `/v1beta`."""

    def __init__(self) -> None:
        words = ("gemini", "google", "generativelanguage")
        super().__init__("gemini", "generativelanguage.googleapis.com", words, False, False)
        self.ends_cleanly = False

    def error_value(self, error: OurError) -> dict[str, Any]:
        kind = "type.googleapis.com/google.rpc."
        reason = error.code.upper()
        details: list[dict[str, Any]] = [{"@type": f"{kind}ErrorInfo", "reason": reason, "domain": "gateway"}]
        if error.retry_after_s is not None:
            details.append({"@type": f"{kind}RetryInfo", "retryDelay": f"{error.retry_after_s}s"})
        otherwise = "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL"
        status = _STATUSES.get(error.status, otherwise)
        return {"error": {"code": error.status, "message": error.message, "status": status, "details": details}}

    def is_telling(self, piece: bytes) -> bool:
        return may_say_error(piece) or b'"finishReason"' in piece or b"blockReason" in piece

    def judge_long(self, ends: bytes, seen: Seen) -> None:
        seen.is_useful = True
        seen.is_ended = seen.is_ended or b'"finishReason"' in ends

    def read_event(self, value: dict[str, Any], seen: Seen) -> None:
        for candidate in dicts(value.get("candidates")):
            reason = candidate.get("finishReason")
            if reason:
                seen.is_ended = True
                seen.stopped_by_itself = reason == "STOP"
                seen.is_useful = seen.is_useful or reason in _REFUSALS
            content = candidate.get("content")
            if isinstance(content, dict) and not seen.is_useful:
                seen.is_useful = any(map(_is_content, dicts(content.get("parts"))))
        feedback = value.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):  # no candidate, and nothing follows
            seen.is_ended = seen.is_useful = True

    def read_whole(self, value: dict[str, Any], seen: Seen) -> None:
        if "candidates" in value or "usageMetadata" in value:
            self.read_event(value, seen)
        else:  # a count of tokens, an embedding, a file
            seen.is_useful = True


def _is_content(part: dict[str, Any]) -> bool:
    return any(value for name, value in part.items() if name not in _NO_CONTENT)
