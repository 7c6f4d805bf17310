"""Which units a span is read from, and when points begin."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import HOUR_MS, QUARTER_MS
from app.core.statistics.sums.spans import DAY_MS, QUARTERS_KEPT_MS, Piece, covered, pieces, points

NOW_MS = 1_790_000_123_456
HOUR_OF_NOW_MS = NOW_MS - NOW_MS % HOUR_MS
OLD_MS = NOW_MS - 30 * DAY_MS
TIMES = st.integers(NOW_MS - 20 * DAY_MS, NOW_MS + DAY_MS)


def ms(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@given(TIMES, st.integers(1, 12 * DAY_MS), st.booleans(), st.lists(TIMES, max_size=3))
def test_pieces_cover_their_span_once_with_what_is_kept(
    from_ms: int, length_ms: int, is_named: bool, cuts: list[int]
) -> None:
    """No piece is of quarters that are gone, none begins within a unit, and cuts fall between units where they may."""
    span = covered(Range(from_ms, from_ms + length_ms), NOW_MS, is_named=is_named)
    cuts = [cut - cut % QUARTER_MS for cut in cuts]
    found = pieces(span, NOW_MS, cuts)
    assert [piece.from_ms for piece in found] + [span.to_ms] == [span.from_ms] + [piece.to_ms for piece in found] or (
        span.from_ms >= span.to_ms
    )
    for piece in found:
        assert piece.from_ms % piece.unit_ms == piece.to_ms % piece.unit_ms == 0
        assert piece.unit_ms == HOUR_MS or piece.from_ms >= NOW_MS - QUARTERS_KEPT_MS
        if piece.unit_ms == HOUR_MS and piece.from_ms >= NOW_MS - QUARTERS_KEPT_MS + HOUR_MS:
            assert not any(cut % HOUR_MS for cut in cuts if piece.from_ms < cut < piece.to_ms)


def test_a_span_takes_in_the_units_that_it_touches() -> None:
    span = covered(Range(HOUR_OF_NOW_MS + 1, HOUR_OF_NOW_MS + 2), NOW_MS, is_named=False)
    assert span == Range(HOUR_OF_NOW_MS, HOUR_OF_NOW_MS + QUARTER_MS)
    assert pieces(span, NOW_MS) == [Piece(QUARTER_MS, *span)]
    old = covered(Range(OLD_MS, OLD_MS + 1), NOW_MS, is_named=False)
    assert (old.from_ms, old.to_ms - old.from_ms) == (OLD_MS - OLD_MS % HOUR_MS, HOUR_MS)


def test_full_hours_are_read_as_such_and_edges_by_quarters() -> None:
    span = Range(HOUR_OF_NOW_MS - 3 * HOUR_MS - QUARTER_MS, HOUR_OF_NOW_MS + 2 * QUARTER_MS)
    assert pieces(span, NOW_MS) == [
        Piece(QUARTER_MS, span.from_ms, HOUR_OF_NOW_MS - 3 * HOUR_MS),
        Piece(HOUR_MS, HOUR_OF_NOW_MS - 3 * HOUR_MS, HOUR_OF_NOW_MS),
        Piece(QUARTER_MS, HOUR_OF_NOW_MS, span.to_ms),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
def test_days_one_after_the_other_count_nothing_twice(zone: str) -> None:
    """Where hours are left only, also in zones whose days begin within one; and where clocks are put forward."""
    begins = points(Range(ms("2026-03-01", zone), ms("2026-04-10", zone)), "day", zone, 100)
    assert len(begins) == 40
    days = [covered(Range(*edges), NOW_MS, is_named=True) for edges in pairwise(begins)]
    assert all(one.to_ms == other.from_ms for one, other in pairwise(days))


def test_points_are_marks_of_the_clock_on_the_wall() -> None:
    """The first holds the begin of the span. A day in which clocks are put forward has 23 hours."""
    new_york = Range(ms("2026-03-08T00:20", "America/New_York"), ms("2026-03-09", "America/New_York"))
    hours = points(new_york, "hour", "America/New_York", 100)
    assert hours[0] == ms("2026-03-08", "America/New_York")
    assert len(hours) == 23
    kathmandu = Range(ms("2026-03-08T05:50", "Asia/Kathmandu"), ms("2026-03-08T07:01", "Asia/Kathmandu"))
    told = [ms(f"2026-03-08T0{hour}:00", "Asia/Kathmandu") for hour in (5, 6, 7)]
    assert points(kathmandu, "hour", "Asia/Kathmandu", 100) == told
    lord_howe = Range(ms("2026-04-05", "Australia/Lord_Howe"), ms("2026-04-06", "Australia/Lord_Howe"))
    found = points(lord_howe, "hour", "Australia/Lord_Howe", 100)
    assert {later - at for at, later in pairwise(found)} == {HOUR_MS, HOUR_MS // 2}
    assert points(lord_howe, "day", "Australia/Lord_Howe", 100) == [lord_howe.from_ms]


@pytest.mark.parametrize("bucket", ["hour", "day"])
def test_too_many_points_are_noticed_soon(bucket: str) -> None:
    """And others have their turn after each: a day takes long to find."""
    turns: list[int] = []
    assert len(points(Range(0, NOW_MS), bucket, "Europe/Berlin", 50, lambda: turns.append(1))) == 51
    assert len(turns) == 51
