"""The request log stays within its days and its bytes: the oldest rows go, in steps so short that nobody waits for one.

What SQLite frees is used again, and given back to the disk where the file is longer than it may be. Servers free inside
of their files whenever they like, so there the log is reckoned by its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from app.storage.sql.database import WorkerDatabase
from app.storage.sql.logs.inserting import forget_traits
from app.storage.sql.statistics import pruning as statistics
from app.storage.sql.tables import logs
from app.wire.database_url import DatabaseKind

DAY_MS: Final = 86_400_000
FOR_EVER: Final = -1
STEP_ROWS: Final = 2_000
"""Of SQLite about 50 ms, in which others who write wait."""
STEP_PAGES: Final = 1_000
JOURNAL_BYTES: Final = 40 * 1024 * 1024
"""Of what is allowed so much is left for SQLite's journal and for what comes before the next look, or a tenth.

Of little a third.
"""
SAMPLE_ROWS: Final = 1_000
_OVERHEAD_BYTES: Final = {DatabaseKind.MYSQL: 800, DatabaseKind.POSTGRESQL: 560}
"""What a row and its places in the indexes take beside its values: measured with MariaDB 10.11 and PostgreSQL 15."""


class Limits(NamedTuple):
    days: float
    """FOR_EVER: none is too old."""
    max_bytes: int


class Pruner:
    """Of the worker that writes the log."""

    def __init__(self, database: WorkerDatabase) -> None:
        self._database = database

    def prune(self, limits: Limits, now_ms: int) -> Iterator[int]:
        """How many rows each step removed, until the log is within its limits. Raises DatabaseAway.

        Statistics that are older than they are kept go, too.
        """
        if limits.days != FOR_EVER:
            before_ms = now_ms - int(limits.days * DAY_MS)
            while removed := self._database.run(lambda one: _remove(one, before_ms)):
                yield removed
        while self._is_too_long(limits.max_bytes) and (removed := self._database.run(_remove)):
            yield removed
        self._database.run(forget_traits)
        while self._database.run(lambda one: statistics.prune(one, now_ms)):
            yield 0
        while self._gives_back(limits.max_bytes):
            yield 0

    def bytes(self) -> int:
        """What the log takes, with its journal. Raises DatabaseAway."""
        if self._database.url.kind is DatabaseKind.SQLITE:
            return self._file_bytes()
        return self._database.run(self._reckoned_bytes, writes=False)

    def is_urgent(self, max_bytes: int) -> bool:
        """Whether it is too long already. Only where that costs next to nothing to know. Raises DatabaseAway."""
        return self._database.url.kind is DatabaseKind.SQLITE and self._is_too_long(max_bytes)

    def _is_too_long(self, max_bytes: int) -> bool:
        used = self._used_bytes() if self._database.url.kind is DatabaseKind.SQLITE else self.bytes()
        return used > max_bytes - max(max_bytes / 10, min(JOURNAL_BYTES, max_bytes / 3))

    # --- SQLite ---

    def _file_bytes(self) -> int:
        path = Path(self._database.url.name)
        sizes = [one.stat().st_size for one in (path, Path(f"{path}-wal")) if one.exists()]
        return sum(sizes)

    def _used_bytes(self) -> int:
        return self._database.run(lambda one: _pages(one, "page_count") - _pages(one, "freelist_count"), writes=False)

    def _gives_back(self, max_bytes: int) -> bool:
        """Whether a step did. A file that others made may not know how to."""
        if self._database.url.kind is not DatabaseKind.SQLITE or self._file_bytes() <= max_bytes:
            return False

        def step(connection: Connection) -> bool:
            before = _pages(connection, "freelist_count")
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA incremental_vacuum({STEP_PAGES})").fetchall()  # a page each time it is fetched
            return _pages(connection, "freelist_count") < before

        return self._database.run(step) and self._database.checkpoint()

    # --- servers ---

    def _reckoned_bytes(self, connection: Connection) -> int:
        rows = connection.execute(select(func.count()).select_from(logs)).scalar_one()
        latest = connection.execute(select(logs).order_by(logs.c.at_ms.desc(), logs.c.id.desc()).limit(SAMPLE_ROWS))
        lengths = [sum(len(str(value)) for value in row) for row in latest]
        if not lengths:
            return 0
        return int(rows * (sum(lengths) / len(lengths) + _OVERHEAD_BYTES[self._database.url.kind]))


def _pages(connection: Connection, pragma: str) -> int:
    """In bytes."""
    read: Any = connection.exec_driver_sql
    return int(read(f"PRAGMA {pragma}").scalar_one()) * int(read("PRAGMA page_size").scalar_one())


def _remove(connection: Connection, before_ms: int | None = None) -> int:
    """The oldest rows, a step of them; only what began before that time. How many there were."""
    oldest = select(logs.c.id).order_by(logs.c.at_ms, logs.c.id).limit(STEP_ROWS)
    if before_ms is not None:
        oldest = oldest.where(logs.c.at_ms < before_ms)
    ids = connection.execute(oldest).scalars().all()
    if ids:
        connection.execute(logs.delete().where(logs.c.id.in_(ids)))
    return len(ids)
