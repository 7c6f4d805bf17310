"""The worker's hand on the request log: events go on to its writer as they came, in the ledger's one MULTI.

So each stands exactly once on the list from which its rows are written into the SQL database, whoever is killed; save
those above `STRANGERS_A_SECOND` that anybody can have us refuse, and those for which the list has no room.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from app.core.request_log.rows import UNKNOWN_CREDENTIALS
from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import SECOND_MS, believed_ms
from app.core.wording import counted
from app.storage.connections import LOG_LAST_ID, Redis
from app.storage.request_log import waiting
from app.storage.request_log.bundles import Bundling, ids_of, ids_of_one, rows_at
from app.storage.statistics.envelopes import Envelope, repack

log = logging.getLogger(__name__)

STRANGERS_A_SECOND: Final = 10
SECONDS_KNOWN: Final = 120
"""Web processes tell of one second at different times."""
TOLD_EVERY_S: Final = 60.0


class Booking(NamedTuple):
    """What one batch of envelopes changes."""

    bundles: list[bytes]
    rows: int
    """For so many there are ids in these."""
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

    def prepare(self, envelopes: Iterable[tuple[bytes, Envelope]], now_ms: int) -> Booking:
        """What is to be written of envelopes in the order in which they came: each as it was packed, and opened.

        Raises redis.RedisError.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(LOG_LAST_ID)
            waiting.ask_rows(pipe)
            found, *asked = pipe.execute()
        last_id = int(found or 0) or now_ms * 1000  # of a log that was lost none is given again
        room, dropped = waiting.room_beside(asked), 0
        making = Bundling(last_id + 1, now_ms)
        for packed, envelope in envelopes:
            wanted = [event for event in envelope.events if not self._is_one_too_many(event, now_ms)]
            ids = ids_of(wanted)
            fitting = wanted if ids <= room else _that_fit(wanted, room)
            if len(fitting) < len(envelope.events):
                packed = repack(envelope._replace(events=fitting))
                dropped += ids - ids_of(fitting)
                ids = ids_of(fitting)
            room -= ids
            making.add(packed, ids)
        self._tell(dropped)
        bundles = making.end()
        return Booking(bundles, making.next_id - 1 - last_id, dropped, making.next_id - 1)

    def _tell(self, dropped: int) -> None:
        """Once in a while, how many rows found no room."""
        self._dropped += dropped
        if self._dropped and time.monotonic() >= self._tells_s:
            text = "%s of the request log were dropped: %s wait for the SQL database already"
            log.error(text, counted(self._dropped, "row"), f"{waiting.MOST_WAITING:,}")
            self._dropped, self._tells_s = 0, time.monotonic() + TOLD_EVERY_S

    def _is_one_too_many(self, event: RequestEvent, now_ms: int) -> bool:
        if not _may_be_a_strangers(event):
            return False
        made = rows_at(event, now_ms)
        if not made or not made[-1].is_of_a_stranger:
            return False
        second = believed_ms(event.ended_at_ms, now_ms) // SECOND_MS
        count = self._strangers.get(second, 0) + 1
        self._strangers[second] = count
        if len(self._strangers) > SECONDS_KNOWN:
            del self._strangers[min(self._strangers)]
        return count > STRANGERS_A_SECOND

    @staticmethod
    def write(pipe: Any, booking: Booking) -> None:
        """Queues what `prepare` found, in an open MULTI."""
        if booking.bundles:
            waiting.queue_bundles(pipe, booking.bundles, booking.rows)
            pipe.set(LOG_LAST_ID, booking.last_id)
        if booking.dropped:
            waiting.queue_dropped(pipe, booking.dropped)


def _may_be_a_strangers(event: RequestEvent) -> bool:
    try:
        return bool(event.error_code) and event.error_code in UNKNOWN_CREDENTIALS
    except TypeError:  # what should be a text is none
        return False


def _that_fit(events: Iterable[RequestEvent], room: int) -> list[RequestEvent]:
    """Whole calls."""
    found = []
    for event in events:
        ids = ids_of_one(event)
        if ids <= room:
            room -= ids
            found.append(event)
    return found
