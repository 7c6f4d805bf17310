"""Spans of time by their names, as statistics are asked for."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple

from app.core.channels.time_zones import zone_of
from app.core.errors import Invalid
from app.core.money.periods import edges_of

HOUR_MS: Final = 3_600_000
NAMES: Final = "today yesterday this_week last_week this_month last_month 24h 7d 30d".split()
QUARTER_MS: Final = HOUR_MS // 4
_ROLLING: Final = {
    "24h": (24 * HOUR_MS, QUARTER_MS),
    "7d": (7 * 24 * HOUR_MS, QUARTER_MS),
    "30d": (30 * 24 * HOUR_MS, HOUR_MS),
}
"""How long each is, and with the end of which unit it ends: that in which now lies."""
_BOUNDS = re.compile(r"(\d{1,15})-(\d{1,15})", re.ASCII)


class Range(NamedTuple):
    """In ms since the epoch."""

    from_ms: int
    to_ms: int
    """Exclusive."""


def is_named(text: str) -> bool:
    """Whether it is called by a name, and not by its bounds."""
    return text in NAMES


def range_of(text: str, now_ms: int, time_zone: str) -> Range:
    """What a name, or `<from_ms>-<to_ms>`, means now, by the days of a time zone. Raises Invalid."""
    if text in _ROLLING:
        length_ms, unit_ms = _ROLLING[text]
        to_ms = -(-(now_ms + 1) // unit_ms) * unit_ms
        return Range(to_ms - length_ms, to_ms)
    if bounds := _BOUNDS.fullmatch(text):
        found = Range(int(bounds[1]), int(bounds[2]))
        if found.from_ms >= found.to_ms:
            raise Invalid(f"range must begin before it ends, not {text!r}", "range")
        return found
    edges = edges_of(time_zone, now_ms)
    match text:
        case "today":
            return Range(edges.days[1], edges.days[2])
        case "yesterday":
            return Range(edges.days[0], edges.days[1])
        case "this_month":
            return Range(edges.months[1], edges.months[2])
        case "last_month":
            return Range(edges.months[0], edges.months[1])
        case "this_week" | "last_week":
            monday_ms = _monday_ms(edges.days[1], time_zone)
            if text == "this_week":
                return Range(monday_ms, edges.days[2])
            return Range(_days_before(monday_ms, 7, time_zone), monday_ms)
    raise Invalid(f"range must be one of {', '.join(NAMES)}, or <from_ms>-<to_ms>, not {text[:40]!r}", "range")


def _monday_ms(today_ms: int, time_zone: str) -> int:
    weekday = datetime.fromtimestamp(today_ms / 1000, zone_of(time_zone)).weekday()
    return _days_before(today_ms, weekday, time_zone)


def _days_before(day_ms: int, days: int, time_zone: str) -> int:
    """The begin of the day that is so many before the one that begins then."""
    for _ in range(days):
        day_ms = edges_of(time_zone, day_ms - 1).days[1]
    return day_ms
