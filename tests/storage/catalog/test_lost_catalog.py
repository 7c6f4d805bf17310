"""What becomes of the operator's word when Redis loses it, in part or whole, or goes back to an older one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.defaults import DEFAULT_MAPPINGS
from app.storage.catalog import mappings, settings
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.seeding import seed, seed_first_time
from app.storage.connections import (
    MAPPINGS,
    MAPPINGS_OPTIONS,
    MAPPINGS_UPDATES,
    MAPPINGS_VERSION,
    SETTINGS_SET,
    Redis,
    RedisError,
)
from tests.support.waiting import wait_until

TARGET = "https://one.example"


@pytest.fixture
def catalog(new_catalog: Callable[[], Catalog]) -> Catalog:
    """One that knows two mappings, options and settings."""
    catalog = new_catalog()
    mappings.add(catalog, "/a", TARGET, {"idle_timeout": 9.0})
    mappings.add(catalog, "/b", TARGET, {"idle_timeout": 8.0})
    settings.change(catalog, {"idle_timeout": 60.0, "total_timeout": 90.0})
    return catalog


def stored(client: Redis) -> list[object]:
    return [client.hgetall(key) for key in (MAPPINGS, MAPPINGS_OPTIONS, SETTINGS_SET)]


LOSSES: dict[str, Callable[[Redis], object]] = {
    "flushall": lambda client: client.flushall(),
    "mappings": lambda client: client.delete(MAPPINGS),
    "options": lambda client: client.delete(MAPPINGS_OPTIONS),
    "settings": lambda client: client.delete(SETTINGS_SET),
    "version": lambda client: client.delete(MAPPINGS_VERSION),
    "all but the settings": lambda client: client.delete(MAPPINGS, MAPPINGS_OPTIONS, MAPPINGS_VERSION),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_what_was_lost_is_written_back(
    own_redis: Redis, catalog: Catalog, lose: Callable[[Redis], object], caplog: pytest.LogCaptureFixture
) -> None:
    """All parts stand in Redis again, under a greater version, and one line says so."""
    before, snapshot = stored(own_redis), catalog.snapshot
    lose(own_redis)
    caplog.clear()
    catalog.load()
    assert stored(own_redis) == before
    assert int(own_redis.get(MAPPINGS_VERSION) or 0) > snapshot.version
    assert catalog.snapshot.mappings == snapshot.mappings
    assert catalog.doubt == ""
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    assert "written back" in caplog.text


def test_an_edit_is_no_loss(own_redis: Redis, catalog: Catalog) -> None:
    """A single HDEL, a deletion of all by the API and a whole DEL with a new version are the operator's word."""
    own_redis.hdel(MAPPINGS, "/a")
    assert set(catalog.load().mappings) == {"/b"}
    mappings.add(catalog, "/c", TARGET)
    own_redis.pipeline().delete(MAPPINGS).incr(MAPPINGS_VERSION).execute()
    assert not catalog.load().mappings
    mappings.add(catalog, "/a", TARGET)
    mappings.delete(catalog, "/a")
    assert not catalog.load().mappings
    assert not own_redis.exists(MAPPINGS)


def test_many_write_back_one_catalogue(
    own_redis: Redis, catalog: Catalog, new_catalog: Callable[[], Catalog], caplog: pytest.LogCaptureFixture
) -> None:
    """Of all that notice at once one writes, and all know the same in the end."""
    others = [new_catalog() for _ in range(7)]
    for other in others:
        other.load()
    before = stored(own_redis)
    for _ in range(5):
        own_redis.flushall()
        caplog.clear()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Catalog.load, [catalog, *others]))
        assert stored(own_redis) == before
        assert caplog.text.count("written back") == 1
        for one in (catalog, *others):
            one.load()
        assert {one.snapshot.version for one in (catalog, *others)} == {int(own_redis.get(MAPPINGS_VERSION) or 0)}


def test_who_had_not_heard_the_last_edit_does_not_undo_it(
    own_redis: Redis, catalog: Catalog, new_catalog: Callable[[], Catalog]
) -> None:
    """A process that knew less writes back first; the one that knows more sets it right."""
    late = new_catalog()
    late.load()
    mappings.add(catalog, "/last", TARGET)
    own_redis.flushall()
    assert set(late.load().mappings) == {"/a", "/b"}
    assert set(catalog.load().mappings) == {"/a", "/b", "/last"}
    assert set(late.load().mappings) == {"/a", "/b", "/last"}


def test_an_edit_after_a_loss_loses_nothing(own_redis: Redis, catalog: Catalog) -> None:
    """A change that comes before anybody has noticed is made to what was known, not to what is left."""
    own_redis.flushall()
    mappings.add(catalog, "/new", TARGET)
    assert set(catalog.snapshot.mappings) == {"/a", "/b", "/new"}
    assert own_redis.hlen(MAPPINGS) == 3


def test_defaults_give_way_to_what_is_known(own_redis: Redis, catalog: Catalog) -> None:
    """A machine that starts beside a Redis that lost all seeds it; whoever knows better replaces that."""
    own_redis.flushall()
    assert seed_first_time(own_redis, DEFAULT_MAPPINGS)
    assert set(catalog.load().mappings) == {"/a", "/b"}
    assert own_redis.hlen(MAPPINGS) == 2
    own_redis.flushall()
    seed(own_redis, DEFAULT_MAPPINGS, by_operator=False)
    assert set(catalog.load().mappings) == {"/a", "/b"}


def test_a_start_asks_before_it_seeds(own_redis: Redis, catalog: Catalog) -> None:
    """Where somebody listens who knows what Redis lost, a start waits for that and seeds nothing."""
    catalog.start()
    wait_until(lambda: own_redis.pubsub_numsub(MAPPINGS_UPDATES)[0][1] == 1, "it listens")
    own_redis.flushall()
    assert not seed_first_time(own_redis, DEFAULT_MAPPINGS)
    assert own_redis.hlen(MAPPINGS) == 2


def back(client: Redis) -> None:
    """An older state, as a restored backup is one."""
    version = int(client.get(MAPPINGS_VERSION) or 0)
    client.hdel(MAPPINGS, "/b")
    client.set(MAPPINGS_VERSION, version - 2)


def test_an_older_state_is_not_served_until_reload(
    own_redis: Redis, catalog: Catalog, new_catalog: Callable[[], Catalog], caplog: pytest.LogCaptureFixture
) -> None:
    """What is known goes on serving, said once; reload takes what Redis holds, in every process."""
    other = new_catalog()
    known = other.load()
    back(own_redis)
    caplog.clear()
    for _ in range(3):
        assert set(catalog.load().mappings) == {"/a", "/b"}
        assert set(other.load().mappings) == {"/a", "/b"}
    assert "older state" in catalog.doubt
    assert caplog.text.count("older state") == 2  # once for each process
    assert own_redis.hlen(MAPPINGS) == 1
    assert set(catalog.reload().mappings) == {"/a"}
    assert set(other.load().mappings) == {"/a"}
    assert catalog.snapshot.version == other.snapshot.version > known.version
    assert catalog.doubt == other.doubt == ""


def test_an_edit_takes_the_older_state(own_redis: Redis, catalog: Catalog, new_catalog: Callable[[], Catalog]) -> None:
    """An edit of what came back is the operator's word for all of it, and nobody sees the version go backwards."""
    other = new_catalog()
    known = other.load()
    back(own_redis)
    other.load()
    mappings.add(catalog, "/c", TARGET)
    for one in (catalog, other):
        assert set(one.load().mappings) == {"/a", "/c"}
        assert one.snapshot.version > known.version


def test_an_edit_by_hand_takes_the_older_state(own_redis: Redis, catalog: Catalog) -> None:
    """Whoever edits with redis-cli what came back has seen it."""
    back(own_redis)
    catalog.load()
    own_redis.hset(MAPPINGS, "/c", TARGET)
    assert set(catalog.load().mappings) == {"/a", "/c"}


def test_a_loss_that_cannot_be_mended_is_told(own_redis: Redis, catalog: Catalog) -> None:
    """Where Redis refuses what is written back, what is known goes on serving and `doubt` says why."""
    own_redis.flushall()
    own_redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisError):
            catalog.load()
        assert set(catalog.snapshot.mappings) == {"/a", "/b"}
        assert "lost" in catalog.doubt
    finally:
        own_redis.config_set("maxmemory", 0)
    catalog.load()
    assert catalog.doubt == ""
    assert own_redis.hlen(MAPPINGS) == 2


def test_scripts_are_sent_again_when_redis_forgot_them(own_redis: Redis, catalog: Catalog) -> None:
    """SCRIPT FLUSH costs nothing."""
    own_redis.script_flush()
    mappings.add(catalog, "/c", TARGET)
    own_redis.flushall()
    own_redis.script_flush()
    assert set(catalog.load().mappings) == {"/a", "/b", "/c"}
