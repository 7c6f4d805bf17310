"""How requests end, as tallies count it: each in one way, whatever is merged, stored and read in between."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.failures import Failure
from app.core.request_log.running import interrupted
from app.core.statistics.events import BLAMELESS, RequestEvent
from app.core.statistics.outcomes import COUNTED, ERRORS, OK, OUTCOMES, outcome_of
from app.core.statistics.tallies import Tally

STATUSES = st.sampled_from([101, 200, 204, 302, 304, 400, 401, 404, 429, 499, 500, 502, 503, 504, 529, 999])
CODES = st.sampled_from(["", "", *sorted({failure.code for failure in Failure}), *sorted(BLAMELESS), "upstream_empty"])


def event(status: int = 200, error_code: str = "", duration_ms: float = 12.5) -> RequestEvent:
    return RequestEvent("id", 1_700_000_000_000, "/a", "POST", status, error_code, 10, 20, duration_ms, 3.25)


EVENTS = st.lists(st.builds(event, STATUSES, CODES, st.floats(0.1, 1e6)), max_size=30)


def tally_of(*events: RequestEvent) -> Tally:
    tally = Tally()
    for one in events:
        tally.add(one)
    return tally


def of_an_earlier_version(tally: Tally) -> Tally:
    """As one was stored that told no outcomes."""
    return Tally.decode(orjson.dumps(orjson.loads(tally.encode())[:11]))


def add_up(tally: Tally) -> None:
    told = tally.by_outcome()
    assert list(told) == list(OUTCOMES)
    assert min(told.values()) >= 0
    assert sum(told.values()) == tally.requests
    assert sum(told[name] for name in (*COUNTED[:ERRORS], "unknown")) == tally.errors


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (200, "", "ok"),
        (101, "", "ok"),
        (304, "", "ok"),
        (429, "", "rate_limited"),
        (429, "too_many_requests", "rate_limited"),
        (404, "", "client_errors"),
        (401, "access_token_invalid", "client_errors"),
        (500, "", "server_errors"),
        (504, "", "server_errors"),
        (502, "upstream_unreachable", "server_errors"),
        (200, "upstream_reset", "server_errors"),
        (504, "first_byte_timeout", "timeouts"),
        (504, "total_timeout", "timeouts"),
        (200, "idle_timeout", "timeouts"),
        (200, "first_useful_timeout", "timeouts"),
        (499, "client_gone", "client_gone"),
        (200, "client_gone", "client_gone"),
        (503, "ended_by_operator", "ended"),
        (200, "ended_by_operator", "ended"),
        (0, "interrupted", "ended"),
    ],
)
def test_a_request_counts_as_what_its_caller_was_told(status: int, code: str, name: str) -> None:
    """By the status, unless the body broke off, it took too long, or nobody is to blame."""
    assert {one: count for one, count in tally_of(event(status, code)).by_outcome().items() if count} == {name: 1}


@given(STATUSES, CODES)
def test_what_is_an_error_is_told_alike_everywhere(status: int, code: str) -> None:
    """The outcome and `is_error`, by which tokens and the request line count, never disagree."""
    one = event(status, code)
    assert (OK != outcome_of(one) < ERRORS) == one.is_error


@settings(max_examples=60)
@given(EVENTS, EVENTS, EVENTS, st.randoms(use_true_random=False))
def test_outcomes_add_up_in_any_order(
    new: list[RequestEvent], old: list[RequestEvent], gone: list[RequestEvent], dice: random.Random
) -> None:
    """Merged in any order, stored between, with what an earlier version stored: each request has one outcome."""
    parts = [*(tally_of(one) for one in new), of_an_earlier_version(tally_of(*old)), tally_of(*gone)]
    dice.shuffle(parts)
    whole = Tally()
    for part in parts:
        whole.merge(Tally.decode(part.encode()))
        add_up(whole)
    whole.subtract(tally_of(*gone))
    add_up(whole)
    known, before = tally_of(*new), of_an_earlier_version(tally_of(*old))
    for tally in (known, before):
        add_up(tally)
    assert before.by_outcome()["unknown"] == before.errors
    expected = {name: count + before.by_outcome()[name] for name, count in known.by_outcome().items()}
    assert whole.by_outcome() == expected


def test_what_an_earlier_version_stored_counts_as_what_is_known() -> None:
    """Its requests went well or were errors of a kind that nobody knows; all else is as it was."""
    tally = tally_of(event(), event(429), event(499, "client_gone"))
    old = of_an_earlier_version(tally)
    assert {name: count for name, count in old.by_outcome().items() if count} == {"ok": 2, "unknown": 1}
    assert old.describe() == tally.describe()


@pytest.mark.parametrize("changes", [{"status": None}, {"status": "200"}, {"error_code": None, "status": []}])
def test_what_has_no_outcome_is_no_request(changes: dict[str, Any]) -> None:
    """An event without a status counts nothing."""
    tally = Tally()
    with pytest.raises(TypeError):
        tally.add(event()._replace(**changes))
    assert tally.encode() == Tally().encode()


def test_what_ended_with_its_process_is_no_error() -> None:
    """A call that was told as going on, by a process that was killed: it counts, and blames nobody."""
    tally = tally_of(interrupted(event(0)), interrupted(event(200)))
    assert (tally.requests, tally.errors, tally.by_outcome()["ended"]) == (2, 0, 2)
