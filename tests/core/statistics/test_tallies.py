"""Tallies: exact sums, percentiles that are near enough."""

from __future__ import annotations

import math
import random
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.statistics.events import CLIENT_GONE, RequestEvent
from app.core.statistics.tallies import RELATIVE_ERROR, SMALLEST_MS, Tally, bin_of, duration_of, percentiles


def event(**changes: object) -> RequestEvent:
    plain = RequestEvent("id", 1_700_000_000_000, "/openai", "POST", 200, "", 10, 20, 12.5, 3.25)
    return plain._replace(**changes)


def tally_of(*events: RequestEvent) -> Tally:
    tally = Tally()
    for one in events:
        tally.add(one)
    return tally


@given(st.floats(SMALLEST_MS, 1e9))
def test_a_bin_stands_for_its_members(duration_ms: float) -> None:
    """The duration that stands for a bin is at most the stated relative error, under 5 %, from each member."""
    assert RELATIVE_ERROR < 0.05
    assert abs(duration_of(bin_of(duration_ms)) / duration_ms - 1) <= RELATIVE_ERROR + 1e-9


@pytest.mark.parametrize("sigma", [0.1, 1.0, 2.5])
def test_percentiles_are_near_the_exact_ones(sigma: float) -> None:
    """p50, p95 and p99 lie within 5 % of the nearest-rank percentiles of the same durations."""
    dice = random.Random(7)
    durations = sorted(dice.lognormvariate(6, sigma) + SMALLEST_MS for _ in range(5000))
    described = tally_of(*(event(duration_ms=duration) for duration in durations)).describe()["duration_ms"]
    for name, rank in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
        assert described[name] == pytest.approx(durations[ceil(rank * 5000) - 1], rel=0.05)
    assert described["avg"] == pytest.approx(sum(durations) / 5000, abs=0.01)


def test_one_duration_is_every_percentile() -> None:
    """With a single request all percentiles are its duration."""
    assert percentiles({bin_of(100.0): 1}, (0.5, 0.95, 0.99)) == [pytest.approx(100, rel=0.05)] * 3


def test_what_was_merged_can_be_subtracted() -> None:
    """Subtracting what was merged leaves exactly what was there, empty bins included."""
    dice = random.Random(3)
    events = [event(duration_ms=dice.expovariate(0.01), first_byte_ms=dice.choice([None, 4.0])) for _ in range(300)]
    whole, part = tally_of(*events), tally_of(*events[100:])
    whole.subtract(part)
    assert whole.encode() == tally_of(*events[:100]).encode()


def test_tallies_survive_storage() -> None:
    """decode() gives back what encode() was given."""
    tally = tally_of(event(), event(status=500, first_byte_ms=None, duration_ms=0.0))
    assert Tally.decode(tally.encode()).encode() == tally.encode()
    assert Tally.decode(tally.encode()).describe() == tally.describe()


def test_requests_without_a_first_byte_have_no_figure() -> None:
    """Where no upstream answered, the time to the first byte is null and not zero."""
    described = tally_of(event(first_byte_ms=None)).describe()
    assert described["first_byte_ms"] == {"avg": None, "p50": None, "p95": None, "p99": None}
    assert described["duration_ms"]["avg"] == 12.5


def test_a_client_that_left_is_no_error() -> None:
    """A request that its client gave up counts as request and not as error."""
    tally = tally_of(event(status=499, error_code=CLIENT_GONE), event(status=502), event(error_code="idle_timeout"))
    assert (tally.requests, tally.errors) == (3, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_ms": "long"},
        {"duration_ms": math.nan},
        {"first_byte_ms": math.inf},
        {"request_bytes": None},
        {"status": "ok"},
        {"ended_at_ms": None},
    ],
)
def test_figures_that_are_none_count_nothing(changes: dict[str, object]) -> None:
    """An event whose figures are no numbers is refused whole."""
    tally = Tally()
    with pytest.raises((TypeError, ValueError)):
        tally.add(event(**changes))
    assert tally.encode() == Tally().encode()


def test_absurd_figures_are_bounded() -> None:
    """Negative or gigantic figures, from a clock that jumped, do not spoil the sums for ever."""
    tally = tally_of(event(duration_ms=-5.0, request_bytes=-1), event(duration_ms=1e300, response_bytes=1 << 80))
    assert tally.request_bytes == 10
    assert Tally.decode(tally.encode()).encode() == tally.encode()
