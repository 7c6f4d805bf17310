"""A database that is full, read only, locked, slow, silent or killed: what is told, and what is left afterwards."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core.settings import Settings
from app.storage.connections import LOG_WAITING, Redis
from app.storage.sql import opening
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseAway
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.pruning import FOR_EVER
from app.storage.sql.writing import Written, write
from tests.support.database_servers import SERVERS, DatabaseServer, new_server
from tests.support.databases import row, sqlite_database, written
from tests.support.log_rows import wait_in_redis
from tests.support.waiting import wait_until
from worker.log_writer import LogWriter


def put(database: WorkerDatabase, first: int, last: int) -> Written:
    return database.run(partial(write, parts=[[row(id) for id in range(first, last + 1)]]))


@pytest.mark.parametrize(
    ("trouble", "end", "says"),
    [
        ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000", "no room left: .*full"),
        ("PRAGMA query_only = 1", "PRAGMA query_only = 0", "readonly"),
    ],
    ids=["full", "read only"],
)
def test_a_disk_that_takes_nothing_is_told_and_loses_nothing(
    file_database: WorkerDatabase, trouble: str, end: str, says: str
) -> None:
    """Neither half a batch nor that it was written stays behind."""
    put(file_database, 1, 5)
    file_database.run(lambda one: one.exec_driver_sql(trouble), writes=False)
    with pytest.raises(DatabaseAway, match=says):
        put(file_database, 6, 3_000)
    file_database.run(lambda one: one.exec_driver_sql(end), writes=False)
    assert put(file_database, 1, 3_000) == Written(3_000, 2_995)
    assert [id for id, _ in written(file_database)] == list(range(1, 3_001))


def test_a_file_that_another_holds_is_told_of_and_read_meanwhile(
    file_database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by somebody's shell, in the middle of a transaction."""
    monkeypatch.setattr(opening, "SQLITE_BUSY_S", 0.05)
    put(file_database, 1, 2)
    file_database.close()
    with closing(sqlite3.connect(file_database.url.name)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseAway, match="locked"):
            put(file_database, 3, 4)
        assert len(written(file_database)) == 2
    put(file_database, 3, 4)
    assert len(written(file_database)) == 4


def test_a_file_that_cannot_be_is_told_of_as_any_trouble(tmp_path: Path) -> None:
    """The worker makes the file, and tries again until it can."""
    folder = tmp_path / "disk"
    folder.write_text("no folder")
    with closing(sqlite_database(folder)) as database:
        with pytest.raises(DatabaseAway, match=f"no file {folder}"):
            bring_up_to_date(database)
        folder.unlink()
        bring_up_to_date(database)
        assert put(database, 1, 2) == Written(2, 2)


def test_a_statement_that_takes_too_long_is_ended(
    opened: Callable[[], WorkerDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one is served."""
    monkeypatch.setattr(opening, "WORKER_STATEMENT_S", 1.0)
    database = opened()
    names = {"sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"}
    asks = names.get(database.engine.dialect.name, "SELECT sleep(9)")
    asks = "SELECT pg_sleep(9)" if database.engine.dialect.name == "postgresql" else asks
    began_s = time.monotonic()
    with pytest.raises(DatabaseAway, match="takes too long"):
        database.run(lambda one: one.execute(text(asks)).all())
    assert time.monotonic() - began_s < 8
    assert database.run(lambda one: one.scalar(text("SELECT 1"))) == 1


# --- servers of their own, which are killed ---


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    server = new_server(request.param)
    yield server
    server.stop()


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_server_that_falls_silent_is_given_up(server: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It closes nothing, as behind a cable that was pulled; and it is used again when it answers."""
    monkeypatch.setattr(opening, "WORKER_STATEMENT_S", 1.0)
    monkeypatch.setattr(opening, "SILENCE_S", 1.0)
    with closing(server.database()) as database:
        bring_up_to_date(database)
        put(database, 1, 2)
        server.pause()
        began_s = time.monotonic()
        with pytest.raises(DatabaseAway):
            put(database, 3, 4)
        assert time.monotonic() - began_s < 30
        server.go_on()
        wait_until(lambda: _goes(partial(put, database, 1, 4)), "it is written", timeout_s=60)
        assert [id for id, _ in written(database)] == [1, 2, 3, 4]


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_server_that_is_killed_has_each_row_once(
    server: DatabaseServer, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, while rows come; those that it had not taken wait in Redis."""
    monkeypatch.setattr("worker.log_writer.AWAY_S", 0.1)
    monkeypatch.setattr("app.storage.request_log.waiting.READ_BUNDLES", 4)
    writer = LogWriter(own_redis, server.database(), lambda: True, lambda: Settings(log_retention_days=FOR_EVER))
    stopping = threading.Event()
    count = 0

    def come() -> None:
        nonlocal count
        while not stopping.wait(0.01):
            wait_in_redis(own_redis, range(count + 1, count + 51))
            count += 50

    coming = threading.Thread(target=come)
    coming.start()
    writer.start()
    for _ in range(3):
        before = count
        wait_until(lambda before=before: count > before + 1_000, "more have come", timeout_s=60)
        server.kill()
        server.start()
    stopping.set()
    coming.join()
    wait_until(lambda: own_redis.llen(LOG_WAITING) == 0, "all are written", timeout_s=90)
    writer.stop()
    with closing(server.database()) as database:
        assert [id for id, _ in written(database)] == list(range(1, count + 1))


def _goes(act: Callable[[], object]) -> bool:
    try:
        act()
    except DatabaseAway:
        return False
    return True
