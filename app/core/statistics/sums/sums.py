"""What cells add up to, unit by unit, and how the API tells it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from app.core.money.amounts import show_usd
from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import (
    CALLS_OF,
    COST,
    COUNTS,
    DURATION,
    ERRORS,
    ESTIMATES,
    FIRST_BYTE,
    FIRST_CONTENT,
    GOODS,
    MADE,
    MINUTE_MS,
    MOST_BIN,
    NUMBERS,
    OF_REQUESTS,
    REPORTS,
    REQUESTS,
    USAGE,
)
from app.core.statistics.sums.vectors import BINS, MINUTES, Counts
from app.core.statistics.tallies import percentiles
from app.core.usage import ESTIMATED, NOT_TOLD, REPORTED

SLICES: Final = 48
RANKS: Final = (0.50, 0.95, 0.99)
_AT_ONCE_BYTES: Final = 40_000


class Sum:
    """Of some cells."""

    __slots__ = ("_bins", "_waiting", "_waiting_bytes", "numbers")

    def __init__(self) -> None:
        self.numbers = [0] * len(NUMBERS)
        self._bins: Counts = {}
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def add(self, numbers: Iterable[int], bins: bytes) -> None:
        """What cells add up to: their numbers, and their bins one after the other."""
        self.numbers = [one + more for one, more in zip(self.numbers, numbers, strict=True)]
        self._waiting.append(bins)
        self._waiting_bytes += len(bins)
        if self._waiting_bytes > _AT_ONCE_BYTES:
            self._count()

    def _count(self) -> None:
        BINS.add(self._bins, self._waiting)
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


class Course(NamedTuple):
    peak: int
    """Most calls that began in one minute."""
    now: int
    """Those of the last full one, where it is in the span."""
    health: list[list[int]]
    """Calls and errors of each slice."""


class SumOfSpan(Sum):
    """Of some cells of one span."""

    __slots__ = ("_minutes", "_now_ms", "_span")

    def __init__(self, span: Range, now_ms: int) -> None:
        super().__init__()
        self._span = span
        self._now_ms = now_ms
        self._minutes: list[bytes] = []

    def add_minutes(self, minutes: bytes) -> None:
        """Those of cells one after the other."""
        self._minutes.append(minutes)

    def course(self) -> Course:
        """When its calls came."""
        minutes: Counts = {}
        MINUTES.add(minutes, self._minutes)
        health = [[0, 0] for _ in range(SLICES)]
        peak = 0
        from_ms, length_ms = self._span.from_ms, self._span.to_ms - self._span.from_ms
        for number, count in minutes.items():
            minute, kind = divmod(number, 2)
            if kind == CALLS_OF and count > peak:
                peak = count
            place = (minute * MINUTE_MS - from_ms) * SLICES // length_ms
            if 0 <= place < SLICES:
                health[place][kind] += count
        last = self._now_ms // MINUTE_MS - 1
        return Course(peak, minutes.get(last * 2 + CALLS_OF, 0), health)

    def attempts(self, *, made_there: bool) -> int:
        """Those that were made there, or those of its requests, wherever they were made."""
        return self.numbers[MADE if made_there else OF_REQUESTS]

    def answer(self, *, made_there: bool) -> dict[str, Any]:
        """As a row of statistics."""
        numbers = self.numbers
        judged = numbers[GOODS] + numbers[ERRORS]
        asked = sum(numbers[USAGE : USAGE + 4])
        course = self.course()
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
                "peak": course.peak,
                "mean": round(numbers[REQUESTS] * MINUTE_MS / past_ms, 3),
                "now": course.now,
            },
            "health": self._told(course.health),
        }

    def _told(self, health: list[list[int]]) -> list[dict[str, int]]:
        length_ms = self._span.to_ms - self._span.from_ms
        return [
            {"at_ms": self._span.from_ms + place * length_ms // SLICES, "requests": requests, "errors": errors}
            for place, (requests, errors) in enumerate(health)
        ]
