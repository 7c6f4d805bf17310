"""What many requests add up to: counts, sums and two histograms, small enough to keep one for every minute.

Everything is an integer, so tallies can be added and taken apart again in any order without drifting.
Durations go into a histogram whose bins grow by a tenth (`GROWTH`): a percentile read from it is at most
4.8 % away from the exact one ((GROWTH - 1) / (GROWTH + 1)), for durations from `SMALLEST_MS` upwards.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from math import ceil, isfinite, log
from typing import Any

import orjson

from app.core.statistics.events import RequestEvent
from app.core.statistics.outcomes import COUNTED, ERRORS, OK, OUTCOMES, outcome_of

GROWTH = 1.1
RELATIVE_ERROR = (GROWTH - 1) / (GROWTH + 1)
SMALLEST_MS = 0.1
"""Durations up to this one share bin 0."""
LONGEST_MS = 30 * 86_400_000.0
"""A longer duration is taken for a broken clock and counted as this one."""
LARGEST_BYTES = 1 << 48
"""A larger body is taken for a mistake; sums must fit into 64 bits."""

_LOG_GROWTH = log(GROWTH)

Bins = dict[int, int]


def bin_of(duration_ms: float) -> int:
    """The number of the bin that holds a duration."""
    if duration_ms <= SMALLEST_MS:
        return 0
    return ceil(log(duration_ms / SMALLEST_MS) / _LOG_GROWTH)


def duration_of(bin_number: int) -> float:
    """The duration in ms that stands for all those of a bin; no member is further off than RELATIVE_ERROR."""
    if bin_number == 0:
        return SMALLEST_MS
    return float(SMALLEST_MS * 2 * GROWTH**bin_number / (GROWTH + 1))


def percentiles(bins: Mapping[int, int], ranks: tuple[float, ...]) -> list[float]:
    """The durations in ms at or below which the given shares lie (nearest rank).

    `ranks` ascend; `bins` is not empty.
    """
    numbers = sorted(bins)
    seen = list(accumulate(map(bins.__getitem__, numbers)))
    total = seen[-1]
    return [round(duration_of(numbers[bisect_left(seen, max(1, ceil(rank * total)))]), 2) for rank in ranks]


class Tally:
    """The sum of some requests."""

    __slots__ = (
        "duration_bins",
        "duration_us",
        "errors",
        "first_byte_bins",
        "first_byte_us",
        "last_ms",
        "outcomes",
        "request_bytes",
        "requests",
        "response_bytes",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.duration_us = 0
        self.first_byte_us = 0
        self.last_ms = 0
        """When the latest of the requests ended; 0 when there was none."""
        self.outcomes = [0] * len(COUNTED)
        """Of COUNTED; what they and the sums above leave over went well, or is not known: `by_outcome`."""
        self.duration_bins: Bins = {}
        self.first_byte_bins: Bins = {}

    def add(self, event: RequestEvent) -> None:
        """Counts one request. Raises TypeError or ValueError, and counts nothing, if its figures are none."""
        duration_ms = _plausible(event.duration_ms)
        first_byte_ms = None if event.first_byte_ms is None else _plausible(event.first_byte_ms)
        request_bytes, response_bytes = _bytes(event.request_bytes), _bytes(event.response_bytes)
        outcome = outcome_of(event)
        ended_at_ms = int(event.ended_at_ms)
        if ended_at_ms > self.last_ms:
            self.last_ms = ended_at_ms
        self.requests += 1
        if outcome != OK:
            self.errors += outcome < ERRORS
            self.outcomes[outcome] += 1
        self.request_bytes += request_bytes
        self.response_bytes += response_bytes
        self.duration_us += round(duration_ms * 1000)
        number = bin_of(duration_ms)
        self.duration_bins[number] = self.duration_bins.get(number, 0) + 1
        if first_byte_ms is not None:
            self.first_byte_us += round(first_byte_ms * 1000)
            number = bin_of(first_byte_ms)
            self.first_byte_bins[number] = self.first_byte_bins.get(number, 0) + 1

    def merge(self, other: Tally) -> None:
        """Adds the requests of another tally."""
        self.requests += other.requests
        self.errors += other.errors
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes
        self.duration_us += other.duration_us
        self.first_byte_us += other.first_byte_us
        if other.last_ms > self.last_ms:
            self.last_ms = other.last_ms
        self.outcomes = [mine + more for mine, more in zip(self.outcomes, other.outcomes, strict=True)]
        _merge(self.duration_bins, other.duration_bins)
        _merge(self.first_byte_bins, other.first_byte_bins)

    def subtract(self, other: Tally) -> None:
        """Takes requests out that were merged before. `last_ms` stays: a maximum cannot be taken apart."""
        self.requests -= other.requests
        self.errors -= other.errors
        self.request_bytes -= other.request_bytes
        self.response_bytes -= other.response_bytes
        self.duration_us -= other.duration_us
        self.first_byte_us -= other.first_byte_us
        self.outcomes = [mine - fewer for mine, fewer in zip(self.outcomes, other.outcomes, strict=True)]
        _subtract(self.duration_bins, other.duration_bins)
        _subtract(self.first_byte_bins, other.first_byte_bins)

    def encode(self) -> bytes:
        """The tally as bytes for storage."""
        return orjson.dumps(
            [
                self.requests,
                self.errors,
                self.request_bytes,
                self.response_bytes,
                self.duration_us,
                self.first_byte_us,
                self.last_ms,
                list(self.duration_bins),
                list(self.duration_bins.values()),
                list(self.first_byte_bins),
                list(self.first_byte_bins.values()),
                self.outcomes,
            ]
        )

    @classmethod
    def decode(cls, encoded: bytes) -> Tally:
        """The reverse of encode(). What earlier versions stored tells no outcomes."""
        tally = cls()
        (
            tally.requests,
            tally.errors,
            tally.request_bytes,
            tally.response_bytes,
            tally.duration_us,
            tally.first_byte_us,
            tally.last_ms,
            duration_numbers,
            duration_counts,
            first_byte_numbers,
            first_byte_counts,
            *later,
        ) = orjson.loads(encoded)
        if later:
            tally.outcomes = later[0]
        tally.duration_bins = dict(zip(duration_numbers, duration_counts, strict=True))
        tally.first_byte_bins = dict(zip(first_byte_numbers, first_byte_counts, strict=True))
        return tally

    def by_outcome(self) -> dict[str, int]:
        """How many requests ended how, by OUTCOMES: they add up to the requests."""
        errors = sum(self.outcomes[:ERRORS])
        ok = self.requests - self.errors - sum(self.outcomes[ERRORS:])
        return dict(zip(OUTCOMES, (ok, *self.outcomes, self.errors - errors), strict=True))

    def describe(self) -> dict[str, Any]:
        """The tally as people read it: the part of `/stats` that a window says of an endpoint."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "duration_ms": _describe_durations(self.duration_us, self.duration_bins),
            "first_byte_ms": _describe_durations(self.first_byte_us, self.first_byte_bins),
        }


def requests_in(encoded: bytes) -> int:
    """How many requests an encoded tally counts."""
    return int(orjson.loads(encoded)[0])


def _describe_durations(sum_us: int, bins: Bins) -> dict[str, float | None]:
    if not bins:
        return dict.fromkeys(("avg", "p50", "p95", "p99"))
    p50, p95, p99 = percentiles(bins, (0.50, 0.95, 0.99))
    return {"avg": round(sum_us / sum(bins.values()) / 1000, 2), "p50": p50, "p95": p95, "p99": p99}


def _merge(bins: Bins, more: Bins) -> None:
    # The innermost loop of reading 62 days: as little in it as can be.
    if not bins:
        bins.update(more)
        return
    known = bins.get
    for number, count in more.items():
        bins[number] = known(number, 0) + count


def _subtract(bins: Bins, fewer: Bins) -> None:
    for number, count in fewer.items():
        bins[number] -= count
        if not bins[number]:
            del bins[number]


def _plausible(duration_ms: float) -> float:
    if 0.0 <= duration_ms <= LONGEST_MS:
        return duration_ms  # as nearly all are
    if not isfinite(duration_ms):
        raise ValueError("not a duration")
    return min(max(float(duration_ms), 0.0), LONGEST_MS)


def _bytes(count: int) -> int:
    if type(count) is int and 0 <= count <= LARGEST_BYTES:
        return count  # as nearly all are
    return min(max(int(count), 0), LARGEST_BYTES)
