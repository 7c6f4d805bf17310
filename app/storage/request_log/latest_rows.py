"""The latest rows, which Redis holds besides: read piece by piece, so that it holds up nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.core.request_log.filters import LogFilter
from app.core.request_log.rows import LogRow
from app.storage.connections import LOG_ROWS, Redis
from app.storage.request_log.booking import MOST_ROWS
from app.storage.request_log.packed import LATEST_MS, KeptRow, unpacked
from app.waiting import give_way

PIECE_ROWS: Final = 200
"""About a millisecond of work."""

_BEGINNING: Final = b"-"
_END: Final = b"+"


class LatestRows:
    """Each method raises redis.RedisError."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client

    def each(self, wanted: LogFilter) -> Iterator[LogRow]:
        """All rows that fit, the latest first."""
        return (kept.row for kept in self.rows(wanted))

    def whole_since_ms(self) -> int:
        """From when on all rows of calls are there, in ms since the epoch; 0: none was let go yet."""
        if self._redis.zcard(LOG_ROWS) < MOST_ROWS:
            return 0
        oldest = [unpacked(member) for member in self._redis.zrangebylex(LOG_ROWS, _BEGINNING, _END, 0, 1)]
        return oldest[0].row.at_ms if oldest and oldest[0] is not None else 0

    def rows(self, wanted: LogFilter) -> Iterator[KeptRow]:
        """All that fit, the latest first."""
        latest, earliest = _END, _BEGINNING
        if wanted.to_ms is not None:
            latest = b"(%013d" % min(wanted.to_ms, LATEST_MS)
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
