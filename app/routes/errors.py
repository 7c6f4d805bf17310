"""Turns a GatewayError into the JSON that callers understand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, NamedTuple

import orjson

from app.core.errors import GatewayError
from app.wire.dialects.dialect import Dialect, OurError
from app.wire.http.headers import Headers

LONGEST_RETRY_S: Final = 60
"""SDKs that are told to wait for longer give up, or ask again at once."""
_RETRY_AFTER_S: Final = {429: 1, 502: 5, 504: 5}
"""By status, where nobody knows more. Codex stops at once at a 429 without one, and hides the text."""


class ErrorReply(NamedTuple):
    status: str
    """As WSGI wants it: `502 Bad Gateway`."""
    headers: Headers
    body: bytes


def error_reply(error: GatewayError, request_id: str) -> ErrorReply:
    """`{"error":{"message","type","code","request_id"}}`, the shape that the OpenAI SDKs read."""
    text = {"message": error.message, "type": error.type, "code": error.code, "request_id": request_id}
    reply = _reply(error, orjson.dumps({"error": text}), error.retry_after_s)
    if error.is_final:
        reply.headers.append(("x-should-retry", "false"))
    return reply


def api_error_reply(error: GatewayError, dialect: Dialect, request_id: str) -> ErrorReply:
    """The same in the caller's dialect, with what tells its SDK whether, and when, to ask again."""
    is_final = error.status in (401, 403, 404) or error.is_final
    retry_after_s = error.retry_after_s
    if retry_after_s is None:
        retry_after_s = _RETRY_AFTER_S.get(error.status)
    elif retry_after_s > LONGEST_RETRY_S and not is_final:  # who is not to try again may be told the truth
        retry_after_s, is_final = LONGEST_RETRY_S, True
    ours = OurError(error.status, error.code, error.message, request_id, retry_after_s, is_final)
    reply = _reply(error, dialect.error_body(ours), retry_after_s)
    if is_final:
        reply.headers.append(("x-should-retry", "false"))
    return reply


def _reply(error: GatewayError, body: bytes, retry_after_s: int | None) -> ErrorReply:
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("X-Gateway-Error", error.code),
    ]
    if retry_after_s is not None:
        headers.append(("Retry-After", str(retry_after_s)))
    return ErrorReply(f"{error.status} {HTTPStatus(error.status).phrase}", headers, body)
