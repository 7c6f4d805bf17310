"""Brings the tables up to date. Of several workers that start at once one does, the others wait for it.

A new database gets the tables as they are now. Only one that an older version made goes through the migrations, for
which alembic is imported: that costs a worker 8 MB and a tenth of a second.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, inspect, select, text

from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseAway
from app.storage.sql.statistics import tables as _statistics  # noqa: F401 its tables, too
from app.storage.sql.tables import NEWEST, VERSION_TABLE, log_state, metadata, schema_version

log = logging.getLogger(__name__)

LOCK: Final = "ai-api-gateway schema"
LOCK_NUMBER: Final = 0x67_61_74_65
LOCK_S: Final = 60


def bring_up_to_date(database: WorkerDatabase) -> str:
    """The database's id, with which its tables are there. Raises DatabaseAway, DatabaseNewer."""
    return database.run(_up_to_date)


def _up_to_date(connection: Connection) -> str:
    with _alone(connection):
        before = _version(connection)
        if before != NEWEST:
            if before is None and not _has_tables(connection):
                _make_all(connection)
            else:
                from app.storage.sql.upgrading import upgrade

                upgrade(connection, before)
            log.info("The database's tables are those of version %s (before: %s)", NEWEST, before or "none")
        found: str | None = connection.execute(select(log_state.c.database_id)).scalar()
        if found is None:
            found = uuid4().hex
            connection.execute(log_state.insert().values(id=1, database_id=found, last_id=0))
        return found


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(select(schema_version.c.version_num)).scalar()
    return found


def _has_tables(connection: Connection) -> bool:
    """MySQL keeps what was made before a kill, and the migrations know what of it lacks."""
    return bool({*inspect(connection).get_table_names()} & metadata.tables.keys())


def _make_all(connection: Connection) -> None:
    metadata.create_all(connection)
    schema_version.create(connection, checkfirst=True)
    connection.execute(schema_version.insert().values(version_num=NEWEST))


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """SQLite's transaction has begun with its lock, and so has nobody beside it."""
    match connection.dialect.name:
        case "mysql" | "mariadb":
            if not connection.execute(text("SELECT GET_LOCK(:name, :s)"), {"name": LOCK, "s": LOCK_S}).scalar():
                raise DatabaseAway("another worker has been changing the database's tables for long")
            try:
                yield
                connection.exec_driver_sql("COMMIT")  # before the next one looks
            finally:
                connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": LOCK})
        case "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
            yield
        case _:
            yield
