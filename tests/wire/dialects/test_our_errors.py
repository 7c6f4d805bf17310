"""Errors of ours, told in each dialect."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.wire.dialects.asked import DIALECTS
from app.wire.dialects.dialect import OurError


def told(dialect: str, error: OurError) -> Any:
    return orjson.loads(DIALECTS[dialect].error_body(error))


@pytest.mark.parametrize("dialect", ["openai", "responses"])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_json", "invalid_request_error"),
        (401, "access_token_invalid", "authentication_error"),
        (403, "model_not_allowed", "permission_error"),
        (404, "model_not_found", "invalid_request_error"),
        (413, "body_too_large", "invalid_request_error"),
        (426, "upgrade_unsupported", "server_error"),
        (429, "upstream_busy", "rate_limit_error"),
        (429, "budget_exceeded", "insufficient_quota"),
        (502, "upstream_reset", "server_error"),
        (503, "all_resting", "server_error"),
        (504, "upstream_timeout", "server_error"),
    ],
)
def test_openais_errors(dialect: str, status: int, code: str, kind: str) -> None:
    """As the SDK reads them, with our request's id."""
    error = told(dialect, OurError(status, code, 'a "text"', "r1"))
    assert error == {
        "error": {"message": 'a "text"', "type": kind, "param": None, "code": code, "request_id": "r1"}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "is_final", "kind"),
    [
        (400, False, "invalid_request_error"),
        (401, True, "authentication_error"),
        (403, True, "permission_error"),
        (404, True, "not_found_error"),
        (413, False, "request_too_large"),
        (429, True, "rate_limit_error"),
        (426, False, "api_error"),
        (500, False, "api_error"),
        (502, False, "overloaded_error"),
        (503, False, "overloaded_error"),
        (504, False, "overloaded_error"),
        (502, True, "api_error"),
        (503, True, "api_error"),
    ],
)
def test_anthropics_errors(status: int, is_final: bool, kind: str) -> None:
    """`overloaded_error` is asked again whatever x-should-retry says, so a final error is none."""
    error = told("anthropic", OurError(status, "c", "text", "r1", None, is_final))
    assert error == {"type": "error", "error": {"type": kind, "message": "text"}, "request_id": "r1"}


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (413, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
)
def test_geminis_errors(status: int, name: str) -> None:
    """As Google's APIs tell them: a reason, and the wait where there is one."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ALL_RESTING", "domain": "gateway"}
    error = told("gemini", OurError(status, "all_resting", "text", "r1"))
    assert error == {"error": {"code": status, "message": "text", "status": name, "details": [info]}}
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "60s"}
    assert told("gemini", OurError(status, "all_resting", "text", "r1", 60))["error"]["details"] == [info, wait]
