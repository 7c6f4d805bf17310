"""The worker's keeper: audit and copy go into the database, and web processes hear why the copy does not follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.audit.asked import AuditFilter
from app.core.audit.entry import Entry
from app.storage.audit.trail import AuditTrail
from app.storage.catalog import mappings
from app.storage.connections import COPY_TROUBLE, LOG_DATABASE, MAPPINGS_VERSION, Redis
from app.storage.copy.trouble import copy_trouble
from app.storage.secrets import Secrets
from app.storage.sql.audit import page
from app.storage.sql.catalogue import read_state
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseError
from app.storage.sql.migrating import bring_up_to_date
from tests.support.backups import Keeping
from tests.support.databases import sqlite_database
from worker.keeper import Keeper


@pytest.fixture
def database(tmp_path: Path) -> Iterator[WorkerDatabase]:
    database = sqlite_database(tmp_path)
    yield database
    database.close()


def test_the_copy_that_does_not_follow_is_told_until_it_does(own_redis: Redis, database: WorkerDatabase) -> None:
    """What it tells expires by itself, should the worker die."""
    said, keeper = Keeping(own_redis), Keeper(own_redis, database, Secrets(), lambda: True)
    for number in range(3):
        mappings.add(said.catalog, f"/{number}", "https://a.example")
    keeper.work()
    assert copy_trouble(own_redis) == ""
    own_redis.set(MAPPINGS_VERSION, 1)
    keeper.work()
    assert "version 1" in copy_trouble(own_redis)
    assert 0 < own_redis.ttl(COPY_TROUBLE) <= 60
    own_redis.set(MAPPINGS_VERSION, 4)
    keeper.work()
    assert copy_trouble(own_redis) == ""
    state = database.run(read_state, writes=False)
    assert state is not None
    assert state.version == 4


def test_the_audit_is_written_whatever_becomes_of_the_copy(
    own_redis: Redis, database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object) -> None:
        raise DatabaseError("no room")

    monkeypatch.setattr("app.storage.copy.following.FollowingCopy.work", fails)
    entry = Entry("e" * 32, 4_000_000_000_000, "127.0.0.1", "add_mapping", "mapping /a", None, None)
    AuditTrail(own_redis).write([entry])
    with pytest.raises(DatabaseError):
        Keeper(own_redis, database, Secrets(), lambda: True).work()
    assert database.run(lambda connection: page(connection, AuditFilter(), 10), writes=False) == [entry]


def test_web_processes_hear_which_database_the_keeper_made(own_redis: Redis, database: WorkerDatabase) -> None:
    """Where the file was removed while no call came, the writer of the log meets no error and tells nothing."""
    own_redis.set(LOG_DATABASE, "of the file before")
    Keeper(own_redis, database, Secrets(), lambda: True).work()
    assert own_redis.get(LOG_DATABASE) == bring_up_to_date(database).encode()
