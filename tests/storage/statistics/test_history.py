"""Weeks of statistics, with late events, pauses and restarts: each figure is what a count by hand finds."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from app.core.statistics.charts import OPEN_POINTS
from app.core.statistics.events import RequestEvent
from app.core.statistics.outcomes import OK, OUTCOMES, outcome_of
from app.core.statistics.panels import Panel
from app.core.statistics.sliding import Windows
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS
from app.storage.connections import Redis
from app.storage.statistics.accounts import Account
from app.storage.statistics.ledger import Ledger
from tests.support.envelopes import send_events

NOON_MS = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2
ENDPOINTS = (None, "/a", "/b", "/c", "/rare")
History = list[tuple[int, RequestEvent]]
"""When each ended, as far as that is believed."""


@pytest.mark.soak
def test_two_weeks_after_two_months(own_redis: Redis) -> None:
    """Whoever kept up and whoever reads afresh says the same, of every window, the span before it and its chart."""
    dice = random.Random(40)
    started_ms = NOON_MS - 1000
    history: History = []
    ledger, now_ms, seq, checks = Ledger(own_redis), started_ms, 0, 0
    earlier = [a_call(dice, started_ms - dice.randrange(61 * DAY_MS)) for _ in range(600)]
    book(own_redis, ledger, history, earlier, seq, now_ms)
    while now_ms < started_ms + 14 * DAY_MS:
        now_ms += dice.choices([1, 11, 25, 29, 95], [4, 6, 6, 23, 1])[0] * MINUTE_MS  # the longest means to read afresh
        seq += 1
        if dice.random() < 0.01:
            ledger = Ledger(own_redis)  # the worker is restarted
        events = [a_call(dice, now_ms) for _ in range(dice.choice([0, 1, 1, 2, 6]))]
        book(own_redis, ledger, history, events, seq, now_ms)
        if dice.random() < 0.02:
            checks += 1
            check(account_of(ledger, now_ms), history, now_ms)
    check(account_of(ledger, now_ms), history, now_ms)
    check(account_of(Ledger(own_redis), now_ms), history, now_ms)
    assert checks > 10
    assert len(history) > 1500


def account_of(ledger: Ledger, now_ms: int) -> Account:
    found: list[Account] = []

    def look(account: Account) -> None:
        found.append(account)

    ledger.publish(now_ms, look)
    return found[0]


def a_call(dice: random.Random, now_ms: int) -> RequestEvent:
    late_ms = dice.choice([0, 0, 0, 800, 70_000, 5 * HOUR_MS, 23 * HOUR_MS, -30_000])
    endpoint = dice.choice(["/a", "/a", "/b", "/rare" if dice.random() < 0.02 else "/c"])
    status, code = dice.choice(
        [(200, ""), (200, ""), (429, ""), (404, ""), (502, ""), (504, "total_timeout"), (499, "client_gone")]
    )
    first_byte_ms = None if code else dice.lognormvariate(4, 1)
    sizes = dice.randrange(1000), dice.randrange(1000)
    plain = RequestEvent("id", now_ms - late_ms, endpoint, "GET", status, code, *sizes, dice.lognormvariate(5, 1), None)
    return plain._replace(first_byte_ms=first_byte_ms)


def book(client: Redis, ledger: Ledger, history: History, events: list[RequestEvent], seq: int, now_ms: int) -> None:
    if events:
        send_events(client, "p", seq + 1, events)
    ledger.roll_up(now_ms)
    history += [(min(one.ended_at_ms, now_ms + DAY_MS), one) for one in events]


def check(account: Account, history: History, now_ms: int) -> None:
    """Compares with a count that knows nothing of buckets but their edges."""
    check_windows(account.windows, history, now_ms)
    for panel in account.panels.by_name.values():
        assert panel.chart.at_hand <= OPEN_POINTS
        for endpoint in ENDPOINTS:
            check_panel(panel, endpoint, [(at, one) for at, one in history if endpoint in (None, one.endpoint)])


def check_panel(panel: Panel, endpoint: str | None, history: History) -> None:
    told = panel.describe(endpoint)
    for span, figures in ((told, told["figures"]), (told["before"], told["before"])):
        inside = [one for at, one in history if span["from_ms"] <= at < span["to_ms"]]
        assert figures["requests"] == len(inside)
        assert figures["errors"] == sum(one.is_error for one in inside)
        ended = Counter(map(name_of, inside))
        assert figures["outcomes"] == {name: ended[name] for name in OUTCOMES}
        assert figures["response_bytes"] == sum(one.response_bytes for one in inside)
        assert figures["duration_ms"]["p95"] == (percentile(inside, 95) if inside else None)
    points: list[list[RequestEvent]] = [[] for _ in range(told["points"])]
    for at, one in history:
        if told["from_ms"] <= at < told["to_ms"]:
            points[(at - told["first_point_ms"]) // told["step_ms"]].append(one)
    chart = told["chart"]
    ends = [Counter(map(name_of, point)) for point in points]
    for name in OUTCOMES:
        line = [ended[name] for ended in ends]
        assert chart["outcomes"].get(name, [0] * len(points)) == line
    for name in ("request_bytes", "response_bytes"):
        line = [sum(getattr(one, name) for one in point) for point in points]
        assert chart.get(name, [0] * len(points)) == line
    for name, percent in (("p50_ms", 50), ("p95_ms", 95)):
        assert chart.get(name, [None] * len(points)) == [percentile(point, percent) for point in points]
    segments = panel.chart.segments(endpoint)
    assert sum(segments["requests"]) == told["figures"]["requests"]
    assert sum(segments["errors"]) == told["figures"]["errors"]


def name_of(one: RequestEvent) -> str:
    outcome = outcome_of(one)
    return "ok" if outcome == OK else OUTCOMES[outcome + 1]


def percentile(events: list[RequestEvent], percent: int) -> object:
    durations = sorted(one.duration_ms for one in events)
    return pytest.approx(durations[-(-percent * len(durations) // 100) - 1], rel=0.05) if durations else None


def check_windows(windows: Windows, history: History, now_ms: int) -> None:
    for window in windows.by_name().values():
        frame = window.frame
        inside = [(at, one) for at, one in history if frame["from_ms"] <= at < frame["to_ms"]]
        assert frame["from_ms"] < now_ms < frame["to_ms"]
        if window is windows.total:
            assert len(inside) == len(history)
        for endpoint in ENDPOINTS:
            mine = [(at, one) for at, one in inside if endpoint in (None, one.endpoint)]
            if not mine:
                assert endpoint is None or endpoint not in window.tallies
                continue
            said = window.describe(endpoint)
            assert said["requests"] == len(mine)
            assert said["errors"] == sum(one.is_error for _, one in mine)
            assert said["request_bytes"] == sum(one.request_bytes for _, one in mine)
            durations = [one.duration_ms for _, one in mine]
            assert said["duration_ms"]["avg"] == pytest.approx(sum(durations) / len(mine), rel=1e-3, abs=0.01)
            for name, percent in (("p50", 50), ("p95", 95), ("p99", 99)):
                assert said["duration_ms"][name] == percentile([one for _, one in mine], percent)
            points = [0] * len(said["series"]["requests"])
            for at, _ in mine:
                points[(at - frame["from_ms"]) // (frame["step_s"] * 1000)] += 1
            assert said["series"]["requests"] == points
