"""What Redis has lost of keys comes back from the copy, and the copy loses none with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from app.config import load_config
from app.storage.connections import CHANNEL_KEYS, CHANNEL_KEYS_LOG, Redis
from app.storage.copy import at_start
from app.storage.copy.following import FollowingCopy
from app.storage.embedded import EmbeddedRedis
from app.storage.sql.database import WorkerDatabase
from tests.support.backups import Keeping
from tests.support.copies import KEY, database, following
from tests.support.emptied import EmptiedBefore
from tests.support.own_redis import kill, revive

__all__ = ["database"]


def copied(database: WorkerDatabase) -> int:
    """How many keys the copy has."""
    with closing(sqlite3.connect(database.url.name)) as reader:
        found: int = reader.execute("SELECT count(*) FROM gateway_catalogue_keys").fetchone()[0]
    return found


def work(copy: FollowingCopy) -> None:
    for _ in range(3):
        copy.work()


@pytest.mark.soak
@pytest.mark.parametrize("meanwhile", ["one key was changed", "more than the log tells", "Redis was emptied before"])
def test_redis_may_be_emptied_at_any_moment_of_a_look(
    own_redis: Redis, database: WorkerDatabase, meanwhile: str
) -> None:
    copy = following(own_redis, database, KEY)
    Keeping(own_redis, KEY).say_something()
    work(copy)
    stored = copy._keys
    for n in count(1):
        web = Keeping(own_redis, KEY)
        web.change_key("1", 9, note=f"before {n}")
        if meanwhile == "more than the log tells":
            own_redis.delete(CHANNEL_KEYS_LOG)
        elif meanwhile == "Redis was emptied before":
            own_redis.flushall()
        copy._keys = copy._copy._keys = emptied = EmptiedBefore(stored, n)
        copy.work()
        copy._keys = copy._copy._keys = stored
        work(copy)
        web.catalog.look()
        web.pools.load()
        work(copy)
        for one in (web, Keeping(own_redis, KEY)):
            assert (len(one.secrets_of("1")), one.secrets_of("2")) == (300, ["sk-two-000"]), n
            pool = one.pools.of("1")
            assert pool.stored_at(pool.place_of(9)).note == f"before {n}"
        assert copied(database) == 301, n
        if emptied.left > 0:
            break
    assert n > 2


def test_a_process_that_knows_more_goes_before_the_copy(own_redis: Redis, database: WorkerDatabase) -> None:
    """Of channels that the copy has, and of others."""
    web, copy = Keeping(own_redis, KEY), following(own_redis, database, KEY)
    one, two = web.channel("one"), web.channel("two")
    web.add_keys(one, ["sk-1", "sk-2"])
    work(copy)
    web.change_key(one, 1, enabled=False)
    web.add_keys(one, ["sk-3"])
    web.add_keys(two, ["sk-new"])
    own_redis.flushall()
    work(copy)
    web.catalog.look()
    web.pools.load()
    work(copy)
    for process in (web, Keeping(own_redis, KEY)):
        assert (process.secrets_of(one), process.secrets_of(two)) == (["sk-1", "sk-2", "sk-3"], ["sk-new"])
        assert not process.pools.of(one).stored_at(0).enabled
    assert copied(database) == 4


def test_keys_that_the_copy_does_not_have_are_not_lost_by_it(own_redis: Redis, database: WorkerDatabase) -> None:
    """It has none that are not encrypted."""
    plain = Keeping(own_redis)
    one, two = plain.channel("one"), plain.channel("two")
    plain.add_keys(one, ["sk-plain"])
    plain.add_keys(two, ["sk-plain too"])
    web, copy = Keeping(own_redis, KEY), following(own_redis, database, KEY)
    web.add_keys(one, ["sk-sealed"])
    work(copy)
    for _ in range(3):
        own_redis.flushall()
        work(copy)
        web.catalog.look()
        for process in (web, Keeping(own_redis, KEY)):
            assert (process.secrets_of(one), process.secrets_of(two)) == (["sk-plain", "sk-sealed"], ["sk-plain too"])
        work(copy)


@pytest.mark.parametrize("way", ["at the start", "by the worker"])
def test_redis_may_be_emptied_as_often_as_it_likes(own_redis: Redis, database: WorkerDatabase, way: str) -> None:
    """As that of a Space is with each start: while no web process runs that knows anything."""
    web = Keeping(own_redis, KEY)
    one = web.channel("one")
    web.add_keys(one, ["sk-1", "sk-2"])
    work(following(own_redis, database, KEY))
    for _ in range(5):
        own_redis.flushall()
        if way == "at the start":
            config = load_config({"SQLITE_PATH": database.url.name, "ENCRYPTION_KEY": KEY, "REDIS_PATIENCE": "1"})
            at_start.restore(own_redis, config, lambda text: None)
        work(following(own_redis, database, KEY))
        assert Keeping(own_redis, KEY).secrets_of(one) == ["sk-1", "sk-2"]
        assert copied(database) == 2


def test_a_process_that_lacks_one_change_hears_of_it_from_the_copy(own_redis: Redis, database: WorkerDatabase) -> None:
    web, lacks = Keeping(own_redis, KEY), Keeping(own_redis, KEY)
    one = web.channel("one")
    web.add_keys(one, ["sk-1", "sk-2"])
    lacks.pools.load()
    web.add_keys(one, ["sk-3"])
    copy = following(own_redis, database, KEY)
    work(copy)
    own_redis.flushall()
    work(copy)
    lacks.catalog.look()
    for process in (lacks, Keeping(own_redis, KEY)):
        assert process.secrets_of(one) == ["sk-1", "sk-2", "sk-3"]


def test_what_was_dropped_after_a_write_back_stays_so(own_redis: Redis, database: WorkerDatabase) -> None:
    web, copy = Keeping(own_redis, KEY), following(own_redis, database, KEY)
    one, two = web.channel("one"), web.channel("two")
    web.add_keys(one, ["sk-1"])
    web.add_keys(two, ["sk-2"])
    work(copy)
    own_redis.flushall()
    web.catalog.look()
    web.pools.stored.drop(one, web.pools.load())
    work(copy)
    assert (Keeping(own_redis, KEY).secrets_of(one), Keeping(own_redis, KEY).secrets_of(two)) == ([], ["sk-2"])
    assert copied(database) == 1


def test_redis_may_start_anew_in_the_midst_of_a_look(
    own_redis: Redis, own_server: EmbeddedRedis, database: WorkerDatabase
) -> None:
    """Emptied, and filled again by others, while the copy asks for one id after the other."""
    web, copy = Keeping(own_redis, KEY), following(own_redis, database, KEY)
    many = web.channel("many")
    web.add_keys(many, [f"sk-{number}" for number in range(2000)])
    work(copy)
    web.change_key(many, 5, note="x")
    own_redis.delete(CHANNEL_KEYS_LOG)
    ids, asked = copy._keys._some_ids, []

    def ids_late(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 4:
            own_redis.flushall()
            own_redis.save()
            kill(own_server)
            revive(own_server)
            web.catalog.look()
            web.pools.load()
        return ids(*arguments)

    copy._keys._some_ids = ids_late  # type: ignore[method-assign]
    work(copy)
    assert len(asked) > 8
    assert copied(database) == own_redis.hlen(CHANNEL_KEYS + many) == 2000
