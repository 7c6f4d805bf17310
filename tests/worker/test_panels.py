"""The panels of the dashboard: what is kept up is what a fresh reading says, and all of it adds up."""

from __future__ import annotations

import random
import zlib
from typing import Any

import orjson
import pytest

from app.core.statistics.events import RequestEvent
from app.core.statistics.outcomes import COUNTED, ERRORS, OUTCOMES
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS, PANEL_SPANS
from app.storage.connections import STATS_PANEL, STATS_PANEL_OF, Redis
from app.storage.statistics.panels import PanelText
from tests.support.envelopes import send_events
from worker.roll_up import RollUp

NOON_MS = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2
ENDINGS = [
    (200, ""), (200, ""), (304, ""), (101, ""), (429, ""), (404, ""), (500, ""), (504, "first_byte_timeout"),
    (200, "idle_timeout"), (200, "upstream_reset"), (499, "client_gone"), (503, "ended_by_operator"),
]  # fmt: skip


def call(dice: random.Random, now_ms: int) -> RequestEvent:
    late_ms = dice.choice([0, 0, 0, 800, 70_000, 20 * MINUTE_MS, 5 * HOUR_MS, 30 * HOUR_MS, 9 * DAY_MS, 40 * DAY_MS])
    status, code = dice.choice(ENDINGS)
    first_byte_ms = None if status == 504 else dice.lognormvariate(4, 1)
    endpoint, duration_ms = dice.choice("abcd"), dice.lognormvariate(5, 1)
    return RequestEvent(
        "id", now_ms - late_ms, endpoint, "GET", status, code, dice.randrange(900), 2, duration_ms, first_byte_ms
    )


def told(client: Redis, window: str) -> dict[str, Any]:
    """All that is stored of a panel, whole."""
    stored: Any = client.get(STATS_PANEL + window)
    text = PanelText.unpack(stored)
    assert text is not None
    parts: Any = client.hgetall(STATS_PANEL_OF + window)
    return {
        "head": {**text.head, "generated_at_ms": 0},
        "traffic": orjson.loads(text.traffic),
        "rows": dict(zip(text.head["endpoints"], map(orjson.loads, text.rows), strict=True)),
        "parts": {
            name.decode(): orjson.loads(zlib.decompress(part).partition(b"\n")[2]) for name, part in parts.items()
        },
    }


@pytest.mark.soak
def test_panels_kept_up_equal_those_made_afresh(own_redis: Redis) -> None:
    """After any number of roll-ups, late events and pauses they say what a new worker would say."""
    dice = random.Random(11)
    veteran, now_ms = RollUp(own_redis), NOON_MS
    for seq in range(1, 70):
        now_ms += dice.choice([1000, 1000, 59_000, 10 * MINUTE_MS, 25 * MINUTE_MS, 29 * MINUTE_MS, 14 * HOUR_MS])
        if dice.random() < 0.8:
            send_events(own_redis, "p", seq, [call(dice, now_ms) for _ in range(dice.choice([1, 5]))])
        veteran.run(now_ms)
        if seq % 12 == 0:
            veteran.run(now_ms + 5_000)  # the parts of endpoints are put off for so long
            kept_up = {name: told(own_redis, name) for name in PANEL_SPANS}
            RollUp(own_redis).run(now_ms + 5_000)
            assert kept_up == {name: told(own_redis, name) for name in PANEL_SPANS}
            for panel in kept_up.values():
                add_up(panel)


def add_up(panel: dict[str, Any]) -> None:
    """Outcomes are the requests, points are the figures, endpoints are the whole."""
    for traffic in (panel["traffic"], *panel["parts"].values()):
        figures, chart = traffic["figures"], traffic["chart"]
        for span in (figures, traffic["before"]):
            assert set(span["outcomes"]) == set(OUTCOMES)
            assert min(span["outcomes"].values()) >= 0
            assert sum(span["outcomes"].values()) == span["requests"]
            assert sum(span["outcomes"][name] for name in (*COUNTED[:ERRORS], "unknown")) == span["errors"]
        for name, count in figures["outcomes"].items():
            assert sum(chart["outcomes"].get(name, [0])) == count
            assert len(chart["outcomes"].get(name, range(traffic["points"]))) == traffic["points"]
        for name in ("request_bytes", "response_bytes"):
            assert sum(chart.get(name, [0])) == figures[name]
        assert traffic["first_point_ms"] % traffic["step_ms"] == 0
        assert 0 <= traffic["from_ms"] - traffic["first_point_ms"] < traffic["step_ms"]
        assert traffic["to_ms"] <= traffic["first_point_ms"] + traffic["points"] * traffic["step_ms"]
    for name in ("requests", "errors"):
        of_all = panel["traffic"]["figures"][name]
        assert sum(row[name] for row in panel["rows"].values()) == of_all
        assert sum(part["figures"][name] for part in panel["parts"].values()) == of_all
        assert sum(part["before"][name] for part in panel["parts"].values()) == panel["traffic"]["before"][name]
        for row in panel["rows"].values():
            assert sum(row["segments"][name] if row["segments"] else [0]) == row[name]


@pytest.mark.parametrize("window", PANEL_SPANS)
def test_the_span_before_is_as_long_and_counted_apart(own_redis: Redis, window: str) -> None:
    """Of two requests, one in each span, each is counted in its own."""
    roll_up = RollUp(own_redis)
    roll_up.run(NOON_MS)
    frame = told(own_redis, window)["traffic"]
    before = frame["before"]
    assert before["to_ms"] - before["from_ms"] == frame["to_ms"] - frame["from_ms"]
    assert 0 <= frame["from_ms"] - before["to_ms"] < HOUR_MS
    times = (before["from_ms"] - 1, before["from_ms"], before["to_ms"] - 1, frame["from_ms"], frame["to_ms"] - 1)
    calls = [RequestEvent("id", at, "/a", "GET", 200, "", 1, 2, 10.0, 5.0) for at in times]
    send_events(own_redis, "p", 1, calls)
    roll_up.run(NOON_MS)
    traffic = told(own_redis, window)["traffic"]
    assert (traffic["before"]["requests"], traffic["figures"]["requests"]) == (2, 2)


@pytest.mark.parametrize(("endpoints", "seconds"), [(3, 0), (20, 4)])
def test_parts_of_many_endpoints_are_put_off_for_a_while(own_redis: Redis, endpoints: int, seconds: int) -> None:
    """Those of few are told at once, those of many within five seconds, whether or not there are more calls."""
    roll_up, names = RollUp(own_redis), [f"/{number}" for number in range(endpoints)]
    calls = [RequestEvent("id", NOON_MS, name, "GET", 200, "", 1, 2, 10.0, 5.0) for name in names]

    def requests() -> set[int]:
        return {part["figures"]["requests"] for part in told(own_redis, "24h")["parts"].values()}

    send_events(own_redis, "p", 1, calls)
    roll_up.run(NOON_MS)
    assert requests() == {1}
    send_events(own_redis, "p", 2, calls)
    for second in range(seconds):
        roll_up.run(NOON_MS + 1000 + second * 1000)
        assert requests() == {1}
    roll_up.run(NOON_MS + 1000 + seconds * 1000)
    assert requests() == {2}
