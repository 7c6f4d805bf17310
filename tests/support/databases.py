"""SQL databases that belong to a test, and rows to write into them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from app.certificate_files import CertificateFiles
from app.core.request_log.rows import LogRow
from app.storage.connections import CHANNEL_KEYS_VERSION, LOG_DATABASE, MAPPINGS_VERSION, Redis
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.statistics.writing import Sums
from app.storage.sql.tables import logs
from app.wire.database_url import sqlite_file
from tests.support.environ import database_of
from tests.support.log_rows import NOON_MS


def sqlite_database(folder: Path) -> WorkerDatabase:
    """Nothing is in it yet."""
    return WorkerDatabase(sqlite_file(str(folder / "gateway.db")), CertificateFiles())


@contextmanager
def prepared(client: Redis, redis_url: str) -> Iterator[WorkerDatabase]:
    """The database of the gateways on this Redis, as their worker would make it."""
    database = WorkerDatabase(sqlite_file(str(database_of(redis_url))), CertificateFiles())
    client.set(LOG_DATABASE, bring_up_to_date(database))
    yield database
    database.close()


def row(id: int = 1, **changes: Any) -> KeptRow:
    """Of a call through a channel that went well at once; each id is a request of its own."""
    given: dict[str, Any] = {
        "at_ms": NOON_MS + id,
        "request_id": f"request-{id}",
        "attempt": 1,
        "final": True,
        "model": "m",
        "channel_id": "1",
        "status": 200,
        "outcome": "ok",
        "usage": [10, 0, 0, 0, 5, None, "reported", {}],
    }
    return KeptRow(id, LogRow(**given | changes))


def add_rows(connection: Connection, rows: Iterable[KeptRow]) -> None:
    """Adds them to the sums, as one transaction."""
    sums = Sums()
    sums.add(rows)
    sums.write(connection)


def written(database: WorkerDatabase) -> list[tuple[int, str]]:
    """Ids and requests of what is in the log."""
    asked = select(logs.c.id, logs.c.request_id).order_by(logs.c.id)
    return [tuple(one) for one in database.run(lambda connection: connection.execute(asked).all(), writes=False)]


def count(database: WorkerDatabase) -> int:
    asked = select(func.count()).select_from(logs)
    found: int = database.run(lambda connection: connection.execute(asked).scalar_one(), writes=False)
    return found


def copied_version(place: Path | Redis) -> tuple[int, int]:
    """Up to which versions of catalogue and keys the copy in a file of SQLite goes; or those of Redis."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            try:
                row = connection.execute("SELECT version, keys_version FROM gateway_catalogue_state").fetchone()
            except sqlite3.OperationalError:  # the worker has not made it yet
                return -1, -1
        return row or (-1, -1)
    version, keys_version = place.mget(MAPPINGS_VERSION, CHANNEL_KEYS_VERSION)
    return int(version), int(keys_version or 0)
