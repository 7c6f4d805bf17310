"""The summary: describing only what changed says the same as describing everything."""

from __future__ import annotations

import random

import orjson
import pytest

from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS
from app.storage.connections import STATS_SUMMARY, Redis
from app.storage.statistics.stats import Summary
from tests.support.envelopes import send_events
from worker.roll_up import RollUp

NOON_MS = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2


def send(client: Redis, seq: int, *events: RequestEvent) -> None:
    send_events(client, "p", seq, events)


def event(ended_at_ms: int = NOON_MS, endpoint: str = "/a") -> RequestEvent:
    return RequestEvent("id", ended_at_ms, endpoint, "GET", 200, "", 1, 2, 10.0, 5.0)


def stored(client: Redis) -> Summary:
    summary = Summary.unpack(client.get(STATS_SUMMARY) or b"")  # type: ignore[arg-type]
    assert summary is not None
    return summary


@pytest.mark.soak
def test_a_summary_kept_up_equals_one_made_afresh(own_redis: Redis) -> None:
    """After any number of roll-ups the summary is the one that a new worker would make."""
    dice = random.Random(9)
    veteran, now_ms = RollUp(own_redis), NOON_MS
    for seq in range(1, 120):
        now_ms += dice.choice([1000, 1000, 59_000, 10 * MINUTE_MS, 25 * MINUTE_MS, 14 * HOUR_MS])
        if dice.random() < 0.7:
            send(own_redis, seq, event(now_ms - dice.choice([0, 0, 5 * HOUR_MS]), dice.choice("abcdefgh")))
        veteran.run(now_ms)
        if seq % 6 == 0:
            kept_up = stored(own_redis)
            RollUp(own_redis).run(now_ms)
            afresh = stored(own_redis)
            for name, window in afresh.windows.items():
                assert orjson.loads(kept_up.windows[name]) == orjson.loads(window)
            assert kept_up.requests == afresh.requests
            assert {**kept_up.head, "generated_at_ms": now_ms} == afresh.head


def test_the_minute_turns_without_traffic(own_redis: Redis) -> None:
    """The windows slide and requests leave them although nobody calls."""
    roll_up = RollUp(own_redis)
    send(own_redis, 1, event())
    roll_up.run(NOON_MS)
    before = stored(own_redis)
    roll_up.run(NOON_MS + 1000)
    assert stored(own_redis) == before
    roll_up.run(NOON_MS + MINUTE_MS)
    slid = orjson.loads(stored(own_redis).windows["24h"])
    assert slid["to_ms"] == orjson.loads(before.windows["24h"])["to_ms"] + MINUTE_MS
    assert slid["all"]["requests"] == 1
    roll_up.run(NOON_MS + DAY_MS)
    windows = stored(own_redis).windows
    day = orjson.loads(windows["24h"])
    assert (day["all"]["requests"], day["endpoints"]) == (0, {})
    assert orjson.loads(windows["7d"])["all"]["requests"] == 1


def test_today_begins_at_midnight_utc(own_redis: Redis) -> None:
    """`today` counts from midnight UTC, `week` the last 7 x 24 h, `month` the last 30 days."""
    roll_up, midnight_ms = RollUp(own_redis), NOON_MS - DAY_MS // 2
    days = (-1, 0, 6, 8, 29, 31)
    send(own_redis, 1, *(event(midnight_ms - 1 - day * DAY_MS if day >= 0 else midnight_ms) for day in days))
    roll_up.run(NOON_MS)
    row = stored(own_redis).head["endpoints"]["/a"]
    assert (row["total"], row["today"], row["week"], row["month"]) == (6, 1, 3, 5)


def test_a_roll_up_keeps_to_its_time(own_redis: Redis) -> None:
    """A long backlog is worked off in portions, and each portion is published."""
    roll_up = RollUp(own_redis)
    for seq in range(1, 201):
        send(own_redis, seq, event())
    taken = 0
    while portion := roll_up.run(NOON_MS, budget_s=0):
        assert portion < 200
        taken += portion
        assert stored(own_redis).head["total"] == taken
    assert taken == 200
