"""Windows: what slides over the buckets is what a count by hand finds."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from app.core.statistics.events import RequestEvent
from app.core.statistics.sliding import SlidingWindow, TotalWindow, Windows
from app.core.statistics.tallies import Tally
from app.core.statistics.windows import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SPAN_7D,
    SPAN_24H,
    SPAN_30D,
    TOTAL_POINTS,
    Buckets,
    Span,
    fold,
)

NOON_MS = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2


def event(ended_at_ms: int, endpoint: str = "/a", status: int = 200, duration_ms: float = 10.0) -> RequestEvent:
    return RequestEvent("id", ended_at_ms, endpoint, "GET", status, "", 1, 2, duration_ms, None)


def window_of(span: Span, now_ms: int, events: Iterable[RequestEvent]) -> SlidingWindow:
    window = SlidingWindow(span, now_ms)
    deltas = fold(events, now_ms)
    for number, tallies in (deltas.minutes if span is SPAN_24H else deltas.hours).items():
        for endpoint, tally in tallies.items():
            window.add(number, endpoint, tally)
    return window


def test_an_event_falls_into_the_buckets_of_its_own_time() -> None:
    """Events are sorted by when they ended, in UTC, and not by when they arrive."""
    deltas = fold([event(NOON_MS - 1), event(NOON_MS), event(NOON_MS - 3 * DAY_MS)], NOON_MS)
    minutes, hours, days = NOON_MS // MINUTE_MS, NOON_MS // HOUR_MS, NOON_MS // DAY_MS
    assert sorted(deltas.minutes) == [minutes - 3 * 1440, minutes - 1, minutes]
    assert sorted(deltas.hours) == [hours - 72, hours - 1, hours]
    assert {day: tallies["/a"].requests for day, tallies in deltas.days.items()} == {days - 3: 1, days: 2}
    assert deltas.total["/a"].requests == 3


@pytest.mark.parametrize("ended_at_ms", [0, 12_345, NOON_MS + 40 * DAY_MS, 1 << 70])
def test_a_time_that_cannot_be_is_now(ended_at_ms: int) -> None:
    """An event of a machine without a set clock counts now, and does not stretch the chart to 1970."""
    assert list(fold([event(ended_at_ms)], NOON_MS).minutes) == [NOON_MS // MINUTE_MS]


def test_what_is_no_event_is_counted_apart() -> None:
    """Broken events are rejected one by one; the others count and no empty bucket is left."""
    broken = [event(NOON_MS, endpoint=None), event(NOON_MS, status=None), event("x")]  # type: ignore[arg-type]
    deltas = fold([*broken, event(NOON_MS, "/b"), event(NOON_MS, ["/c"])], NOON_MS)  # type: ignore[arg-type]
    assert deltas.rejected == 4
    assert {name for tallies in deltas.minutes.values() for name in tallies} == {"/b"}


@pytest.mark.parametrize(("span", "step_s"), [(SPAN_24H, 900), (SPAN_7D, 3600), (SPAN_30D, 21_600)])
def test_a_window_is_exactly_as_long_as_its_name(span: Span, step_s: int) -> None:
    """A window ends with the running bucket, spans its full length, and its points cover it without a rest."""
    window = SlidingWindow(span, NOON_MS + 1)
    frame = window.frame
    assert frame["to_ms"] == NOON_MS + span.bucket_ms
    assert frame["to_ms"] - frame["from_ms"] == {"24h": 1, "7d": 7, "30d": 30}[span.name] * DAY_MS
    assert frame["step_s"] == step_s
    assert frame["from_ms"] + span.points * step_s * 1000 == frame["to_ms"]


@pytest.mark.parametrize("span", [SPAN_24H, SPAN_7D, SPAN_30D])
def test_each_point_holds_its_own_stretch(span: Span) -> None:
    """series[i] counts what ended in [from + i steps, from + i + 1 steps)."""
    dice = random.Random(span.name)
    frame = SlidingWindow(span, NOON_MS).frame
    times = [dice.randrange(frame["from_ms"], frame["to_ms"]) for _ in range(500)]
    window = window_of(span, NOON_MS, [event(at, status=500) for at in times])
    step_ms = frame["step_s"] * 1000
    points = [0] * span.points
    for at in times:
        points[(at - frame["from_ms"]) // step_ms] += 1
    for name in ("/a", None):
        assert window.describe(name)["series"] == {"requests": points, "errors": points}


@pytest.mark.parametrize("span", [SPAN_24H, SPAN_7D, SPAN_30D])
def test_the_edges_of_a_window_are_sharp(span: Span) -> None:
    """The first bucket inside counts, the one before it does not."""
    start_ms = SlidingWindow(span, NOON_MS).frame["from_ms"]
    window = window_of(span, NOON_MS, [event(start_ms), event(start_ms - 1)])
    assert window.tallies[None].requests == 1


def test_sliding_equals_counting_anew() -> None:
    """After any walk of the clock a window that slid is the same, bit for bit, as one filled afresh."""
    dice = random.Random(5)
    span = Span("test", MINUTE_MS, 60, 12)
    buckets: Buckets = {}
    now_ms, window = NOON_MS, SlidingWindow(span, NOON_MS)
    for _ in range(600):
        # A little ahead, or late: clocks differ, and envelopes wait.
        at = now_ms + dice.choice([0, 0, 90_000, -20 * MINUTE_MS, -3 * HOUR_MS])
        for number, tallies in fold([event(at, dice.choice("abc"))], now_ms).minutes.items():
            for endpoint, tally in tallies.items():
                window.add(number, endpoint, tally)
                buckets.setdefault(number, {}).setdefault(endpoint, Tally()).merge(tally)
        now_ms += dice.choice([0, 1000, 61_000, 20 * MINUTE_MS, 3 * HOUR_MS])
        leaving, entering = window.turns(now_ms)
        window.slide(now_ms, {number: buckets[number] for number in [*leaving, *entering] if number in buckets})
        assert_same(window, buckets, span, now_ms)


def assert_same(window: SlidingWindow, buckets: Buckets, span: Span, now_ms: int) -> None:
    fresh = SlidingWindow(span, now_ms)
    for number, tallies in buckets.items():
        for endpoint, tally in tallies.items():
            fresh.add(number, endpoint, tally)
    assert window.frame == fresh.frame
    assert set(window.tallies) == set(fresh.tallies)
    for name in fresh.tallies:
        assert window.describe(name) == fresh.describe(name)


def test_a_clock_put_back_does_not_shift_the_window() -> None:
    """A window never slides backwards."""
    window = window_of(SPAN_24H, NOON_MS, [event(NOON_MS)])
    window.slide(NOON_MS - HOUR_MS, {})
    assert window.last == NOON_MS // MINUTE_MS
    assert window.tallies[None].requests == 1


@pytest.mark.parametrize(("days", "step_days"), [(1, 1), (400, 1), (401, 2), (4000, 10)])
def test_the_total_chart_has_a_bounded_number_of_points(days: int, step_days: int) -> None:
    """All times fit into 400 points of whole days, and every request is in one of them."""
    window = TotalWindow(NOON_MS)
    today = NOON_MS // DAY_MS
    tally = Tally()
    tally.add(event(NOON_MS))
    for day in range(today - days + 1, today + 1):
        window.add("/a", tally)
        window.add_day(day, "/a", 1, 0)
    series = window.describe("/a")["series"]["requests"]
    frame = window.frame
    assert frame["step_s"] == step_days * 86_400
    assert frame["from_ms"] == (today - days + 1) * DAY_MS
    assert frame["to_ms"] - frame["from_ms"] == len(series) * frame["step_s"] * 1000
    assert len(series) <= TOTAL_POINTS
    assert sum(series) == days
    assert frame["from_ms"] <= NOON_MS < frame["to_ms"]


def test_empty_windows_can_be_described() -> None:
    """Before the first request every window has its frame and its zeros."""
    for name, window in Windows(NOON_MS).by_name().items():
        described = window.describe(None)
        points = {"24h": 96, "7d": 168, "30d": 120, "total": 1}[name]
        assert described["series"]["requests"] == [0] * points
        assert (described["requests"], described["duration_ms"]["p99"]) == (0, None)
