"""What cells add up to, unit by unit, and how the API tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from app.core.money.amounts import show_usd
from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import (
    COST,
    COUNTS,
    DURATION,
    ERRORS,
    ESTIMATES,
    FIRST_BYTE,
    FIRST_CONTENT,
    GOODS,
    HOUR_MS,
    MADE,
    MINUTE_MS,
    MINUTE_OF_ERRORS,
    MOST_BIN,
    NUMBERS,
    OF_REQUESTS,
    REPORTS,
    REQUESTS,
    USAGE,
)
from app.core.statistics.sums.vectors import Counts, add
from app.core.statistics.tallies import percentiles
from app.core.usage import ESTIMATED, NOT_TOLD, REPORTED

SLICES: Final = 48
RANKS: Final = (0.50, 0.95, 0.99)
_AT_ONCE_BYTES: Final = 40_000


class UnitRow(NamedTuple):
    """A cell of one unit, as far as it is needed one by one. Rows of a database have the same order."""

    at_ms: int
    """Begin of the unit."""
    cell: int
    """Its id."""
    requests: int
    errors: int
    bins: bytes
    minutes: bytes


class Sum:
    """Of some cells."""

    __slots__ = ("_bins", "_waiting", "_waiting_bytes", "numbers")

    def __init__(self) -> None:
        self.numbers = [0] * len(NUMBERS)
        self._bins: Counts = {}
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def count(self, numbers: Iterable[int]) -> None:
        """Adds the numbers of cells."""
        self.numbers = [one + more for one, more in zip(self.numbers, numbers, strict=True)]

    def measure(self, bins: Sequence[bytes]) -> None:
        """Adds their bins."""
        self._waiting += bins
        self._waiting_bytes += sum(map(len, bins))
        if self._waiting_bytes > _AT_ONCE_BYTES:
            self._count()

    def _count(self) -> None:
        add(self._bins, self._waiting)
        self._waiting, self._waiting_bytes = [], 0

    def times(self, begin: int) -> dict[str, float | None]:
        """The percentiles of the histogram whose bins begin there; null where nothing was measured."""
        self._count()
        bins = {number - begin: count for number, count in self._bins.items() if begin <= number <= begin + MOST_BIN}
        if not bins:
            return {"p50": None, "p95": None, "p99": None}
        found = percentiles(bins, RANKS)
        return {f"p{round(rank * 100)}": round(ms, 1) for rank, ms in zip(RANKS, found, strict=True)}

    def usage(self) -> dict[str, Any]:
        reported, estimated = self.numbers[REPORTS], self.numbers[ESTIMATES]
        if not reported + estimated:
            return {**dict.fromkeys(COUNTS), "source": NOT_TOLD, "other": {}}
        counts = dict(zip(COUNTS, self.numbers[USAGE:REPORTS], strict=True))
        return {**counts, "source": ESTIMATED if estimated else REPORTED, "other": {}}

    def point(self) -> dict[str, Any]:
        """As a point of a series."""
        return {
            "requests": self.numbers[REQUESTS],
            "errors": self.numbers[ERRORS],
            "usage": self.usage(),
            "cost_usd": show_usd(self.numbers[COST]),
            "first_byte_ms": self.times(FIRST_BYTE),
            "duration_ms": self.times(DURATION),
        }


class SumOfSpan(Sum):
    """Of some cells of one span."""

    __slots__ = ("_health", "_now_ms", "_span", "now", "peak")

    def __init__(self, span: Range, now_ms: int) -> None:
        super().__init__()
        self._span = span
        self._now_ms = now_ms
        self._health = [[0, 0] for _ in range(SLICES)]
        self.peak = 0
        """Most calls that began in one minute."""
        self.now = 0
        """Those of the last full one, where it is in the span."""

    def add_unit(self, unit_ms: int, rows: Sequence[UnitRow]) -> None:
        """All but the numbers of the cells of one unit, all at once. There is at least one."""
        times, _, requests, errors, bins, vectors = zip(*rows, strict=True)
        self.measure(bins)
        at_ms: int = times[0]
        minutes: Counts = {}
        add(minutes, vectors)
        hour_ms = at_ms - at_ms % HOUR_MS
        self.peak = max(self.peak, max((count for number, count in minutes.items() if number < 60), default=0))
        last_ms = (self._now_ms // MINUTE_MS - 1) * MINUTE_MS
        if at_ms <= last_ms < at_ms + unit_ms:
            self.now = minutes.get((last_ms - hour_ms) // MINUTE_MS, 0)
        first = self._place(at_ms)
        if first == self._place(at_ms + unit_ms - 1):
            self._health[first][0] += sum(requests)
            self._health[first][1] += sum(errors)
            return
        for number, count in minutes.items():
            kind, minute = divmod(number, MINUTE_OF_ERRORS)
            self._health[self._place(hour_ms + minute * MINUTE_MS)][kind] += count

    def _place(self, at_ms: int) -> int:
        return (at_ms - self._span.from_ms) * SLICES // (self._span.to_ms - self._span.from_ms)

    def attempts(self, *, made_there: bool) -> int:
        """Those that were made there, or those of its requests, wherever they were made."""
        return self.numbers[MADE if made_there else OF_REQUESTS]

    def answer(self, *, made_there: bool) -> dict[str, Any]:
        """As a row of statistics."""
        numbers = self.numbers
        judged = numbers[GOODS] + numbers[ERRORS]
        asked = sum(numbers[USAGE : USAGE + 4])
        past_ms = max(MINUTE_MS, min(self._span.to_ms, self._now_ms) - self._span.from_ms)
        return {
            "requests": numbers[REQUESTS],
            "errors": numbers[ERRORS],
            "success_rate": round(numbers[GOODS] / judged, 4) if judged else None,
            "usage": self.usage(),
            "cost_usd": show_usd(numbers[COST]),
            "first_byte_ms": self.times(FIRST_BYTE),
            "first_content_ms": self.times(FIRST_CONTENT),
            "duration_ms": self.times(DURATION),
            "attempts": self.attempts(made_there=made_there),
            "cache_hit_share": round(numbers[USAGE + 1] / asked, 4) if asked else None,
            "rpm": {
                "peak": self.peak,
                "mean": round(numbers[REQUESTS] * MINUTE_MS / past_ms, 3),
                "now": self.now,
            },
            "health": self._told_health(),
        }

    def _told_health(self) -> list[dict[str, int]]:
        length_ms = self._span.to_ms - self._span.from_ms
        return [
            {"at_ms": self._span.from_ms + place * length_ms // SLICES, "requests": requests, "errors": errors}
            for place, (requests, errors) in enumerate(self._health)
        ]
