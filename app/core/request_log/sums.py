"""What rows of the request log add up to: one row of the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any, Final

from app.core.judging.outcome import Outcome
from app.core.money.amounts import show_usd
from app.core.request_log.rows import LogRow
from app.core.statistics.ranges import Range
from app.core.usage import ESTIMATED, NOT_TOLD, REPORTED, Usage

SLICES: Final = 48
MINUTE_MS: Final = 60_000
GOOD: Final = frozenset({Outcome.OK.value, Outcome.ANSWERED_HERE.value})
NEITHER: Final = frozenset(
    {Outcome.CLIENT_GONE.value, Outcome.REFUSED.value, Outcome.ENDED.value, Outcome.INTERRUPTED.value}
)
_COUNTS: Final = ("input", "cached", "cache_write_5m", "cache_write_1h", "output", "reasoning")


class RowSums:
    """Of the rows of one span, in any order. Calls are counted by their final rows, attempts by all."""

    def __init__(self, span: Range, now_ms: int) -> None:
        self._span = span
        self._now_ms = now_ms
        self._requests = self._errors = self._good = self._attempts = self._of_last_minute = 0
        self._nano = 0
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._sources: set[str] = set()
        self._times: dict[str, list[float]] = {"first_byte_ms": [], "first_content_ms": [], "duration_ms": []}
        self._minutes: Counter[int] = Counter()
        self._slices = [[0, 0] for _ in range(SLICES)]

    def add(self, rows: Iterable[LogRow]) -> None:
        for row in rows:
            if row.attempt:
                self._attempts += 1
            if row.final:
                self._add_call(row)

    def _add_call(self, row: LogRow) -> None:
        self._requests += 1
        is_error = row.outcome not in GOOD and row.outcome not in NEITHER
        self._errors += is_error
        self._good += row.outcome in GOOD
        self._nano += row.cost_nano or 0
        if row.usage is not None:
            self._add_usage(Usage(*row.usage[: len(Usage._fields)]))
        for name, values in self._times.items():
            value = getattr(row, name)
            if value is not None:
                values.append(value)
        self._minutes[row.at_ms // MINUTE_MS] += 1
        self._of_last_minute += self._now_ms - MINUTE_MS < row.at_ms <= self._now_ms
        place = (row.at_ms - self._span.from_ms) * SLICES // (self._span.to_ms - self._span.from_ms)
        if 0 <= place < SLICES:
            self._slices[place][0] += 1
            self._slices[place][1] += is_error

    def _add_usage(self, usage: Usage) -> None:
        self._sources.add(usage.source)
        for name in _COUNTS:
            self._counts[name] += getattr(usage, name) or 0

    def answer(self) -> dict[str, Any]:
        """As the API answers it."""
        judged = self._good + self._errors
        counts = self._counts
        asked = counts["input"] + counts["cached"] + counts["cache_write_5m"] + counts["cache_write_1h"]
        told = REPORTED if self._sources == {REPORTED} else ESTIMATED
        is_known = bool(self._sources - {NOT_TOLD})
        span_ms = max(MINUTE_MS, min(self._span.to_ms, self._now_ms) - self._span.from_ms)
        return {
            "requests": self._requests,
            "errors": self._errors,
            "success_rate": round(self._good / judged, 4) if judged else None,
            "usage": {
                **(counts if is_known else dict.fromkeys(_COUNTS)),
                "source": told if is_known else NOT_TOLD,
                "other": {},
            },
            "cost_usd": show_usd(self._nano),
            **{name: _percentiles(values) for name, values in self._times.items()},
            "attempts": self._attempts,
            "cache_hit_share": round(counts["cached"] / asked, 4) if asked else None,
            "rpm": {
                "peak": max(self._minutes.values(), default=0),
                "mean": round(self._requests * MINUTE_MS / span_ms, 3),
                "now": self._of_last_minute,
            },
            "health": self._health(),
        }

    def _health(self) -> list[dict[str, int]]:
        length_ms = self._span.to_ms - self._span.from_ms
        return [
            {"at_ms": self._span.from_ms + place * length_ms // SLICES, "requests": requests, "errors": errors}
            for place, (requests, errors) in enumerate(self._slices)
        ]


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """By the nearest rank; null where nothing was measured."""
    if not values:
        return {"p50": None, "p95": None, "p99": None}
    ranked = sorted(values)
    return {f"p{share}": round(ranked[ceil(len(ranked) * share / 100) - 1], 1) for share in (50, 95, 99)}
