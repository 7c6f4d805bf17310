"""Brings the tables up to date, by alembic. Of several workers that start at once one does, the others wait for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseAway, DatabaseNewer
from app.storage.sql.migrations import __path__ as _places
from app.storage.sql.tables import log_state

log = logging.getLogger(__name__)

VERSION_TABLE: Final = "gateway_schema"
LOCK: Final = "ai-api-gateway schema"
LOCK_NUMBER: Final = 0x67_61_74_65
LOCK_S: Final = 60


def bring_up_to_date(database: WorkerDatabase) -> str:
    """The database's id, with which its tables are there. Raises DatabaseAway, DatabaseNewer."""
    return database.run(_up_to_date)


def _up_to_date(connection: Connection) -> str:
    with _alone(connection):
        config = Config()
        config.set_main_option("script_location", str(Path(next(iter(_places)))).replace("%", "%%"))
        config.attributes["connection"] = connection
        before = _revision(connection)
        newest = _newest(config, before)
        if before != newest:
            command.upgrade(config, "head")
            log.info("The database's tables are those of version %s (before: %s)", newest, before or "none")
        found: str | None = connection.execute(select(log_state.c.database_id)).scalar()
        if found is None:
            found = uuid4().hex
            connection.execute(log_state.insert().values(id=1, database_id=found, last_id=0))
        return found


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _newest(config: Config, before: str | None) -> str:
    """Raises DatabaseNewer."""
    scripts = ScriptDirectory.from_config(config)
    known = [script.revision for script in scripts.walk_revisions()]
    if before is not None and before not in known:
        raise DatabaseNewer(
            f"a newer version of the gateway has changed the database's tables ({before}; this one knows {known[0]}): "
            "run that version, or name another database in DATABASE_URL"
        )
    return known[0]


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
