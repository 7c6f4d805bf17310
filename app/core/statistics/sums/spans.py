"""Which quarters and hours a span is read from, and when the points of a series begin.

Quarters are kept for 8 days, hours for 400. A span takes in every unit that it touches; where a day's begin is no full
hour and its quarters are gone, an hour counts to the day in which it begins. So an answer says which span it covers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from app.core.channels.time_zones import zone_of
from app.core.money.periods import edges_of
from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import HOUR_MS, MINUTE_MS, QUARTER_MS

DAY_MS: Final = 24 * HOUR_MS
QUARTERS_KEPT_MS: Final = 8 * DAY_MS
HOURS_KEPT_MS: Final = 400 * DAY_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Piece(NamedTuple):
    """Units of one length, one after the other."""

    unit_ms: int
    from_ms: int
    to_ms: int
    """Exclusive."""


def covered(span: Range, now_ms: int, *, is_named: bool) -> Range:
    """What of a span is told, in whole units. `is_named`: where it ends the next one begins, as days do."""
    oldest_ms = _quarters_from(now_ms)
    from_unit_ms = QUARTER_MS if span.from_ms >= oldest_ms else HOUR_MS
    to_unit_ms = QUARTER_MS if span.to_ms >= oldest_ms else HOUR_MS
    from_ms = _up(span.from_ms, from_unit_ms) if is_named else _down(span.from_ms, from_unit_ms)
    return Range(from_ms, _up(span.to_ms, to_unit_ms))


def pieces(span: Range, now_ms: int, cuts: Sequence[int] = ()) -> list[Piece]:
    """Of what a covered span is put together; as few units as tell apart what is before and after each of the cuts."""
    oldest_ms = max(span.from_ms, min(_quarters_from(now_ms), span.to_ms))
    if any(cut % HOUR_MS for cut in cuts if cut > oldest_ms):
        return _some(Piece(HOUR_MS, span.from_ms, oldest_ms), Piece(QUARTER_MS, oldest_ms, span.to_ms))
    from_ms, to_ms = _up(span.from_ms, HOUR_MS), _down(span.to_ms, HOUR_MS)
    if from_ms >= to_ms:
        return _some(Piece(QUARTER_MS, *span))
    return _some(
        Piece(QUARTER_MS, span.from_ms, from_ms), Piece(HOUR_MS, from_ms, to_ms), Piece(QUARTER_MS, to_ms, span.to_ms)
    )


def points(span: Range, bucket: str, time_zone: str, most: int, pause: Callable[[], None] = lambda: None) -> list[int]:
    """When the hours or days of a time zone begin that a span touches; of more than `most`, one more than that.

    `pause` is called after each: it may let others run.
    """
    begins = _days(span, time_zone) if bucket == "day" else _hours(span, time_zone)
    found: list[int] = []
    for at_ms in begins:
        found.append(at_ms)
        pause()
        if len(found) > most:
            break
    return found


def _days(span: Range, time_zone: str) -> Iterator[int]:
    at_ms = span.from_ms
    while at_ms < span.to_ms:
        edges = edges_of(time_zone, at_ms)
        yield edges.days[1]
        at_ms = edges.days[2]


def _hours(span: Range, time_zone: str) -> Iterator[int]:
    """As the clock on the wall shows them, which may be put by less than an hour."""
    zone = zone_of(time_zone)
    at_ms = span.from_ms
    while at_ms < span.to_ms:
        minute = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).minute
        at_ms = _down(at_ms, MINUTE_MS) - minute * MINUTE_MS
        yield at_ms
        at_ms += HOUR_MS


def _quarters_from(now_ms: int) -> int:
    """From when on quarters are read: a full hour."""
    return _up(now_ms - QUARTERS_KEPT_MS, HOUR_MS)


def _some(*found: Piece) -> list[Piece]:
    return [piece for piece in found if piece.from_ms < piece.to_ms]


def _up(ms: int, unit_ms: int) -> int:
    return -(-ms // unit_ms) * unit_ms


def _down(ms: int, unit_ms: int) -> int:
    return ms // unit_ms * unit_ms
