"""Calls that repeat one that failed."""

from __future__ import annotations

import pytest

from app.core.choosing.failover import Failover
from app.core.choosing.repeats import GAP_S, MAX_KEPT, READ_BYTES, FailedCalls, attempts_for, name_of
from app.core.judging.outcome import Blame, Outcome, Verdict
from app.core.settings import Settings

CALL, OTHER = name_of("t", "/v1/messages", "", 4, b"body"), name_of("t", "/v1/messages", "", 4, b"ydob")


def test_a_call_that_failed_within_the_minute_is_repeated() -> None:
    """Each failure counts, as long as no gap between them is longer; another call is none of them."""
    calls = FailedCalls()
    assert not calls.any(0)
    seen = []
    for now_s in (0.0, 1.0, 1.0 + GAP_S, 2.1 + 2 * GAP_S):
        seen.append(calls.repeats(CALL, now_s))
        calls.failed(CALL, now_s)
    assert seen == [0, 1, 2, 0]
    assert calls.any(3 * GAP_S)
    assert calls.repeats(OTHER, 3 * GAP_S) == 0
    assert not calls.any(5 * GAP_S)


def test_a_call_that_went_well_begins_anew() -> None:
    calls = FailedCalls()
    calls.failed(CALL, 0)
    calls.went_well(CALL)
    calls.went_well(OTHER)
    assert calls.repeats(CALL, 1) == 0


def test_as_many_are_remembered_as_there_is_room_for() -> None:
    """The one that failed longest ago is forgotten."""
    calls = FailedCalls()
    names = [number.to_bytes(4) for number in range(MAX_KEPT)]
    for name in names:
        calls.failed(name, 0)
    calls.failed(names[0], 1)
    calls.failed(b"another", 1)
    assert (calls.repeats(names[0], 2), calls.repeats(names[1], 2), calls.repeats(b"another", 2)) == (2, 0, 1)


@pytest.mark.parametrize(
    "other",
    [
        ("t2", "/v1/messages?beta=true", "", 9, b"a long body"),
        ("t", "/v1/messages", "", 9, b"a long body"),
        ("t", "/v1/messages?beta=true", "", 10, b"a long body"),
        ("t", "/v1/messages?beta=true", "", 9, b"a lung body"),
        ("t", "/v1/messages?beta=true", "id", 9, b"a long body"),
    ],
)
def test_token_path_and_body_make_a_call(other: tuple[str, str, str, int, bytes]) -> None:
    """What differs in one of them is another call."""
    assert name_of(*other) != name_of("t", "/v1/messages?beta=true", "", 9, b"a long body")


def test_the_clients_own_id_stands_for_the_body() -> None:
    """Of a long body its two ends do."""
    assert name_of("t", "/", "id", 1, b"x") == name_of("t", "/", "id", 1, b"y")
    body = bytearray(4 * READ_BYTES)
    name = name_of("t", "/", "", len(body), bytes(body))
    for place in (0, READ_BYTES - 1, len(body) - READ_BYTES, len(body) - 1):
        other = bytearray(body)
        other[place] = 1
        assert name_of("t", "/", "", len(body), bytes(other)) != name


def test_a_repeat_may_have_so_much_the_fewer_attempts() -> None:
    """At least one."""
    assert [attempts_for(6, repeats) for repeats in range(8)] == [6, 3, 2, 2, 2, 1, 1, 1]
    failover = Failover(Settings(max_attempts=6), is_lasting=False, repeats=2)
    failed = Verdict(Outcome.SERVER_ERROR, Blame.CHANNEL, again=True)
    failover.after(failed, was_written=True)
    assert not failover.is_spent
    failover.after(failed, was_written=True)
    assert failover.is_spent
