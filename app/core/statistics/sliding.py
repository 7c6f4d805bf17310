"""Windows that slide over the buckets, kept up to date by adding what enters and subtracting what leaves."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from app.core.statistics.tallies import Tally
from app.core.statistics.windows import (
    DAY_MS,
    SECOND_MS,
    SPAN_7D,
    SPAN_24H,
    SPAN_30D,
    TOTAL_POINTS,
    WINDOW_NAMES,
    Deltas,
    Endpoint,
    Span,
)


class _Rings:
    """Requests and errors of one endpoint in each bucket of a window, by bucket number modulo the length."""

    __slots__ = ("errors", "requests")

    def __init__(self, buckets: int) -> None:
        self.requests = array("q", bytes(8 * buckets))
        self.errors = array("q", bytes(8 * buckets))


class SlidingSum:
    """The sums over the latest buckets, kept up to date by adding what enters and subtracting what leaves."""

    def __init__(self, span: Span, now_ms: int) -> None:
        self.span = span
        self.last = span.last(now_ms)
        self.changed: set[Endpoint] = {None}
        """Endpoints whose description is out of date. Whoever describes them empties it."""
        self.tallies: dict[Endpoint, Tally] = {None: Tally()}

    @property
    def first(self) -> int:
        return self.last - self.span.buckets + 1

    @property
    def from_ms(self) -> int:
        return self.first * self.span.bucket_ms

    @property
    def to_ms(self) -> int:
        """Exclusive."""
        return (self.last + 1) * self.span.bucket_ms

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

    def take(self, number: int, tallies: Mapping[str, Tally]) -> None:
        """Counts a whole bucket in a window that is being filled: `sum_up` follows. As add(), in half of the time."""
        if self.covers(number):
            for endpoint, tally in tallies.items():
                self._add(number, endpoint, tally)

    def note(self, number: int, tallies: Mapping[str, Tally]) -> None:
        """What take() does beside the sum itself, which comes by gather()."""

    def gather(self, tallies: Mapping[Endpoint, Tally]) -> None:
        """Counts some buckets together in a window that is being filled, of each endpoint and of all."""
        for name, tally in tallies.items():
            self._merge(name, tally)

    def sum_up(self) -> None:
        """Of what was taken, all endpoints together."""
        whole = self.tallies[None]
        for name, tally in self.tallies.items():
            if name is not None:
                whole.merge(tally)

    def _add(self, number: int, name: Endpoint, tally: Tally) -> None:
        self._merge(name, tally)

    def _merge(self, name: Endpoint, tally: Tally) -> None:
        known = self.tallies.get(name)
        if known is None:
            known = self.tallies[name] = Tally()
        known.merge(tally)
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
            self.changed.add(name)
        if self.tallies[endpoint].requests == 0:
            del self.tallies[endpoint]


class SlidingWindow(SlidingSum):
    """Such a sum with a chart of its requests and errors, whose points begin where it begins."""

    def __init__(self, span: Span, now_ms: int) -> None:
        super().__init__(span, now_ms)
        self._rings: dict[Endpoint, _Rings] = {None: _Rings(span.buckets)}

    def note(self, number: int, tallies: Mapping[str, Tally]) -> None:
        for name, tally in tallies.items():
            self._count(number, name, tally)
            self._count(number, None, tally)

    def _add(self, number: int, name: Endpoint, tally: Tally) -> None:
        super()._add(number, name, tally)
        self._count(number, name, tally)

    def _count(self, number: int, name: Endpoint, tally: Tally) -> None:
        rings = self._rings.get(name)
        if rings is None:
            rings = self._rings[name] = _Rings(self.span.buckets)
        rings.requests[number % self.span.buckets] += tally.requests
        rings.errors[number % self.span.buckets] += tally.errors

    def _remove(self, number: int, endpoint: str, tally: Tally) -> None:
        super()._remove(number, endpoint, tally)
        for name in (endpoint, None):
            rings = self._rings[name]
            rings.requests[number % self.span.buckets] = 0
            rings.errors[number % self.span.buckets] = 0
        if endpoint not in self.tallies:
            del self._rings[endpoint]

    @property
    def frame(self) -> dict[str, int]:
        """Where the window lies: `from_ms`, `to_ms`, and `step_s` of its chart."""
        return {
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
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
        first_day, step_days, points = self.first_day, self._step_days, self._points
        requests, errors = [0] * points, [0] * points
        for day, (day_requests, day_errors) in self._days.get(endpoint, {}).items():
            point = min((day - first_day) // step_days, points - 1)
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
