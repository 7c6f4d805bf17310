"""What a chart shows: by endpoint and by point, how requests ended, how long they took, and their bytes.

Points begin on marks of the clock (UTC), so a window's first point may lie in it with a part of its buckets: it holds
what the window has of it, and so the points of a chart add up to the window's figures. Percentiles cannot be added;
a point is made of the tallies of all its buckets each time that one of them changes. Those of the latest points are
at hand; for others, in which something ended late, the buckets are read again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from app.core.statistics.outcomes import OUTCOMES
from app.core.statistics.tallies import Tally, percentiles
from app.core.statistics.windows import Endpoint, Span

SEGMENTS: Final = 30
"""Stretches of a bar that shows how an endpoint did."""
OPEN_POINTS: Final = 2
"""So many of the latest points are at hand as tallies."""
_NONE: Final = -1.0
"""In place of a duration: nothing was measured."""

Read = Callable[[Iterable[int]], Iterable[tuple[int, Mapping[str, Tally]]]]
"""Reads buckets by their numbers."""


class _Columns:
    """The points of one endpoint, by number modulo how many there may be."""

    __slots__ = (
        "errors",
        "first_byte_ms",
        "outcomes",
        "p50_ms",
        "p95_ms",
        "request_bytes",
        "requests",
        "response_bytes",
    )

    def __init__(self, size: int) -> None:
        self.requests = array("q", bytes(8 * size))
        self.errors = array("q", bytes(8 * size))
        self.request_bytes = array("q", bytes(8 * size))
        self.response_bytes = array("q", bytes(8 * size))
        self.outcomes = [array("q", bytes(8 * size)) for _ in OUTCOMES]
        self.p50_ms, self.p95_ms, self.first_byte_ms = (array("d", [_NONE]) * size for _ in range(3))

    def set(self, at: int, tally: Tally) -> None:
        self.requests[at] = tally.requests
        self.errors[at] = tally.errors
        self.request_bytes[at] = tally.request_bytes
        self.response_bytes[at] = tally.response_bytes
        for column, count in zip(self.outcomes, tally.by_outcome().values(), strict=True):
            column[at] = count
        p50_ms, p95_ms = percentiles(tally.duration_bins, (0.50, 0.95)) if tally.duration_bins else (_NONE, _NONE)
        self.p50_ms[at] = p50_ms
        self.p95_ms[at] = p95_ms
        self.first_byte_ms[at] = percentiles(tally.first_byte_bins, (0.50,))[0] if tally.first_byte_bins else _NONE


_NOTHING = Tally()


class Chart:
    """The chart of one window."""

    def __init__(self, span: Span, step_ms: int, now_ms: int) -> None:
        self.span = span
        self.step_ms = step_ms
        self.last = span.last(now_ms)
        """The number of the window's latest bucket."""
        self.changed: set[Endpoint] = {None}
        """As SlidingSum.changed."""
        self._per_point = step_ms // span.bucket_ms
        self._size = span.buckets // self._per_point + (self._per_point > 1)
        self._columns: dict[Endpoint, _Columns] = {None: _Columns(self._size)}
        self._open: dict[int, dict[Endpoint, Tally]] = {}
        """By number of the point, with all that its buckets hold."""
        self._to_set: dict[int, set[Endpoint]] = {}
        """Of those that are open: of whom they hold something else than they show."""
        self._to_read: set[int] = set()

    @property
    def first(self) -> int:
        """The number of the window's first bucket."""
        return self.last - self.span.buckets + 1

    @property
    def points(self) -> range:
        """The numbers of its points: their begins divided by the step."""
        return range(self.first // self._per_point, self.last // self._per_point + 1)

    @property
    def at_hand(self) -> int:
        """How many points are at hand as tallies."""
        return len(self._open)

    def take(self, number: int, tallies: Mapping[str, Tally]) -> Iterator[Mapping[Endpoint, Tally]]:
        """Counts a whole bucket in a chart that is being filled, in the order of the buckets. `sum_up` follows.

        Yields what points hold that are done.
        """
        point = number // self._per_point
        if point not in self._open:
            yield from self.sum_up()
        known = self._open.setdefault(point, {})
        for endpoint, tally in tallies.items():
            if self._per_point == 1:
                known[endpoint] = tally
            else:
                known.setdefault(endpoint, Tally()).merge(tally)
        self._to_set[point] = set()

    def sum_up(self) -> Iterator[Mapping[Endpoint, Tally]]:
        """Shows what was taken; yields as take()."""
        for point in list(self._to_set):
            known = self._open[point]
            whole = Tally()
            for tally in known.values():
                whole.merge(tally)
            known[None] = whole
            self._to_set[point] = set(known)
            self._set(point)
            yield known

    def add(self, number: int, tallies: Mapping[str, Tally]) -> None:
        """Counts what is new in a bucket, if the window covers it. `complete` shows it."""
        if not self.first <= number <= self.last:
            return
        point = number // self._per_point
        if point in self._open:
            self._merge(point, tallies)
        else:
            self._to_read.add(point)

    def _merge(self, point: int, tallies: Mapping[str, Tally]) -> None:
        known = self._open.setdefault(point, {None: Tally()})
        for endpoint, tally in tallies.items():
            known.setdefault(endpoint, Tally()).merge(tally)
            known[None].merge(tally)
        self._to_set.setdefault(point, {None}).update(tallies)

    def slide(self, now_ms: int) -> bool:
        """Moves the chart forward; never backwards. `complete` follows. False: it stays where it is."""
        last = max(self.span.last(now_ms), self.last)
        if last == self.last:
            return False
        before, entering = self.points, self.last + 1
        self.last = last
        after = self.points
        for point in before:
            if point < after[0]:
                self._clear(point)
        # What enters may hold something already: requests of a machine whose clock runs ahead.
        self._to_read.update(range(max(entering // self._per_point, after[0]), after[-1] + 1))
        if self._per_point > 1 and self._columns[None].requests[after[0] % self._size]:
            self._to_read.add(after[0])  # it has fewer buckets now
        self._to_read = {point for point in self._to_read if point >= after[0]}
        for point in list(self._open):
            is_old = point <= after[-1] - OPEN_POINTS and point not in self._to_set
            if is_old or point < after[0] or point in self._to_read:
                del self._open[point]
        self._to_set = {point: endpoints for point, endpoints in self._to_set.items() if point in self._open}
        for name in [name for name, columns in self._columns.items() if name and not any(columns.requests)]:
            del self._columns[name]
            self.changed.add(name)
        self.changed.update(self._columns)
        return True

    def complete(self, read: Read) -> None:
        """Brings all points up to date. `read` gives buckets as they are stored by now."""
        numbers = [number for point in sorted(self._to_read) for number in self.buckets_of(point)]
        for point in self._to_read:
            self._open[point] = {None: Tally()}
            self._to_set[point] = set(self._columns)
        for number, tallies in read(numbers) if numbers else ():
            self._merge(number // self._per_point, tallies)
        self._to_read.clear()
        for point in list(self._to_set):
            self._set(point)

    def buckets_of(self, point: int) -> range:
        """Those that the window has of it."""
        begin = point * self._per_point
        return range(max(begin, self.first), min(begin + self._per_point, self.last + 1))

    def _set(self, point: int) -> None:
        """Shows what an open point holds, and closes it if it is none of the latest."""
        tallies = self._open[point]
        at = point % self._size
        changed = self._to_set.pop(point)
        for endpoint in changed:
            columns = self._columns.get(endpoint)
            if columns is None:
                columns = self._columns[endpoint] = _Columns(self._size)
            columns.set(at, tallies.get(endpoint, _NOTHING))
        self.changed |= changed
        if point <= self.points[-1] - OPEN_POINTS:
            del self._open[point]

    def _clear(self, point: int) -> None:
        for columns in self._columns.values():
            if columns.requests[point % self._size]:
                columns.set(point % self._size, _NOTHING)

    # Reading. ---------------------------------------------------------------------------------------------------

    @property
    def frame(self) -> dict[str, int]:
        """Where its points lie, the first of which begins at `first_point_ms`."""
        points = self.points
        return {"step_ms": self.step_ms, "first_point_ms": points[0] * self.step_ms, "points": len(points)}

    def describe(self, endpoint: Endpoint) -> dict[str, Any]:
        """Its series, for one endpoint or all; those without anything are left out. Null: nothing was measured."""
        columns = self._columns.get(endpoint)
        if columns is None:
            return {"outcomes": {}}
        outcomes = {name: self._ordered(column) for name, column in zip(OUTCOMES, columns.outcomes, strict=True)}
        series: dict[str, Any] = {"outcomes": {name: counts for name, counts in outcomes.items() if any(counts)}}
        for name in ("request_bytes", "response_bytes"):
            counts = self._ordered(getattr(columns, name))
            if any(counts):
                series[name] = counts
        for name in ("p50_ms", "p95_ms", "first_byte_ms"):
            durations = [None if ms < 0 else ms for ms in self._ordered(getattr(columns, name))]
            if any(ms is not None for ms in durations):
                series[name] = durations
        return series

    def segments(self, endpoint: Endpoint) -> dict[str, list[int]]:
        """Its requests and errors in SEGMENTS stretches, which `segment_marks` divides."""
        columns = self._columns.get(endpoint)
        if columns is None:
            return {"requests": [0] * SEGMENTS, "errors": [0] * SEGMENTS}
        return {
            name: [sum(counts[begin:end]) for begin, end in self._stretches()]
            for name, counts in (
                ("requests", self._ordered(columns.requests)),
                ("errors", self._ordered(columns.errors)),
            )
        }

    @property
    def segment_marks(self) -> list[int]:
        """Where each of them begins, in ms, and the last one ends."""
        first = self.points[0]
        marks = [(first + begin) * self.step_ms for begin, _ in self._stretches()]
        return [*marks, (first + len(self.points)) * self.step_ms]

    def latest(self, endpoint: Endpoint, points: int) -> tuple[int, int]:
        """Requests and errors of the latest points."""
        columns = self._columns.get(endpoint)
        if columns is None:
            return 0, 0
        places = [point % self._size for point in self.points[-points:]]
        return sum(columns.requests[at] for at in places), sum(columns.errors[at] for at in places)

    def _stretches(self) -> Iterator[tuple[int, int]]:
        count = len(self.points)
        bounds = [number * count // SEGMENTS for number in range(SEGMENTS + 1)]
        return pairwise(bounds)

    def _ordered(self, column: array[Any]) -> list[Any]:
        points = self.points
        start = points[0] % self._size
        return (column[start:] + column[:start])[: len(points)].tolist()
