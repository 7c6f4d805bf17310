"""A web process's door to the database: what it says when that is away or another one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.certificate_files import CertificateFiles
from app.storage.connections import LOG_DATABASE, Redis
from app.storage.embedded import EmbeddedRedis
from app.storage.sql.database import Database
from app.storage.sql.errors import DatabaseAway, DatabaseElsewhere
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.tables import log_state
from app.wire.database_url import parse_database_url
from tests.support.databases import sqlite_database
from tests.support.environ import clean_environ

READERS = """
from app.unpatched import patch_all, unpatched

patch_all()
import sys
import gevent
from sqlalchemy import event, text
from app.certificate_files import CertificateFiles
from app.storage.connections import open_redis
from app.storage.sql.database import Database
from app.wire.database_url import sqlite_file

sleep = unpatched("time", "sleep")
for _ in range(5):
    database = Database(sqlite_file(sys.argv[1]), CertificateFiles(), open_redis(sys.argv[2]))
    event.listen(database.engine, "connect", lambda *_: sleep(0.05))
    readers = [gevent.spawn(database.run, lambda one: one.execute(text("SELECT 1")).scalar()) for _ in range(3)]
    gevent.joinall(readers, timeout=4)
    print(*(reader.value for reader in readers))
    database.close()
"""
"""Three at once, each time in a process that has not read yet, as a page asks; to connect takes a moment."""


@pytest.fixture
def database(tmp_path: Path, own_redis: Redis) -> Iterator[Database]:
    """The worker has prepared it, and told so."""
    workers = sqlite_database(tmp_path)
    own_redis.set(LOG_DATABASE, bring_up_to_date(workers))
    workers.close()
    database = Database(workers.url, CertificateFiles(), own_redis)
    yield database
    database.close()


def test_what_is_asked_is_answered(database: Database) -> None:
    """In one transaction, which an error rolls back."""
    assert database.run(lambda one: one.execute(select(log_state.c.last_id)).scalar_one()) == 0
    with pytest.raises(ZeroDivisionError):
        database.run(lambda one: (one.execute(log_state.update().values(last_id=5)), 1 / 0), writes=True)
    assert database.run(lambda one: one.execute(select(log_state.c.last_id)).scalar_one()) == 0


def test_another_database_than_the_workers_is_told(database: Database, own_redis: Redis) -> None:
    """By its id; and a file that is not there is on another machine."""
    own_redis.set(LOG_DATABASE, "another")
    with pytest.raises(DatabaseElsewhere, match="DATABASE_URL"):
        database.run(lambda one: one.execute(select(log_state)))
    Path(database.url.name).unlink()
    database.close()
    with pytest.raises(DatabaseElsewhere, match="DATABASE_URL"):
        database.run(lambda one: one.execute(select(log_state)))
    assert not Path(database.url.name).exists()


def test_a_database_that_no_worker_has_prepared_is_away(database: Database, own_redis: Redis) -> None:
    """And that a server does not answer is said with its own words."""
    own_redis.delete(LOG_DATABASE)
    with pytest.raises(DatabaseAway, match="worker has not prepared"):
        database.run(lambda one: one.execute(select(log_state)))
    own_redis.set(LOG_DATABASE, "any")
    for scheme, says in (("mysql", "MySQL .*refused"), ("postgres", "PostgreSQL .*refused")):
        nobody = Database(parse_database_url(f"{scheme}://u:secret@127.0.0.1:9/gw"), CertificateFiles(), own_redis)
        with pytest.raises(DatabaseAway, match=says) as away:
            nobody.run(lambda one: one.execute(text("SELECT 1")))
        assert "secret" not in str(away.value)


def test_first_reads_that_come_at_once_are_answered(
    database: Database, own_redis: Redis, own_server: EmbeddedRedis
) -> None:
    """Under gevent, whose locks may forget to wake a real thread: none waits for one of those."""
    asked = [sys.executable, "-c", READERS, database.url.name, own_server.url]
    told = subprocess.run(asked, env=clean_environ(), capture_output=True, text=True, timeout=40, check=True)
    assert told.stdout.split() == ["1"] * 15, told.stderr
