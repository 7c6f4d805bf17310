"""What the rows of the request log add up to, for anybody who asks: worked out at most once in a few seconds."""

from __future__ import annotations

import threading
from typing import Final

import redis

from app.core.request_log.by_dialect import DialectSums
from app.core.request_log.filters import LogFilter
from app.storage.request_log.latest_rows import LatestRows

KEPT_MS: Final = 10_000
PAUSE_MS: Final = 1_000
"""While Redis is away, how often it is asked; the others are told the same."""


class LatestSums:
    """Of one web process."""

    def __init__(self, log: LatestRows) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._sums: DialectSums | None = None
        self._error: redis.RedisError | None = None
        self._failed_ms = 0

    def read(self, now_ms: int) -> DialectSums:
        """At most KEPT_MS old. Raises redis.RedisError."""
        sums = self._sums
        if sums is not None and now_ms - sums.now_ms < KEPT_MS:
            return sums
        with self._lock:  # one asks, the others take what he finds
            if self._sums is not None and now_ms - self._sums.now_ms < KEPT_MS:
                return self._sums
            if self._error is not None and now_ms - self._failed_ms < PAUSE_MS:
                raise self._error
            try:
                self._sums = self._added_up(now_ms)
            except redis.RedisError as error:
                self._error, self._failed_ms = error, now_ms
                raise
            self._error = None
            return self._sums

    def _added_up(self, now_ms: int) -> DialectSums:
        sums = DialectSums(now_ms)
        sums.whole_since_ms = self._log.whole_since_ms()
        for row in self._log.each(LogFilter()):
            sums.add(row)
        return sums
