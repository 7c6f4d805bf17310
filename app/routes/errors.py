"""Turns a GatewayError into the JSON that callers understand."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

import orjson

from app.core.errors import GatewayError
from app.wire.headers import Headers


class ErrorReply(NamedTuple):
    status: str
    """As WSGI wants it: `502 Bad Gateway`."""
    headers: Headers
    body: bytes


def error_reply(error: GatewayError, request_id: str) -> ErrorReply:
    """`{"error":{"message","type","code","request_id"}}`, the shape that the OpenAI SDKs read."""
    text = {"message": error.message, "type": error.type, "code": error.code, "request_id": request_id}
    body = orjson.dumps({"error": text})
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if error.retry_after_s is not None:
        headers.append(("Retry-After", str(error.retry_after_s)))
    return ErrorReply(f"{error.status} {HTTPStatus(error.status).phrase}", headers, body)
