"""Days and months turn at midnight by the clock on the wall, wherever that is and whatever is done to clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from app.core.channels.time_zones import zone_of
from app.core.money.periods import edges_of
from tests.support.budgets import at

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("zone", "moment", "begins", "ends"),
    [
        ("UTC", "2026-03-05T12:00:00+00:00", "2026-03-05T00:00:00+00:00", "2026-03-06T00:00:00+00:00"),
        ("", "2026-03-05T00:00:00+00:00", "2026-03-05T00:00:00+00:00", "2026-03-06T00:00:00+00:00"),
        ("Asia/Kathmandu", "2026-03-05T18:14:59+00:00", "2026-03-04T18:15:00+00:00", "2026-03-05T18:15:00+00:00"),
        ("Asia/Kathmandu", "2026-03-05T18:15:00+00:00", "2026-03-05T18:15:00+00:00", "2026-03-06T18:15:00+00:00"),
        ("America/New_York", "2026-03-08T12:00:00-04:00", "2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"),
        ("America/New_York", "2026-11-01T12:00:00-05:00", "2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"),
        # In Santiago clocks leap from midnight to one, and in April from midnight back to eleven.
        ("America/Santiago", "2025-09-07T12:00:00-03:00", "2025-09-07T01:00:00-03:00", "2025-09-08T00:00:00-03:00"),
        ("America/Santiago", "2025-09-06T23:59:59-04:00", "2025-09-06T00:00:00-04:00", "2025-09-07T01:00:00-03:00"),
        ("America/Santiago", "2025-04-05T23:30:00-04:00", "2025-04-05T00:00:00-03:00", "2025-04-06T00:00:00-04:00"),
        # A whole day was left out.
        ("Pacific/Apia", "2011-12-29T12:00:00-10:00", "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"),
        # Clocks were put back from a minute after midnight to a minute after eleven: that day has begun.
        ("America/St_Johns", "2010-11-06T23:30:00-03:30", "2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30"),
    ],
)
def test_a_day_goes_from_its_first_instant_to_that_of_the_next(zone: str, moment: str, begins: str, ends: str) -> None:
    """Midnight; where that does not exist, the first instant of the day."""
    edges = edges_of(zone, at(moment))
    assert edges.days[1:3] == (at(begins), at(ends))
    assert edges.hold(at(moment))


@pytest.mark.parametrize(
    ("zone", "moment", "begins", "ends"),
    [
        ("Asia/Kathmandu", "2026-12-31T23:59:59+05:45", "2026-12-01T00:00:00+05:45", "2027-01-01T00:00:00+05:45"),
        ("America/New_York", "2026-11-30T23:00:00-05:00", "2026-11-01T00:00:00-04:00", "2026-12-01T00:00:00-05:00"),
        ("America/Santiago", "2026-02-28T23:59:59-03:00", "2026-02-01T00:00:00-03:00", "2026-03-01T00:00:00-03:00"),
    ],
)
def test_a_month_goes_from_its_first_day_to_that_of_the_next(zone: str, moment: str, begins: str, ends: str) -> None:
    """Also where clocks are changed within it."""
    assert edges_of(zone, at(moment)).months[1:3] == (at(begins), at(ends))


@pytest.mark.parametrize("zone", ["America/Santiago", "Asia/Kathmandu", "America/New_York", "Africa/Cairo"])
def test_days_follow_each_other_without_a_gap(zone: str) -> None:
    """Through two years, at any time of the day, each moment lies in one day: that of the clock on the wall."""
    moment_ms = at("2024-12-30T00:07:00+00:00")
    end_ms = moment_ms + 2 * 365 * DAY_MS
    while moment_ms < end_ms:
        edges = edges_of(zone, moment_ms)
        assert edges.hold(moment_ms)
        local = datetime.fromtimestamp(moment_ms / 1000, zone_of(zone))
        first = datetime.fromtimestamp(edges.days[1] / 1000, zone_of(zone))
        assert first.date() == local.date()
        assert all(22 * HOUR_MS < after - before < 26 * HOUR_MS for before, after in pairwise(edges.days))
        assert edges_of(zone, edges.days[2]).days[1] == edges.days[2]
        assert edges.months[1] <= moment_ms < edges.months[2]
        moment_ms += 17 * HOUR_MS


def test_edges_stand_around_the_moment() -> None:
    """The day before, that of the moment, and the two after it; months alike."""
    edges = edges_of("UTC", at("2026-01-01T05:00:00+00:00"))
    days = [datetime(2025, 12, 31, tzinfo=UTC) + timedelta(days=place) for place in range(4)]
    assert edges.days == tuple(int(day.timestamp() * 1000) for day in days)
    assert [datetime.fromtimestamp(month / 1000, UTC).isoformat()[:10] for month in edges.months] == [
        "2025-12-01",
        "2026-01-01",
        "2026-02-01",
        "2026-03-01",
    ]


def test_a_zone_that_does_not_exist_is_refused() -> None:
    """As elsewhere."""
    with pytest.raises(ValueError, match="names no time zone"):
        edges_of("Mars/Olympus", 0)
