"""Days and months turn by Redis's clock, at midnight of the token's time zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.core.money.budget import Budget, Spent
from app.core.money.periods import Edges, edges_of
from app.storage.budgets import script
from app.storage.budgets.script import NOTHING_KNOWN, Known, Plan, Reply, arguments, reply_of
from app.storage.connections import Redis
from tests.support.budgets import at

ZONES = ["America/Santiago", "Asia/Kathmandu", "America/New_York"]


@pytest.fixture
def say(own_redis: Redis) -> Callable[..., Reply]:
    """Says something of a token at a moment: the script's clock is set, all else is as it is."""
    numbers = iter(range(1, 1000))

    def say(
        now_ms: int,
        budget: Budget,
        *costs: tuple[int, int],
        kept: int = 0,
        needed: int = 0,
        process: str = "p1",
        edges: Edges | None = None,
        known: Known = NOTHING_KNOWN,
    ) -> Reply:
        number = next(numbers)
        edges = edges or edges_of(budget.time_zone, now_ms)
        plan = Plan(number, number, list(costs), kept, 0, needed, min(needed, 1), 0, kept, budget, edges, known)
        clock = f"local time = {{'{now_ms // 1000}', '{now_ms % 1000 * 1000}'}}"
        text = script.SCRIPT.replace("local time = redis.call('TIME')", clock)
        assert clock in text
        said: list[Any] = arguments(plan, process, "7")
        return reply_of(own_redis.eval(text, script.KEYS, *said))

    return say


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_is_over_at_midnight_of_the_zone(say: Callable[..., Reply], zone: str) -> None:
    """To the millisecond; the total goes on, and so does the month."""
    noon_ms = at("2026-06-10T15:00:00+00:00")
    budget = Budget(None, 100, None, zone)
    midnight_ms = edges_of(zone, noon_ms).days[2]
    assert say(noon_ms, budget, (noon_ms, 100)).known.spent == Spent(100, 100, 100, 0)
    assert say(midnight_ms - 1, budget, needed=1).leased == 0
    reply = say(midnight_ms, budget, needed=100)
    assert reply.leased == 100
    assert reply.known.spent == Spent(100, 0, 100, 0)


@pytest.mark.parametrize("zone", ZONES)
def test_a_month_is_over_on_its_last_midnight(say: Callable[..., Reply], zone: str) -> None:
    """Of the same zone."""
    noon_ms = at("2026-08-31T15:00:00+00:00")
    budget = Budget(None, None, 100, zone)
    midnight_ms = edges_of(zone, noon_ms).months[2]
    say(noon_ms, budget, (noon_ms, 100))
    assert say(midnight_ms - 1, budget, needed=1).leased == 0
    assert say(midnight_ms, budget, needed=100).leased == 100


def test_a_day_without_a_midnight_begins_with_its_first_instant(say: Callable[..., Reply]) -> None:
    """In Santiago, on the night on which clocks leap from midnight to one."""
    budget = Budget(None, 100, None, "America/Santiago")
    evening_ms, first_ms = at("2025-09-06T23:00:00-04:00"), at("2025-09-07T01:00:00-03:00")
    say(evening_ms, budget, (evening_ms, 100))
    assert say(first_ms - 1, budget, needed=1).leased == 0
    assert say(first_ms, budget, needed=1).leased == 1


def test_a_call_counts_for_the_day_in_which_it_began(say: Callable[..., Reply]) -> None:
    """However late its cost is told: so what is told after a midnight does not eat the new day's budget."""
    budget = Budget(None, 100, None, "UTC")
    evening_ms, morning_ms = at("2026-06-10T23:59:59+00:00"), at("2026-06-11T00:00:01+00:00")
    say(evening_ms, budget, kept=60)
    assert say(morning_ms, budget, (evening_ms, 60), (morning_ms, 5)).known.spent == Spent(65, 5, 65, 0)


def test_what_is_held_over_midnight_stays_held(say: Callable[..., Reply]) -> None:
    """A call in flight may still cost its reservation, so the new day has room for the rest alone."""
    budget = Budget(None, 100, None, "UTC")
    evening_ms, morning_ms = at("2026-06-10T23:59:55+00:00"), at("2026-06-11T00:00:01+00:00")
    say(evening_ms, budget, kept=60)
    assert say(morning_ms, budget, needed=100, process="p2").leased == 40


def test_a_process_whose_clock_is_wrong_is_told_the_time(say: Callable[..., Reply]) -> None:
    """It named days of which none is Redis's: nothing is changed, and it asks again."""
    now_ms = at("2026-06-10T12:00:00+00:00")
    reply = say(now_ms, Budget(100), (now_ms, 50), edges=edges_of("UTC", now_ms - 10 * 86_400_000))
    assert (reply.leased, reply.now_ms) == (-2, now_ms)
    assert say(now_ms, Budget(100)).known.spent.total_nano == 0


def test_what_a_silent_process_held_is_given_back_after_20_s(say: Callable[..., Reply]) -> None:
    """And not before; what it was known to have spent stays spent."""
    now_ms = at("2026-06-10T12:00:00+00:00")
    budget = Budget(100)
    say(now_ms, budget, (now_ms, 30), kept=70)
    assert say(now_ms + 19_999, budget, needed=1, process="p2").leased == 0
    assert say(now_ms + 20_000, budget, needed=70, process="p2").leased == 70
    assert say(now_ms + 20_000, budget, needed=1, process="p3").leased == 0


def test_a_batch_that_is_told_twice_counts_once(own_redis: Redis) -> None:
    """A reply may be lost, and a command may come late."""
    edges = edges_of("UTC", 1000 * int(own_redis.time()[0]))
    plan = Plan(5, 5, [(edges.days[1], 40)], 10, 0, 0, 0, 0, 0, Budget(100), edges, NOTHING_KNOWN)
    for number in (5, 6):
        reply = reply_of(
            own_redis.eval(script.SCRIPT, script.KEYS, *arguments(plan._replace(number=number), "p1", "7"))
        )
        assert (reply.leased, reply.known.spent.total_nano) == (10, 40)
    late = reply_of(
        own_redis.eval(script.SCRIPT, script.KEYS, *arguments(plan._replace(number=4, batch=4, kept=99), "p1", "7"))
    )
    assert late.leased == -1
    assert (
        reply_of(own_redis.eval(script.SCRIPT, script.KEYS, *arguments(plan._replace(number=7), "p1", "7"))).leased
        == 10
    )


def test_a_redis_that_lost_what_was_spent_is_told(say: Callable[..., Reply], own_redis: Redis) -> None:
    """Each process says what it was told last."""
    now_ms = at("2026-06-10T12:00:00+00:00")
    budget = Budget(100, 100, 100)
    reply = say(now_ms, budget, (now_ms, 60))
    own_redis.flushall()
    assert say(now_ms, budget, needed=41, known=reply.known).leased == 40
