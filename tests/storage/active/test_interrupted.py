"""Calls of processes that died have one row each, whatever else is told of them, before or later."""

from __future__ import annotations

import pytest

from app.core.statistics.events import RequestEvent
from app.storage.active import interrupted as interrupted_module
from app.storage.active.interrupted import InterruptedCalls
from app.storage.active.stored import AGE_MS, write
from app.storage.connections import ACTIVE, ACTIVE_OF, INTERRUPTED, STATS_EVENTS, Redis
from app.storage.statistics.envelopes import encode
from app.storage.statistics.ledger import Ledger
from tests.support.log_rows import book, called, kept, mapped, roll_up

NAME = "host:1"


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupted_module, "GRACE_MS", 0)


def tell(client: Redis, *events: RequestEvent, process: str = "p") -> None:
    """A process tells of calls that go on."""
    write(client, process, NAME, {event.request_id: encode(event) for event in events})


def die(client: Redis, process: str = "p") -> None:
    """The process has been silent for too long."""
    client.zadd(ACTIVE, {f"{process} {NAME}": 1})


def outcomes(client: Redis) -> dict[str, list[str]]:
    """Of the final rows, by their calls."""
    found: dict[str, list[str]] = {}
    for one in kept(client):
        if one.row.final:
            found.setdefault(one.row.request_id, []).append(one.row.outcome)
    return found


def test_calls_of_a_dead_process_are_interrupted_once(own_redis: Redis) -> None:
    """Also where two workers look. What was known of them stands in their rows; they are no errors."""
    tell(own_redis, mapped("a", status=0, first_byte_ms=None), called("b"))
    die(own_redis)
    assert InterruptedCalls(own_redis).book() == 2
    assert InterruptedCalls(own_redis).book() == 0
    roll_up(own_redis)
    assert outcomes(own_redis) == {"a": ["interrupted"], "b": ["interrupted"]}
    rows = {one.row.request_id: one.row for one in kept(own_redis)}
    assert (rows["a"].mapping, rows["a"].status, rows["a"].client) == ("/up", 0, "192.0.2.1")
    assert (rows["b"].channel, rows["b"].token, rows["b"].status) == ("second", "team", 200)
    totals = []
    Ledger(own_redis).publish(1_790_000_000_000, lambda account: totals.append(account.windows.total))  # type: ignore[arg-type,func-returns-value]
    assert {name: (tally.requests, tally.errors) for name, tally in totals[0].tallies.items() if name} == {
        "/up": (1, 0),
        "/v1": (1, 0),
    }
    assert own_redis.zcard(ACTIVE) == 0
    assert not own_redis.exists(ACTIVE_OF + "p")


def test_a_process_that_renews_lives(own_redis: Redis) -> None:
    tell(own_redis, mapped("a"))
    assert InterruptedCalls(own_redis).book() == 0
    assert own_redis.hlen(ACTIVE_OF + "p") == 1


def test_a_call_that_was_told_is_not_interrupted(own_redis: Redis) -> None:
    """Its entry goes with the booking of its event, so nobody else needs to remember."""
    tell(own_redis, mapped("a", status=0), mapped("b", status=0))
    book(own_redis, mapped("a", duration_ms=AGE_MS))
    die(own_redis)
    assert InterruptedCalls(own_redis).book() == 1
    roll_up(own_redis)
    assert outcomes(own_redis) == {"a": ["ok"], "b": ["interrupted"]}


def test_what_is_told_later_is_left_out(own_redis: Redis) -> None:
    """The process was only frozen, or a journal is found that it left: one row, and one request."""
    tell(own_redis, mapped("a"))
    die(own_redis)
    InterruptedCalls(own_redis).book()
    book(own_redis, mapped("a"), mapped("b"))
    assert outcomes(own_redis) == {"a": ["interrupted"], "b": ["ok"]}


def test_a_process_that_comes_back_and_dies_leaves_each_call_once(own_redis: Redis) -> None:
    """It tells of those calls again that were booked when it seemed dead."""
    tell(own_redis, mapped("a"))
    die(own_redis)
    InterruptedCalls(own_redis).book()
    assert write(own_redis, "p", NAME, {"a": encode(mapped("a")), "b": encode(mapped("b"))}) is False
    die(own_redis)
    assert InterruptedCalls(own_redis).book() == 1
    roll_up(own_redis)
    assert outcomes(own_redis) == {"a": ["interrupted"], "b": ["interrupted"]}


def test_after_a_pause_all_have_time_to_renew(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Redis was away, or the worker, nobody could tell that he lives."""
    now_s = [1_000_000]
    monkeypatch.setattr(interrupted_module, "GRACE_MS", 10_000)
    monkeypatch.setattr(own_redis, "time", lambda: (now_s[0], 0))
    calls = InterruptedCalls(own_redis)
    tell(own_redis, mapped("a"))
    die(own_redis)

    def look_after(seconds: int) -> int:
        now_s[0] += seconds
        return calls.book()

    assert [look_after(seconds) for seconds in (0, 5, 5)] == [0, 0, 1]
    tell(own_redis, mapped("b"))
    die(own_redis)
    assert [look_after(seconds) for seconds in (30, 5, 4, 1)] == [0, 0, 0, 1]


@pytest.mark.parametrize("moment", ["zrangebyscore", "interrupted"])
def test_a_renewal_just_now_wins(own_redis: Redis, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """A process that wakes while it is taken for dead keeps its calls: before they are read, and behind that."""
    tell(own_redis, mapped("a"))
    die(own_redis)
    calls = InterruptedCalls(own_redis)
    place = own_redis if moment == "zrangebyscore" else interrupted_module
    act = getattr(place, moment)

    def wakes(*arguments: object) -> object:
        done = act(*arguments)
        tell(own_redis, mapped("a"))
        return done

    monkeypatch.setattr(place, moment, wakes)
    assert calls.book() == 0
    assert own_redis.hlen(ACTIVE_OF + "p") == 1
    assert own_redis.llen(STATS_EVENTS) == 0
    assert not own_redis.exists(INTERRUPTED + "p")
