"""Spans by their names, by the days of a time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.core.errors import Invalid
from app.core.statistics.ranges import Range, range_of

NEW_YORK = "America/New_York"


def ms(text: str, zone: str = NEW_YORK) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("name", "begins", "ends"),
    [
        ("today", "2026-03-11", "2026-03-12"),
        ("yesterday", "2026-03-10", "2026-03-11"),
        ("this_week", "2026-03-09", "2026-03-12"),
        ("last_week", "2026-03-02", "2026-03-09"),
        ("this_month", "2026-03-01", "2026-04-01"),
        ("last_month", "2026-02-01", "2026-03-01"),
    ],
)
def test_days_weeks_and_months_are_those_of_the_zone(name: str, begins: str, ends: str) -> None:
    """A Wednesday night, when it is Thursday in UTC; within the week before the clocks were put forward."""
    assert range_of(name, ms("2026-03-11T23:30"), NEW_YORK) == Range(ms(begins), ms(ends))


def test_hours_and_bounds_know_no_days() -> None:
    """Hours end with the quarter, or hour, that has begun."""
    quarter_ms, hour_ms = 900_000, 3_600_000
    assert range_of("24h", 90_000_000, NEW_YORK) == Range(5 * quarter_ms, 101 * quarter_ms)
    assert range_of("30d", 721 * hour_ms - 1, NEW_YORK) == Range(hour_ms, 721 * hour_ms)
    assert range_of("5-9", 90_000_000, NEW_YORK) == Range(5, 9)


def test_a_monday_begins_its_week() -> None:
    assert range_of("this_week", ms("2026-03-09T00:00"), NEW_YORK) == Range(ms("2026-03-09"), ms("2026-03-10"))


@pytest.mark.parametrize("text", ["", "tomorrow", "9-5", "5-5", "-5", "1-2-3"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as wrong:
        range_of(text, 0, "UTC")
    assert wrong.value.field == "range"
