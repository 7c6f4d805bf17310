"""The request log, read by web processes: in threads, and SQLAlchemy comes with the first question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.core.request_log.filters import LogFilter
from app.storage.request_log.kept_row import LATEST_MS, PLACE_DIGITS, TIME_DIGITS, KeptRow
from app.storage.sql.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection


class RequestLog:
    """Each method raises DatabaseAway, DatabaseElsewhere and redis.RedisError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: LogFilter, after: str, limit: int) -> tuple[list[KeptRow], str]:
        """The latest rows that fit, at most so many, and the place of the last of them; empty when there are no more.

        `after`: such a place, from which on older ones are wanted; empty for the latest.
        """

        def read(connection: Connection) -> list[KeptRow]:
            from app.storage.sql.logs.pages import Place, read_page

            before = Place(int(after[:TIME_DIGITS]), int(after[TIME_DIGITS:])) if after else None
            return read_page(connection, wanted, before, limit + 1)

        found = self._database.run(read)
        return found[:limit], found[limit - 1].place if len(found) > limit else ""

    def count(self, wanted: LogFilter) -> tuple[int, bool]:
        """How many rows fit; whether there may be more, as nobody counts for ever."""

        def count(connection: Connection) -> tuple[int, bool]:
            from app.storage.sql.logs.pages import count_rows

            return count_rows(connection, wanted)

        return self._database.run(count)

    def of_request(self, request_id: str) -> list[KeptRow]:
        """The rows of one call, in the order of its attempts; none where nobody knows it any more."""

        def read(connection: Connection) -> list[KeptRow]:
            from app.storage.sql.logs.pages import read_request

            return read_request(connection, request_id)

        return self._database.run(read)


def is_place(text: str) -> bool:
    """Whether `RequestLog.page` may have given it."""
    return len(text) == PLACE_DIGITS and text.isascii() and text.isdecimal() and int(text[:TIME_DIGITS]) <= LATEST_MS
