"""Orders the tasks that try blacklisted keys and channels, as soon as one of them is due.

Any number of workers may run: the one that holds the lease looks, and of each kind one task is open at a time. So no
more is tried at once than one such task does, over all machines.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from app.config import Config
from app.core.model import Snapshot
from app.core.snapshot import CHANNELS, SETTINGS, Stored, build_snapshot
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import Redis, RedisError
from app.storage.health.stored import StoredHealth
from app.storage.secrets import Secrets
from app.storage.tasks.task import TaskRunning
from app.storage.tasks.tasks import Tasks
from worker.checks.due import due_channels, due_keys
from worker.checks.tried import Tried

log = logging.getLogger(__name__)

TICK_S: Final = 0.5
LOOK_S: Final = 15.0
"""How often it is looked, at least; more often where an interval is short."""
KEYS_LOOK_S: Final = 600.0
"""The same of keys, for which all troubles are read; and as a task that finds one may have to start its process."""
SHARE: Final = 6
"""So often within an interval."""
TABLES: Final = (*SETTINGS.tables, *CHANNELS.tables)
"""What of the catalogue says what is due."""

REVALIDATE: Final = "revalidate_keys"
CHECK: Final = "check_channels"


class Clock(threading.Thread):
    """A thread of the worker."""

    def __init__(self, client: Redis, config: Config, holds_lease: Callable[[], bool]) -> None:
        super().__init__(name="clock", daemon=True)
        self._stored_catalog = StoredCatalog(client, TABLES)
        self._build = partial(build_snapshot, limits=config.limits, settings=config.settings)
        self._stored = Stored(0, {})
        self._snapshot = self._build(self._stored)
        self._stored_health = StoredHealth(client, "")
        self._tried = Tried(client)
        self._tasks = Tasks(client, Secrets(config.encryption_keys))
        self._holds_lease = holds_lease
        self._stopping = threading.Event()
        self._look_at_s = 0.0
        self._keys_looked_s = -KEYS_LOOK_S

    def run(self) -> None:
        while not self._stopping.wait(TICK_S):
            try:
                if self._holds_lease():
                    self.look(time.monotonic())
            except RedisError:
                pass  # the ticker says so
            except Exception:
                log.exception("it could not be looked for what is due")
                self._stopping.wait(LOOK_S)

    def stop(self) -> None:
        self._stopping.set()
        self.join(timeout=1)

    def look(self, now_s: float) -> None:
        """Raises RedisError."""
        if now_s < self._look_at_s:
            return
        snapshot, now_ms = self._read(), time.time_ns() // 1_000_000
        check_s, keys_s = snapshot.settings.check_interval_s, snapshot.settings.revalidate_interval_s
        shares_s = [interval_s / SHARE for interval_s in (check_s, keys_s) if interval_s]
        self._look_at_s = now_s + min([LOOK_S, *shares_s])
        if not snapshot.channels:
            return
        tried_ms = self._tried.ms()
        if any(due_channels(tried_ms, snapshot, now_ms)):
            self._order(CHECK)
        if now_s - self._keys_looked_s >= min(KEYS_LOOK_S, keys_s / SHARE):
            self._keys_looked_s = now_s
            if any(due_keys(self._stored_health.blacklisted(), tried_ms, snapshot, now_ms)):
                self._order(REVALIDATE)

    def _read(self) -> Snapshot:
        """What the operator says. Raises RedisError."""
        found = self._stored_catalog.read(TABLES).stored
        if found.tables != self._stored.tables:
            self._stored, self._snapshot = found, self._build(found)
        return self._snapshot

    def _order(self, kind: str) -> None:
        with suppress(TaskRunning):
            self._tasks.order(kind, "", {})
