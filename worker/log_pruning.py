"""When the request log is pruned: at the start, every ten minutes, when somebody orders it, and when it is too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from app.core.settings import Settings
from app.storage.request_log.pruning_orders import Pruned, PruningOrders
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.pruning import Limits, Pruner

EVERY_S: Final = 600.0
AT_ONCE: Final = 10
"""Steps between two batches of rows: they remove more than a batch brings."""


class LogPruning:
    """Of the thread that writes the log, which goes on between two steps."""

    def __init__(self, database: WorkerDatabase, orders: PruningOrders, settings: Callable[[], Settings]) -> None:
        self._pruner = Pruner(database)
        self._orders = orders
        self._settings = settings
        self._due_s = 0.0
        self._steps: Iterator[int] | None = None
        self._taken: list[bytes] = []
        self._removed = 0

    def step(self) -> bool:
        """Does a little of what is to be done, if anything; whether there is more. Raises RedisError, DatabaseAway."""
        if self._steps is None and not self._begins():
            return False
        assert self._steps is not None  # noqa: S101 - _begins has set it
        try:
            for _ in range(AT_ONCE):
                self._removed += next(self._steps)
            return True
        except StopIteration:
            self._end()
            return False
        except BaseException:
            self._steps = None
            raise

    def _begins(self) -> bool:
        self._taken += self._orders.take()
        settings = self._settings()
        limits = Limits(settings.log_retention_days, settings.log_max_bytes)
        if not self._taken and time.monotonic() < self._due_s and not self._pruner.is_urgent(limits.max_bytes):
            return False
        self._steps = self._pruner.prune(limits, time.time_ns() // 1_000_000)
        return True

    def _end(self) -> None:
        self._steps, self._due_s = None, time.monotonic() + EVERY_S
        if self._taken:
            self._orders.answer(self._taken, Pruned(self._removed, self._pruner.bytes()))
        self._taken, self._removed = [], 0
