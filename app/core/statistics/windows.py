"""Folding events into buckets, and windows that slide over the buckets.

An event belongs to the minute, the hour and the day (UTC) in which its request ended, however late it
arrives. A window covers whole buckets: `to_ms` is the end of the bucket that `now` is in, `from_ms` lies
exactly the window's length before that. So the 24 h window holds the last 1,439 full minutes and the running
one, the last point of its chart grows until it is full, and the points of a chart add up to the window's
figures.

Nothing here reads a clock or a database: `now_ms` is an argument, buckets are handed in.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.core.statistics.events import RequestEvent
from app.core.statistics.tallies import Tally

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

BEGINNING_MS = 1_577_836_800_000
"""2020-01-01. An earlier time is that of a machine whose clock was not set yet."""
AHEAD_MS = DAY_MS
"""How far a clock may run ahead of ours before we do not believe it."""
TOTAL_POINTS = 400
"""Most points of the chart over all times; more days than that share points."""

Endpoint = str | None
"""A mapping's prefix; None stands for all endpoints together."""
Buckets = dict[int, dict[str, Tally]]
"""Number of the bucket (its start divided by its length) → endpoint → what was counted in it."""


@dataclass(slots=True)
class Deltas:
    """What a batch of events adds."""

    minutes: Buckets = field(default_factory=dict)
    hours: Buckets = field(default_factory=dict)
    days: Buckets = field(default_factory=dict)
    total: dict[str, Tally] = field(default_factory=dict)
    recent: list[tuple[str, int]] = field(default_factory=list)
    """Endpoint and end (Unix seconds) of each request, as they arrived."""
    rejected: int = 0
    """Events that were not events, left out."""


def believed_ms(ended_at_ms: int, now_ms: int) -> int:
    """A time that cannot be is taken for now."""
    return ended_at_ms if BEGINNING_MS <= ended_at_ms <= now_ms + AHEAD_MS else now_ms


def fold(events: Iterable[RequestEvent], now_ms: int) -> Deltas:
    """Sorts events into their buckets. An event whose time cannot be is counted at `now_ms`."""
    deltas = Deltas()
    for event in events:
        try:
            ended_at_ms = believed_ms(event.ended_at_ms, now_ms)
            if ended_at_ms != event.ended_at_ms:
                event = event._replace(ended_at_ms=ended_at_ms)
            _add(deltas.minutes, int(event.ended_at_ms // MINUTE_MS), event)
            deltas.recent.append((event.endpoint, int(event.ended_at_ms // SECOND_MS)))
        except (TypeError, ValueError, OverflowError):
            deltas.rejected += 1
    for minute, tallies in deltas.minutes.items():
        for endpoint, tally in tallies.items():
            _merge(deltas.hours, minute // 60, endpoint, tally)
    for hour, tallies in deltas.hours.items():
        for endpoint, tally in tallies.items():
            _merge(deltas.days, hour // 24, endpoint, tally)
            deltas.total.setdefault(endpoint, Tally()).merge(tally)
    return deltas


def _add(buckets: Buckets, number: int, event: RequestEvent) -> None:
    tallies = buckets.get(number)
    tally = tallies.get(event.endpoint) if tallies else None
    if tally is not None:
        tally.add(event)
        return
    if not isinstance(event.endpoint, str):
        raise TypeError("an endpoint is a text")
    tally = Tally()
    tally.add(event)  # may raise: an event that is none leaves no empty bucket behind
    buckets.setdefault(number, {})[event.endpoint] = tally


def _merge(buckets: Buckets, number: int, endpoint: str, tally: Tally) -> None:
    buckets.setdefault(number, {}).setdefault(endpoint, Tally()).merge(tally)


class Span(NamedTuple):
    """How long a window is, in which steps it slides, and how its chart is divided."""

    name: str
    bucket_ms: int
    buckets: int
    points: int

    def last(self, now_ms: int) -> int:
        """Number of the bucket that `now_ms` is in."""
        return now_ms // self.bucket_ms

    def first(self, now_ms: int) -> int:
        """Number of the oldest bucket inside the window."""
        return self.last(now_ms) - self.buckets + 1


SPAN_24H = Span("24h", MINUTE_MS, 24 * 60, 96)
SPAN_7D = Span("7d", HOUR_MS, 7 * 24, 168)
SPAN_30D = Span("30d", HOUR_MS, 30 * 24, 120)
WINDOW_NAMES = (SPAN_24H.name, SPAN_7D.name, SPAN_30D.name, "total")


class _Rings:
    """Requests and errors of one endpoint in each bucket of a window, by bucket number modulo the length."""

    __slots__ = ("errors", "requests")

    def __init__(self, buckets: int) -> None:
        self.requests = array("q", bytes(8 * buckets))
        self.errors = array("q", bytes(8 * buckets))

    def merge(self, other: _Rings) -> None:
        for at, (requests, errors) in enumerate(zip(other.requests, other.errors, strict=True)):
            self.requests[at] += requests
            self.errors[at] += errors


class SlidingWindow:
    """The sums over the latest buckets, kept up to date by adding what enters and subtracting what leaves."""

    def __init__(self, span: Span, now_ms: int) -> None:
        self.span = span
        self.last = span.last(now_ms)
        self.changed: set[Endpoint] = {None}
        """Endpoints whose description is out of date. Whoever describes them empties it."""
        self.tallies: dict[Endpoint, Tally] = {None: Tally()}
        self._rings: dict[Endpoint, _Rings] = {None: _Rings(span.buckets)}

    @property
    def first(self) -> int:
        return self.last - self.span.buckets + 1

    @property
    def numbers(self) -> range:
        """Of the buckets that the window covers."""
        return range(self.first, self.last + 1)

    def covers(self, number: int) -> bool:
        return self.first <= number <= self.last

    def add(self, number: int, endpoint: str, tally: Tally) -> None:
        """Counts `tally` in a bucket, if the window covers it."""
        if self.covers(number):
            self._add(number, endpoint, tally)
            self._add(number, None, tally)

    def fill(self, buckets: Iterable[tuple[int, Mapping[str, Tally]]]) -> None:
        """Counts whole buckets in an empty window: as add(), in a third of the time."""
        for number, tallies in buckets:
            if self.covers(number):
                for endpoint, tally in tallies.items():
                    self._add(number, endpoint, tally)
        for name in [name for name in self.tallies if name is not None]:
            self.tallies[None].merge(self.tallies[name])
            self._rings[None].merge(self._rings[name])

    def _add(self, number: int, name: Endpoint, tally: Tally) -> None:
        if name not in self.tallies:
            self.tallies[name] = Tally()
            self._rings[name] = _Rings(self.span.buckets)
        self.tallies[name].merge(tally)
        rings = self._rings[name]
        rings.requests[number % self.span.buckets] += tally.requests
        rings.errors[number % self.span.buckets] += tally.errors
        self.changed.add(name)

    def turns(self, now_ms: int) -> tuple[range, range]:
        """The buckets that leave and those that enter when the window slides to `now_ms`; never backwards.

        What enters may hold something already: requests of a machine whose clock runs ahead.
        """
        last = max(self.span.last(now_ms), self.last)
        leaving = range(self.first, min(last - self.span.buckets, self.last) + 1)
        entering = range(max(self.last + 1, last - self.span.buckets + 1), last + 1)
        return leaving, entering

    def slide(self, now_ms: int, buckets: Mapping[int, Mapping[str, Tally]]) -> None:
        """Moves the window forward. `buckets` holds those that turns() named, as far as they exist."""
        leaving, entering = self.turns(now_ms)
        for number in leaving:
            for endpoint, tally in buckets.get(number, {}).items():
                self._remove(number, endpoint, tally)
        self.last = max(self.span.last(now_ms), self.last)
        for number in entering:
            for endpoint, tally in buckets.get(number, {}).items():
                self.add(number, endpoint, tally)
        if entering:
            self.changed.update(self.tallies)

    def _remove(self, number: int, endpoint: str, tally: Tally) -> None:
        for name in (endpoint, None):
            self.tallies[name].subtract(tally)
            rings = self._rings[name]
            rings.requests[number % self.span.buckets] = 0
            rings.errors[number % self.span.buckets] = 0
            self.changed.add(name)
        if self.tallies[endpoint].requests == 0:
            del self.tallies[endpoint], self._rings[endpoint]

    @property
    def frame(self) -> dict[str, int]:
        """Where the window lies: `from_ms`, `to_ms`, and `step_s` of its chart."""
        return {
            "from_ms": self.first * self.span.bucket_ms,
            "to_ms": (self.last + 1) * self.span.bucket_ms,
            "step_s": self.span.buckets // self.span.points * self.span.bucket_ms // SECOND_MS,
        }

    def describe(self, endpoint: Endpoint) -> dict[str, Any]:
        """Figures and chart of one endpoint, which must have requests in the window, or of all."""
        rings = self._rings[endpoint]
        series = {"requests": self._points(rings.requests), "errors": self._points(rings.errors)}
        return {**self.tallies[endpoint].describe(), "series": series}

    def _points(self, ring: array[int]) -> list[int]:
        start = self.first % self.span.buckets
        ordered = ring[start:] + ring[:start]
        step = self.span.buckets // self.span.points
        return [sum(ordered[at : at + step]) for at in range(0, self.span.buckets, step)]


class TotalWindow:
    """All requests ever, charted by days."""

    def __init__(self, now_ms: int) -> None:
        self.today = now_ms // DAY_MS
        self.changed: set[Endpoint] = {None}
        self.tallies: dict[Endpoint, Tally] = {None: Tally()}
        self._days: dict[Endpoint, dict[int, tuple[int, int]]] = {None: {}}
        self._first_day: int | None = None

    def add(self, endpoint: str, tally: Tally) -> None:
        for name in (endpoint, None):
            self.tallies.setdefault(name, Tally()).merge(tally)
            self.changed.add(name)

    def add_day(self, day: int, endpoint: str, requests: int, errors: int) -> None:
        for name in (endpoint, None):
            days = self._days.setdefault(name, {})
            before = days.get(day, (0, 0))
            days[day] = (before[0] + requests, before[1] + errors)
        if self._first_day is None or day < self._first_day:
            self._first_day = day
            self.changed.update(self.tallies)

    def slide(self, now_ms: int) -> None:
        if self.today != now_ms // DAY_MS:
            self.today = now_ms // DAY_MS
            self.changed.update(self.tallies)

    def requests_on(self, day: int, endpoint: Endpoint) -> int:
        """How many requests ended on a day (days since the epoch, UTC)."""
        return self._days.get(endpoint, {}).get(day, (0, 0))[0]

    @property
    def first_day(self) -> int:
        return self.today if self._first_day is None else min(self._first_day, self.today)

    @property
    def _step_days(self) -> int:
        return -(-(self.today + 1 - self.first_day) // TOTAL_POINTS)

    @property
    def _points(self) -> int:
        return -(-(self.today + 1 - self.first_day) // self._step_days)

    @property
    def frame(self) -> dict[str, int]:
        """As SlidingWindow.frame; from the day of the first request to the end of the last chart point."""
        return {
            "from_ms": self.first_day * DAY_MS,
            "to_ms": (self.first_day + self._points * self._step_days) * DAY_MS,
            "step_s": self._step_days * DAY_MS // SECOND_MS,
        }

    def describe(self, endpoint: Endpoint) -> dict[str, Any]:
        """As SlidingWindow.describe."""
        requests, errors = [0] * self._points, [0] * self._points
        for day, (day_requests, day_errors) in self._days.get(endpoint, {}).items():
            point = min((day - self.first_day) // self._step_days, self._points - 1)
            requests[point] += day_requests
            errors[point] += day_errors
        return {**self.tallies[endpoint].describe(), "series": {"requests": requests, "errors": errors}}


class Windows:
    """Every window of the dashboard, at one moment."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.day = SlidingWindow(SPAN_24H, now_ms)
        self.week = SlidingWindow(SPAN_7D, now_ms)
        self.month = SlidingWindow(SPAN_30D, now_ms)
        self.total = TotalWindow(now_ms)

    def add(self, deltas: Deltas) -> None:
        """Counts what a batch adds."""
        for minute, tallies in deltas.minutes.items():
            for endpoint, tally in tallies.items():
                self.day.add(minute, endpoint, tally)
        for hour, tallies in deltas.hours.items():
            for endpoint, tally in tallies.items():
                self.week.add(hour, endpoint, tally)
                self.month.add(hour, endpoint, tally)
        for endpoint, tally in deltas.total.items():
            self.total.add(endpoint, tally)
        for day, tallies in deltas.days.items():
            for endpoint, tally in tallies.items():
                self.total.add_day(day, endpoint, tally.requests, tally.errors)

    def by_name(self) -> dict[str, SlidingWindow | TotalWindow]:
        return dict(zip(WINDOW_NAMES, (self.day, self.week, self.month, self.total), strict=True))
