"""The worker's hand on the request log: rows go in with the events that they are made of, in the ledger's one MULTI.

So each stands there exactly once, whoever is killed. All go onto the list from which they are written into the SQL
database, save those above `STRANGERS_A_SECOND` that anybody can have us refuse.
The log in Redis is bounded: the latest `MOST_ROWS`, of them at most `MOST_REFUSED` of calls that were refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.core.request_log.rows import LogRow, rows_of
from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import SECOND_MS, believed_ms
from app.storage.connections import (
    LOG_DROPPED,
    LOG_LAST_ID,
    LOG_REFUSED,
    LOG_ROWS,
    LOG_WAITING,
    Redis,
)
from app.storage.request_log import waiting
from app.storage.request_log.packed import mark

MOST_ROWS: Final = 10_000
MOST_REFUSED: Final = 2_000
STRANGERS_A_SECOND: Final = 10
SECONDS_KNOWN: Final = 120
"""Web processes tell of one second at different times."""
AT_ONCE: Final = 1_000
"""So many rows go into one command."""


class Booking(NamedTuple):
    """What one batch of events changes."""

    rows: list[bytes]
    refused: list[bytes]
    """Marks of those of the rows."""
    leaving: list[bytes]
    """Marks of refused ones that are too many."""
    last_id: int
    waiting: list[bytes]
    """Of all rows, as they wait to be written into the SQL database."""
    dropped: int
    """For so many there is no room to wait."""


class LogBook:
    """Of one process. Whoever uses it watches the ledger's cursor, so that nobody else books meanwhile."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client
        self._strangers: dict[int, int] = {}
        """How many calls of strangers ended in each of the latest seconds in which some did."""

    def prepare(self, events: Sequence[RequestEvent], now_ms: int) -> Booking:
        """What is to be written of events in the order in which they came. Raises redis.RedisError."""
        calls = [rows for event in events if (rows := self._rows_of(event, now_ms))]
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(LOG_LAST_ID)
            pipe.zcard(LOG_REFUSED)
            pipe.llen(LOG_WAITING)
            last_id, known, length = pipe.execute()
        shown = _shown(calls)
        room = waiting.MOST_WAITING - length
        id = int(last_id or 0) or now_ms * 1000  # of a log that was lost none is given again
        booking = Booking([], [], [], id, [], 0)
        dropped = 0
        for number, rows in enumerate(calls):
            try:
                bodies = [orjson.dumps(tuple(row)) for row in rows]
            except TypeError:  # a text that is none; the call is counted all the same
                continue
            has_room = len(booking.waiting) + len(rows) <= room
            for row, body in zip(rows, bodies, strict=True):
                id += 1
                if has_room:
                    booking.waiting.append(waiting.packed(body, id))
                if number in shown:
                    booking.rows.append(mark(row.at_ms, id) + body)
                    if row.is_refused:
                        booking.refused.append(mark(row.at_ms, id))
            dropped += 0 if has_room else len(rows)
        over = known + len(booking.refused) - MOST_REFUSED
        oldest = sorted([*self._redis.zrange(LOG_REFUSED, 0, over - 1), *booking.refused]) if over > 0 else []
        return booking._replace(leaving=oldest[: max(over, 0)], last_id=id, dropped=dropped)

    def _rows_of(self, event: RequestEvent, now_ms: int) -> list[LogRow]:
        try:
            ended_at_ms = believed_ms(event.ended_at_ms, now_ms)
            made = rows_of(event, ended_at_ms)
            is_too_many = made[-1].is_of_a_stranger and self._is_one_too_many(ended_at_ms // SECOND_MS)
            return [] if is_too_many else made
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
            return []  # no event of ours; that it is rejected is counted elsewhere

    def _is_one_too_many(self, second: int) -> bool:
        count = self._strangers.get(second, 0) + 1
        self._strangers[second] = count
        if len(self._strangers) > SECONDS_KNOWN:
            del self._strangers[min(self._strangers)]
        return count > STRANGERS_A_SECOND

    @staticmethod
    def write(pipe: Any, booking: Booking) -> None:
        """Queues what `prepare` found, in an open MULTI."""
        for at in range(0, len(booking.waiting), AT_ONCE):
            pipe.rpush(LOG_WAITING, *booking.waiting[at : at + AT_ONCE])
        if booking.dropped:
            pipe.incrby(LOG_DROPPED, booking.dropped)
        if not booking.rows:
            return
        for at in range(0, len(booking.rows), AT_ONCE):
            pipe.zadd(LOG_ROWS, dict.fromkeys(booking.rows[at : at + AT_ONCE], 0))
        if booking.refused:
            pipe.zadd(LOG_REFUSED, dict.fromkeys(booking.refused, 0))
        if booking.leaving:
            pipe.zremrangebyrank(LOG_REFUSED, 0, len(booking.leaving) - 1)
            for one in booking.leaving:
                pipe.zremrangebylex(LOG_ROWS, b"[" + one, b"(" + one + b"\xff")
        pipe.zremrangebyrank(LOG_ROWS, 0, -MOST_ROWS - 1)
        pipe.set(LOG_LAST_ID, booking.last_id)


def _shown(calls: Sequence[Sequence[LogRow]]) -> set[int]:
    """Places of those that are shown: as many of the latest as may stay in Redis."""
    places = set()
    total = refused = 0
    for place in range(len(calls) - 1, -1, -1):
        rows = calls[place]
        if rows[-1].is_refused and refused >= MOST_REFUSED:
            continue
        places.add(place)
        refused += rows[-1].is_refused
        total += len(rows)
        if total >= MOST_ROWS:
            break
    return places
