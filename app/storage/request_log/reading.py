"""The request log, read: piece by piece, so that neither memory nor the time between two looks at others grows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from app.core.request_log.filters import LogFilter
from app.core.request_log.rows import LogRow
from app.storage.connections import LOG_ROWS, Redis
from app.storage.request_log.booking import MOST_ROWS
from app.storage.request_log.packed import LATEST_MS, MARK_BYTES, TIME_DIGITS, KeptRow, unpacked
from app.waiting import give_way

PIECE_ROWS: Final = 200
"""About a millisecond of work."""

_BEGINNING: Final = b"-"
_END: Final = b"+"


class RequestLog:
    """The door to it for web processes. Each method raises redis.RedisError."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client

    def page(self, wanted: LogFilter, after: str, limit: int) -> tuple[list[KeptRow], str]:
        """The latest rows that fit, at most so many, and the place of the last of them; empty when there are no more.

        `after`: such a place, from which on older ones are wanted; empty for the latest.
        """
        found = list(islice(self._fitting(wanted, after), limit + 1))
        return found[:limit], found[limit - 1].place if len(found) > limit else ""

    def count(self, wanted: LogFilter) -> int:
        """How many rows fit."""
        return sum(1 for _ in self._fitting(wanted, ""))

    def each(self, wanted: LogFilter) -> Iterator[LogRow]:
        """All rows that fit, the latest first."""
        return (kept.row for kept in self._fitting(wanted, ""))

    def whole_since_ms(self) -> int:
        """From when on all rows of calls are there, in ms since the epoch; 0: none was let go yet."""
        if self._redis.zcard(LOG_ROWS) < MOST_ROWS:
            return 0
        oldest = [unpacked(member) for member in self._redis.zrangebylex(LOG_ROWS, _BEGINNING, _END, 0, 1)]
        return oldest[0].row.at_ms if oldest and oldest[0] is not None else 0

    def of_request(self, request_id: str) -> list[KeptRow]:
        """The rows of one call, in the order of its attempts; none where nobody knows it any more."""
        text = request_id.encode()
        found = []
        for piece in self._pieces(_END, _BEGINNING):
            kept = [unpacked(member) for member in piece if text in member]
            found += [one for one in kept if one is not None and one.row.request_id == request_id]
            if any(one.row.attempt <= 1 for one in found):
                break
        return sorted(found, key=lambda one: one.row.attempt)

    def _fitting(self, wanted: LogFilter, after: str) -> Iterator[KeptRow]:
        latest, earliest = _END, _BEGINNING
        if wanted.to_ms is not None:
            latest = b"(%013d" % min(wanted.to_ms, LATEST_MS)
        if after:
            mark = b"(" + after.encode()
            latest = mark if latest == _END else min(latest, mark)
        if wanted.from_ms is not None:
            earliest = b"[%013d" % min(wanted.from_ms, LATEST_MS)
        for piece in self._pieces(latest, earliest):
            for member in piece:
                kept = unpacked(member)
                if kept is not None and wanted.fits(kept.row):
                    yield kept

    def _pieces(self, latest: bytes, earliest: bytes) -> Iterator[list[bytes]]:
        """Members between these bounds, the latest first."""
        while piece := self._redis.zrevrangebylex(LOG_ROWS, latest, earliest, 0, PIECE_ROWS):
            yield piece
            if len(piece) < PIECE_ROWS:
                return
            latest = b"(" + piece[-1]
            give_way()


def is_place(text: str) -> bool:
    """Whether `RequestLog.page` may have given it."""
    return len(text) == MARK_BYTES and text.isascii() and text.isdecimal() and int(text[:TIME_DIGITS]) >= 0
