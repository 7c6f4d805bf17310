"""SQL databases that belong to a test, and rows to write into them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.certificate_files import CertificateFiles
from app.core.request_log.rows import LogRow
from app.storage.connections import LOG_DATABASE, Redis
from app.storage.request_log.packed import KeptRow
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
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


def written(database: WorkerDatabase) -> list[tuple[int, str]]:
    """Ids and requests of what is in the log."""
    asked = select(logs.c.id, logs.c.request_id).order_by(logs.c.id)
    return [tuple(one) for one in database.run(lambda connection: connection.execute(asked).all(), writes=False)]


def count(database: WorkerDatabase) -> int:
    asked = select(func.count()).select_from(logs)
    found: int = database.run(lambda connection: connection.execute(asked).scalar_one(), writes=False)
    return found
