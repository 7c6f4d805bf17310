"""When in a day a channel may serve, by the clock on the wall of its time zone, daylight saving included."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from app.core.channels.time_zones import zone_of
from app.core.model import Hours

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)(?:\s+(\S+))?", re.ASCII)
_DAY_MINUTES = 1440
_MINUTE_MS = 60_000
_LONGEST_DAY_MS = 26 * 60 * _MINUTE_MS
"""Within it each edge of a day comes, also on the day on which clocks go back."""


def parse_hours(text: str) -> Hours | None:
    """`08:00-23:30`, or `22:00-06:00 Asia/Shanghai`; None for an empty text. Raises ValueError, which says how."""
    text = text.strip()
    if not text:
        return None
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(
            f"must be like '08:00-23:30', or with a time zone like '22:00-06:00 Asia/Shanghai', not {text!r}"
        )
    zone_of(found[5] or "")
    end_minute = int(found[3]) * 60 + int(found[4]) if found[3] else _DAY_MINUTES
    return Hours(int(found[1]) * 60 + int(found[2]), end_minute, found[5] or "")


def is_open(hours: Hours | None, now_ms: int, time_zone: str) -> bool:
    """Whether a channel may serve now: from the first minute to before the last; `time_zone` is the gateway's."""
    if hours is None or _is_all_day(hours):
        return True
    zone = zone_of(hours.time_zone or time_zone)
    return _is_open_at(hours, _minute_of_day(now_ms, zone))


def next_change_ms(hours: Hours | None, now_ms: int, time_zone: str) -> int | None:
    """When `is_open` is next another than now; None for never."""
    if hours is None or _is_all_day(hours):
        return None
    zone = zone_of(hours.time_zone or time_zone)
    opened = _is_open_at(hours, _minute_of_day(now_ms, zone))
    for edge_ms in _edges_ms(hours, now_ms, zone):
        if _is_open_at(hours, _minute_of_day(edge_ms, zone)) != opened:
            return edge_ms
    return None  # a day on which clocks leap over all of the hours


def _is_all_day(hours: Hours) -> bool:
    return (hours.end_minute - hours.begin_minute) % _DAY_MINUTES == 0


def _is_open_at(hours: Hours, minute: int) -> bool:
    if hours.begin_minute < hours.end_minute:
        return hours.begin_minute <= minute < hours.end_minute
    return minute >= hours.begin_minute or minute < hours.end_minute


def _local(at_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, zone)


def _minute_of_day(at_ms: int, zone: tzinfo) -> int:
    local = _local(at_ms, zone)
    return local.hour * 60 + local.minute


def _offset_ms(at_ms: int, zone: tzinfo) -> int:
    return int((_local(at_ms, zone).utcoffset() or timedelta(0)).total_seconds() * 1000)


def _edges_ms(hours: Hours, now_ms: int, zone: tzinfo) -> list[int]:
    """When it may open or close within the next day, in order: by the offsets then in force, and when clocks change."""
    end_ms = now_ms + _LONGEST_DAY_MS
    offsets = {_offset_ms(now_ms, zone), _offset_ms(end_ms, zone)}
    edges = set() if len(offsets) == 1 else {_clock_change_ms(now_ms, end_ms, zone)}
    day_ms = _DAY_MINUTES * _MINUTE_MS
    for offset_ms in offsets:
        midnight_ms = (now_ms + offset_ms) // day_ms * day_ms - offset_ms
        for minute in (hours.begin_minute, hours.end_minute):
            first_ms = midnight_ms + minute * _MINUTE_MS
            edges |= {first_ms, first_ms + day_ms}
    return sorted(edge_ms for edge_ms in edges if now_ms < edge_ms <= end_ms)


def _clock_change_ms(before_ms: int, after_ms: int, zone: tzinfo) -> int:
    """When between the two, at which offsets differ, clocks are changed."""
    offset_ms = _offset_ms(before_ms, zone)
    while after_ms - before_ms > 1:
        middle_ms = (before_ms + after_ms) // 2
        if _offset_ms(middle_ms, zone) == offset_ms:
            before_ms = middle_ms
        else:
            after_ms = middle_ms
    return after_ms
