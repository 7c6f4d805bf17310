"""Sums for anybody who asks: each span is worked out at most once in a few seconds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from app.core.statistics.sums.question import Group, Question, TooMuch
from app.core.statistics.sums.sums import SumOfSpan
from app.storage.connections import RedisError
from app.storage.sql.database import Database
from app.storage.sql.errors import DatabaseAway, DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEPT_MS: Final = 10_000
PAUSE_MS: Final = 1_000
"""While nobody answers, how often somebody is asked; the others are told the same."""
MOST: Final = 50
"""Spans that are remembered: they are few, and change once a day."""


class Sums(NamedTuple):
    by_group: Mapping[Group, SumOfSpan]
    totals: SumOfSpan
    asked_ms: int


class _Failed(NamedTuple):
    error: Exception
    asked_ms: int


class LatestSums:
    """Of one web process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = threading.Lock()
        self._known: dict[tuple[object, ...], Sums] = {}
        self._failed: _Failed | None = None

    def read(self, asked: Question) -> Sums:
        """At most KEPT_MS old. Raises DatabaseAway, DatabaseElsewhere, redis.RedisError."""
        with self._asking:  # one asks, the others take what he finds
            key = (asked.span, asked.by)
            known = self._known.get(key)
            if known is not None and asked.now_ms - known.asked_ms < KEPT_MS:
                return known
            if self._failed is not None and asked.now_ms - self._failed.asked_ms < PAUSE_MS:
                raise self._failed.error
            try:
                found = self._database.run(lambda connection: _read(connection, asked))
            except (DatabaseError, RedisError) as error:
                self._failed = _Failed(error, asked.now_ms)
                raise
            self._failed = None
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = found
            return found


def _read(connection: Connection, asked: Question) -> Sums:
    from app.storage.sql.statistics.reading import sums  # imports SQLAlchemy

    try:
        found = sums(connection, asked)
    except TooMuch as error:  # nobody who asks could ask for less
        raise DatabaseAway(f"the span {error}") from None
    return Sums({group: sum for group, _, sum in found.groups}, found.totals, asked.now_ms)
