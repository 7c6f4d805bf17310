"""The copy and the audit in MariaDB and PostgreSQL are what they are in SQLite."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from app.core.audit.asked import AuditFilter
from app.core.audit.entry import Entry
from app.storage.catalog import channels, mappings
from app.storage.connections import Redis, open_redis
from app.storage.copy.following import FollowingCopy
from app.storage.embedded import EmbeddedRedis
from app.storage.secrets import Secrets
from app.storage.sql import audit
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from tests.support.backups import Keeping
from tests.support.database_servers import SERVERS, new_server

KEY = "a" * 43
NOW_MS = time.time_ns() // 1_000_000

pytestmark = [pytest.mark.soak, pytest.mark.timeout(180)]


@pytest.fixture(params=list(SERVERS), scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[WorkerDatabase]:
    server = new_server(request.param)
    database = server.database()
    bring_up_to_date(database)
    yield database
    database.close()
    server.stop()


def test_what_was_said_comes_back(own_redis: Redis, own_server: EmbeddedRedis, database: WorkerDatabase) -> None:
    """Prefixes that differ in capitals alone, a channel beyond 64 KiB, names in any script, keys by the hundred."""
    first = Keeping(own_redis, KEY)
    first.say_something()
    mappings.add(first.catalog, "/Capitals", "https://a.example")
    mappings.add(first.catalog, "/emoji/😀", "https://b.example")
    models = [{"name": f"模型-{number:04}-{'m' * 40}"} for number in range(2_000)]
    channels.update(first.catalog, {"2": {"models": models, "note": "😀 x"}})
    copy = FollowingCopy(own_redis, database, Secrets([KEY], rounds=1))
    copy.work()
    first.change_key("1", 9, note="später")
    first.change_key("1", 11, enabled=False)
    copy.work()
    with open_redis(f"{own_server.url}?db=1") as empty:
        empty.flushdb()
        for _ in range(2):
            FollowingCopy(empty, database, Secrets([KEY], rounds=1)).work()
        back = Keeping(empty, KEY)
        assert back.catalog.tables() == {**first.catalog.tables(), "price_table": {}}
        assert back.secrets_of("1") == first.secrets_of("1")
        notes = {id: back.pools.of("1").note_at(back.pools.of("1").place_of(id)) for id in (3, 9)}
        assert notes == {3: "mine", 9: "später"}
        empty.flushdb()


def test_the_audit_is_filtered_by_pages(database: WorkerDatabase) -> None:
    entries = [
        Entry(
            f"{number:032x}",
            NOW_MS + number // 2,
            "127.0.0.1",
            "add_mapping",
            f"mapping /{number} 100%",
            None,
            {"n": "😀"},
        )
        for number in range(20)
    ]
    database.run(lambda connection: audit.add(connection, entries))
    assert database.run(lambda connection: audit.add(connection, entries[:5])) == 0
    first = database.run(lambda connection: audit.page(connection, AuditFilter(object="MAPPING /1"), 5))
    assert [entry.object for entry in first] == [f"mapping /{number} 100%" for number in (19, 18, 17, 16, 15)]
    assert first[0].after == {"n": "😀"}
    last = first[-1]
    following = AuditFilter(object="100%", after=(last.at_ms, last.id))
    rest = database.run(lambda connection: audit.page(connection, following, 50))
    assert [entry.id for entry in rest] == [entry.id for entry in reversed(entries[:15])]
    assert database.run(lambda connection: audit.page(connection, AuditFilter(who="_27.0"), 5)) == []
    assert database.run(lambda connection: audit.prune(connection, NOW_MS + 401 * 86_400_000)) == 20
