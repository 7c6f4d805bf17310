"""Entries of the audit that wait in Redis go into the SQL database, each once; old ones go out of it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from app.storage.audit.trail import AuditTrail, parsed
from app.storage.connections import Redis
from app.storage.sql.database import WorkerDatabase

if TYPE_CHECKING:
    from sqlalchemy import Connection

BATCH: Final = 200
PRUNE_S: Final = 3600.0


class AuditWriter:
    """Whoever holds the lease has it work."""

    def __init__(self, client: Redis, database: WorkerDatabase) -> None:
        self._trail = AuditTrail(client)
        self._database = database
        self._prune_at_s = 0.0

    def work(self) -> None:
        """Writes all that waits. Raises RedisError, DatabaseError."""
        from app.storage.sql.audit import add

        while texts := self._trail.read(BATCH):
            self._database.run(partial(add, entries=parsed(texts)))
            self._trail.trim(texts)
            if len(texts) < BATCH:
                break
        if time.monotonic() >= self._prune_at_s:
            self._prune_at_s = time.monotonic() + PRUNE_S
            self._database.run(_prune)


def _prune(connection: Connection) -> int:
    from app.storage.sql.audit import prune

    return prune(connection, time.time_ns() // 1_000_000)
