"""The worker's hand on the request log: rows go in with the events that they are made of, in the ledger's one MULTI.

So each stands exactly once on the list from which they are written into the SQL database, whoever is killed; save those
above `STRANGERS_A_SECOND` that anybody can have us refuse.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.core.request_log.rows import LogRow, rows_of
from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import SECOND_MS, believed_ms
from app.core.wording import counted
from app.storage.connections import LOG_LAST_ID, LOG_WAITING, Redis
from app.storage.request_log import waiting

log = logging.getLogger(__name__)

STRANGERS_A_SECOND: Final = 10
SECONDS_KNOWN: Final = 120
"""Web processes tell of one second at different times."""
TOLD_EVERY_S: Final = 60.0
AT_ONCE: Final = 1_000
"""So many rows go into one command."""


class Booking(NamedTuple):
    """What one batch of events changes."""

    rows: list[bytes]
    """As they wait to be written."""
    dropped: int
    """For so many there is no room to wait."""
    last_id: int


class LogBook:
    """Of one process. Whoever uses it watches the ledger's cursor, so that nobody else books meanwhile."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client
        self._strangers: dict[int, int] = {}
        """How many calls of strangers ended in each of the latest seconds in which some did."""
        self._dropped = 0
        self._tells_s = 0.0

    def prepare(self, events: Sequence[RequestEvent], now_ms: int) -> Booking:
        """What is to be written of events in the order in which they came. Raises redis.RedisError."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(LOG_LAST_ID)
            pipe.llen(LOG_WAITING)
            last_id, length = pipe.execute()
        id = int(last_id or 0) or now_ms * 1000  # of a log that was lost none is given again
        room, dropped = waiting.MOST_WAITING - length, 0
        rows: list[bytes] = []
        for event in events:
            made = self._rows_of(event, now_ms)
            try:
                bodies = [orjson.dumps(tuple(row)) for row in made]
            except TypeError:  # a text that is none; the call is counted all the same
                continue
            if len(rows) + len(bodies) > room:
                dropped += len(bodies)
                id += len(bodies)
                continue
            for body in bodies:
                id += 1
                rows.append(waiting.packed(body, id))
        self._tell(dropped)
        return Booking(rows, dropped, id)

    def _tell(self, dropped: int) -> None:
        """Once in a while, how many rows found no room."""
        self._dropped += dropped
        if self._dropped and time.monotonic() >= self._tells_s:
            text = "%s of the request log were dropped: %s wait for the SQL database already"
            log.error(text, counted(self._dropped, "row"), f"{waiting.MOST_WAITING:,}")
            self._dropped, self._tells_s = 0, time.monotonic() + TOLD_EVERY_S

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
        for at in range(0, len(booking.rows), AT_ONCE):
            pipe.rpush(LOG_WAITING, *booking.rows[at : at + AT_ONCE])
        if booking.dropped:
            waiting.queue_dropped(pipe, booking.dropped)
        if booking.rows or booking.dropped:
            pipe.set(LOG_LAST_ID, booking.last_id)
