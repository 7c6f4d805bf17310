"""Databases of each kind: SQLite's file, and servers of the tests' own, which take long to start.

Import the fixtures in a conftest, and say there that some have `pytest.mark.soak`, by DATABASE_KINDS:
`tests/conftest.py` looks for the word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from tests.support.database_servers import DATABASE_KINDS, DatabaseServer, new_server
from tests.support.databases import sqlite_database


@pytest.fixture(scope="session")
def server_of() -> Iterator[Callable[[str], DatabaseServer]]:
    """One server of each kind, started when it is first asked for."""
    servers: dict[str, DatabaseServer] = {}

    def of(name: str) -> DatabaseServer:
        if name not in servers:
            servers[name] = new_server(name)
        return servers[name]

    yield of
    for server in servers.values():
        server.stop()


@pytest.fixture(params=DATABASE_KINDS)
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, server_of: Callable[[str], DatabaseServer]
) -> Iterator[Callable[[], WorkerDatabase]]:
    """Opens an empty database, again and again the same."""
    databases: list[WorkerDatabase] = []

    def once_more() -> WorkerDatabase:
        of_sqlite = request.param == "sqlite"
        databases.append(sqlite_database(tmp_path) if of_sqlite else server_of(request.param).database())
        return databases[-1]

    if request.param != "sqlite":
        drop_all(once_more())
    yield once_more
    for database in databases:
        database.close()


@pytest.fixture
def database(opened: Callable[[], WorkerDatabase]) -> WorkerDatabase:
    """With our tables."""
    database = opened()
    bring_up_to_date(database)
    return database


@pytest.fixture
def file_database(tmp_path: Path) -> Iterator[WorkerDatabase]:
    """Likewise, always of SQLite."""
    database = sqlite_database(tmp_path)
    bring_up_to_date(database)
    yield database
    database.close()


def drop_all(database: WorkerDatabase) -> None:
    names = database.run(lambda one: inspect(one).get_table_names())
    for name in names:
        database.run(lambda one, name=name: one.exec_driver_sql(f"DROP TABLE {name}"))
