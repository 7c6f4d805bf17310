"""In which day and month of a time zone a moment lies, and when those turn.

A day begins at midnight by the clock on the wall; where clocks leap over that, with its first instant. Where they are
put back over it, with the first of the two midnights: what has begun once does not begin again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from app.core.channels.time_zones import zone_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_FARTHEST_MS: Final = 27 * 3_600_000
"""No clock on a wall differs by more from UTC's, a whole day that was left out included."""


class Edges(NamedTuple):
    """When days and months begin around a moment, in ms since the epoch."""

    days: tuple[int, int, int, int]
    """The day before, that of the moment, the two after it."""
    months: tuple[int, int, int, int]
    """The same of months."""

    def hold(self, at_ms: int) -> bool:
        """Whether a moment lies in the same day as that for which they were made."""
        return self.days[1] <= at_ms < self.days[2]


def edges_of(time_zone: str, at_ms: int) -> Edges:
    """Around a moment, by the clocks of an IANA zone (empty: UTC). Raises ValueError for one that does not exist."""
    zone = zone_of(time_zone)
    today = _day_at(at_ms, zone)
    # Clocks that were put back over midnight show yesterday again, and a day may be left out.
    while at_ms >= _begin_ms(today + timedelta(days=1), zone):
        today += timedelta(days=1)
    days = [_begin_ms(today + timedelta(days=place), zone) for place in (-1, 0, 1, 2)]
    months = [_begin_ms(_month(today, place), zone) for place in (-1, 0, 1, 2)]
    return Edges((days[0], days[1], days[2], days[3]), (months[0], months[1], months[2], months[3]))


def _month(day: date, later: int) -> date:
    """The first day of the month that is so many later."""
    months = day.year * 12 + day.month - 1 + later
    return date(months // 12, months % 12 + 1, 1)


def _begin_ms(day: date, zone: tzinfo) -> int:
    """The first instant at which it is this day, or a later one, in the zone."""
    midnight_ms = (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MS
    if _day_at(midnight_ms, zone) >= day > _day_at(midnight_ms - 1, zone):
        return midnight_ms
    before_ms, after_ms = midnight_ms - _FARTHEST_MS, midnight_ms + _FARTHEST_MS
    while after_ms - before_ms > 1:
        middle_ms = (before_ms + after_ms) // 2
        if _day_at(middle_ms, zone) < day:
            before_ms = middle_ms
        else:
            after_ms = middle_ms
    return after_ms


def _day_at(at_ms: int, zone: tzinfo) -> date:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).date()
