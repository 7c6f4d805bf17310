"""The rows that a call's event makes."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.request_log.making import rows_of
from app.core.request_log.rows import LogRow
from app.core.statistics.events import RequestEvent
from app.core.usage import Usage
from tests.support.log_rows import NOON_MS, called, failed_attempt, mapped, refused


def rows(event: RequestEvent) -> list[LogRow]:
    return rows_of(event, event.ended_at_ms)


def test_a_call_to_a_mapping_has_one_row() -> None:
    """However often its connection was replaced, and it says what its event knows."""
    (row,) = rows(mapped(attempts=2, trace_id="t"))
    assert (row.at_ms, row.duration_ms, row.first_byte_ms) == (NOON_MS, 500.0, 100.0)
    assert (row.attempt, row.final, row.status, row.outcome, row.reason) == (1, True, 200, "ok", "")
    assert (row.mapping, row.method, row.client, row.trace_id) == ("/up", "GET", "192.0.2.1", "t")
    assert (row.request_bytes, row.response_bytes, row.channel, row.model, row.usage) == (3, 5, "", "", None)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"status": 302}, "ok"),
        ({"status": 404}, "bad_request"),
        ({"status": 401}, "refused_key"),
        ({"status": 429}, "rate_limited"),
        ({"status": 402}, "quota_exhausted"),
        ({"status": 408}, "try_again"),
        ({"status": 500}, "server_error"),
        ({"status": 529}, "overloaded"),
        ({"status": 502, "error_code": "upstream_unreachable", "first_byte_ms": None}, "unreachable"),
        ({"status": 502, "error_code": "upstream_reset", "first_byte_ms": None}, "unreachable"),
        ({"status": 504, "error_code": "first_byte_timeout", "first_byte_ms": None}, "timeout"),
        ({"status": 504, "error_code": "total_timeout", "first_byte_ms": None}, "timeout"),
        ({"status": 502, "error_code": "upstream_protocol_error", "first_byte_ms": None}, "malformed"),
        ({"error_code": "upstream_reset"}, "truncated"),
        ({"error_code": "idle_timeout"}, "stalled"),
        ({"error_code": "total_timeout"}, "timeout"),
        ({"status": 500, "error_code": "upstream_reset"}, "server_error"),
        ({"status": 499, "error_code": "client_gone", "attempts": 0}, "client_gone"),
        ({"status": 403, "error_code": "address_refused", "first_byte_ms": None}, "refused"),
        ({"status": 429, "error_code": "rate_limited", "attempts": 0, "first_byte_ms": None}, "refused"),
    ],
)
def test_the_outcome_of_a_mapping_is_that_of_its_status_and_its_code(changes: dict[str, Any], outcome: str) -> None:
    """By the one table; the code is its reason, where that says more."""
    (row,) = rows(mapped(**changes))
    assert (row.outcome, row.reason) == (outcome, changes.get("error_code", "").replace("client_gone", ""))


def test_each_attempt_has_a_row_where_the_one_before_it_ends() -> None:
    """Begins and durations lie end to end and add up to the call; each names its channel and key."""
    event = called("id", failed_attempt(120.0), failed_attempt(300.0, status=0, outcome="timeout", first_byte_ms=None))
    one, two, three = rows(event._replace(first_byte_ms=350.0))
    assert [row.at_ms - NOON_MS for row in (one, two, three)] == [0, 120, 300]
    assert [row.duration_ms for row in (one, two, three)] == [120.0, 180.0, 200.0]
    assert [row.first_byte_ms for row in (one, two, three)] == [50.0, None, 50.0]
    assert [row.attempt for row in (one, two, three)] == [1, 2, 3]
    assert [row.final for row in (one, two, three)] == [False, False, True]
    assert [row.status for row in (one, two, three)] == [429, 0, 200]
    assert [row.outcome for row in (one, two, three)] == ["rate_limited", "timeout", "ok"]
    assert [row.channel for row in (one, two, three)] == ["first", "first", "second"]
    assert [row.key_hint for row in (one, two, three)] == ["sk-1…aaaa", "sk-1…aaaa", "sk-2…bbbb"]
    assert [row.upstream_model for row in (one, two, three)] == ["m-here", "m-here", "m-there"]
    assert [row.response_bytes for row in (one, two, three)] == [0, 0, 5]
    for row in (one, two, three):
        assert (row.token_id, row.token, row.model, row.dialect, row.mapping) == ("7", "team", "m", "openai", "")
        assert (row.path, row.user_agent) == ("/v1/chat/completions", "curl/8")


def test_the_final_row_is_that_of_the_answer_which_the_caller_got() -> None:
    """A later fault without an answer does not hide it, and the row bears the status that the caller was told."""
    use = {"outcome": "unreachable", "seen_attempt": 1, "reason": "upstream_unreachable: nobody there"}
    event = called("id", failed_attempt(120.0), use=use, status=429, error_code="unreachable", first_byte_ms=None)
    one, two = rows(event)
    assert [row.final for row in (one, two)] == [True, False]
    assert [row.status for row in (one, two)] == [429, 0]
    assert [row.response_bytes for row in (one, two)] == [5, 0]
    assert [row.reason for row in (one, two)] == ["slow down", "upstream_unreachable: nobody there"]


def test_a_final_row_says_the_code_that_the_caller_was_told() -> None:
    """Before what the upstream said, which is not what the caller read."""
    use = {"outcome": "invalid_key", "reason": "Incorrect API key"}
    (row,) = rows(called("id", use=use, status=502, error_code="upstream_credentials"))
    assert (row.status, row.reason) == (502, "upstream_credentials: Incorrect API key")


def test_a_call_that_nobody_was_asked_for_has_a_row() -> None:
    """Attempt 0: refused, answered here, or its client had left."""
    (row,) = rows(refused())
    assert (row.attempt, row.final, row.outcome, row.reason) == (0, True, "refused", "budget_exceeded")
    assert row.is_refused
    assert not row.is_of_a_stranger
    (row,) = rows(refused(code="access_token_invalid", status=401))
    assert row.is_of_a_stranger
    (row,) = rows(refused(code="", status=200))
    assert (row.attempt, row.outcome, row.is_refused) == (0, "answered_here", False)
    (row,) = rows(refused(code="client_gone", status=499))
    assert (row.outcome, row.is_refused) == ("client_gone", False)


def test_a_call_that_ended_while_somebody_was_asked_says_so() -> None:
    """The attempt that went on has no outcome of its own, but the call has."""
    one, two = rows(called("id", failed_attempt(10.0), use={"outcome": ""}, status=499, error_code="client_gone"))
    assert (one.outcome, two.outcome, two.final, two.reason) == ("rate_limited", "client_gone", True, "")


def test_usage_and_cost_stand_in_the_row_of_their_attempt() -> None:
    """Of one that failed, too, where they are known."""
    usage = Usage(1, 2, 3, 4, 5, None, "reported", {"seconds": 1.5})
    lost = failed_attempt(10.0, usage=usage, cost_nano=5, price_version="v")
    one, two = rows(called("id", lost, use={"usage": usage, "cost_nano": 9, "unpriced": False, "price_version": "v"}))
    assert (one.usage, one.cost_nano, one.price_version) == (list(usage), 5, "v")
    assert (two.usage, two.cost_nano, two.price_version) == (list(usage), 9, "v")
    (plain,) = rows(called())
    assert (plain.usage, plain.cost_nano, plain.unpriced, plain.price_version) == (None, None, False, "")


def test_the_final_row_says_how_many_attempts_its_call_had() -> None:
    """Also where others followed the one whose answer was given; the other rows say nothing of it."""
    event = called("id", failed_attempt(100.0), failed_attempt(200.0), use={"seen_attempt": 2})
    assert [(row.final, row.attempts) for row in rows(event)] == [(False, 0), (True, 3), (False, 0)]
    assert [row.attempts for row in (*rows(mapped(attempts=2)), *rows(refused()))] == [1, 0]
