"""Entries of the audit on their way: each is written once, or lost and counted; old ones go."""

from __future__ import annotations

import time

import pytest

from app.core.audit.asked import AuditFilter
from app.core.audit.entry import MOST_BYTES, Entry, packed, unpacked
from app.storage.audit import trail as trails
from app.storage.audit.trail import AuditTrail
from app.storage.connections import Redis
from app.storage.sql import audit as stored
from app.storage.sql.database import WorkerDatabase
from worker.audit_writer import AuditWriter

DAY_MS = 86_400_000
NOW_MS = time.time_ns() // 1_000_000


def entry(number: int, at_ms: int = 0) -> Entry:
    at_ms = at_ms or NOW_MS + number
    return Entry(f"{number:032x}", at_ms, "127.0.0.1", "add_mapping", f"mapping /{number}", None, {"n": number})


def kept(database: WorkerDatabase) -> list[Entry]:
    return database.run(lambda connection: stored.page(connection, AuditFilter(), 1000), writes=False)


def test_each_is_written_once(own_redis: Redis, database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the worker is killed before Redis hears that they are in the database."""
    trail, writer = AuditTrail(own_redis), AuditWriter(own_redis, database)
    trail.write([entry(1), entry(2)])
    with monkeypatch.context() as patch:
        patch.setattr(AuditTrail, "trim", lambda self, texts: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            writer.work()
    trail.write([entry(3)])
    writer.work()
    assert kept(database) == [entry(3), entry(2), entry(1)]
    assert trail.waiting() == ([], 0)


def test_of_too_many_that_wait_the_oldest_are_lost_and_counted(
    own_redis: Redis, database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "MOST_WAITING", 3)
    trail = AuditTrail(own_redis)
    trail.write([entry(number) for number in range(1, 6)])
    assert [one.object for one in trail.waiting().entries] == ["mapping /3", "mapping /4", "mapping /5"]
    assert trail.waiting().lost == 2
    texts = trail.read(2)
    trail.write([entry(6)])
    trail.trim(texts)
    assert [one.object for one in trail.waiting().entries] == ["mapping /4", "mapping /5", "mapping /6"]
    AuditWriter(own_redis, database).work()
    assert len(kept(database)) == 3


def test_what_makes_no_sense_stops_nothing(own_redis: Redis, database: WorkerDatabase) -> None:
    own_redis.rpush(trails.AUDIT_WAITING, b"x", b"[]", packed(entry(1)))
    AuditWriter(own_redis, database).work()
    assert kept(database) == [entry(1)]


def test_old_ones_go_and_the_oldest_of_too_many(database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = 1_000 * DAY_MS
    entries = [entry(1, now_ms - 401 * DAY_MS), *(entry(number, now_ms - 100 + number) for number in range(2, 8))]
    database.run(lambda connection: stored.add(connection, entries))
    database.run(lambda connection: stored.prune(connection, now_ms))
    assert len(kept(database)) == 6
    monkeypatch.setattr(stored, "MOST_ENTRIES", 4)
    database.run(lambda connection: stored.prune(connection, now_ms))
    assert [one.object for one in kept(database)] == [f"mapping /{number}" for number in (7, 6, 5, 4)]


def test_what_is_long_is_told_by_name() -> None:
    """A channel may have thousands of models."""
    long = entry(1)._replace(
        before={"models": ["m" * 50] * 1000, "priority": 1}, after={str(n): "x" * 900 for n in range(20)}
    )
    told = unpacked(packed(long))
    assert told is not None
    assert told.before == {"models": "… too long to keep", "priority": 1}
    assert 0 < len(str(told.after)) <= MOST_BYTES
