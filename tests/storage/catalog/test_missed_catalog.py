"""What Redis loses while no gateway runs is missed by those that start later; what an operator empties is not."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from app.core.defaults import DEFAULT_MAPPINGS
from app.core.snapshot import OUTCOME_RULES
from app.storage.catalog import mappings, settings
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit
from app.storage.catalog.seeding import seed, seed_first_time
from app.storage.connections import (
    FILLED,
    MAPPINGS,
    MAPPINGS_OPTIONS,
    MAPPINGS_UPDATES,
    MAPPINGS_VERSION,
    SETTINGS_SET,
    Redis,
)
from tests.support.waiting import wait_until

TARGET = "https://one.example"


@pytest.fixture
def start(own_redis: Redis, new_catalog: Callable[[], Catalog]) -> Callable[[], Catalog]:
    """Starts as a gateway does: seeds, then loads. It looks at Redis again when it is told to."""

    def start() -> Catalog:
        seed_first_time(own_redis, DEFAULT_MAPPINGS)
        catalog = new_catalog()
        catalog.load()
        return catalog

    return start


@pytest.fixture
def earlier(start: Callable[[], Catalog]) -> Catalog:
    """A gateway in which mappings and a setting were made, before the one that is started by the test."""
    catalog = start()
    for prefix in DEFAULT_MAPPINGS:
        mappings.delete(catalog, prefix)
    mappings.add(catalog, "/a", TARGET, {"idle_timeout": 9.0})
    mappings.add(catalog, "/b", TARGET)
    settings.change(catalog, {"total_timeout": 90.0})
    return catalog


ENDINGS: dict[str, Callable[[Catalog], object]] = {
    "an edit": lambda catalog: mappings.add(catalog, "/new", TARGET),
    "a reload": Catalog.reload,
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_defaults_stand_in_for_lost_mappings_and_that_is_told(
    own_redis: Redis,
    earlier: Catalog,
    start: Callable[[], Catalog],
    end: Callable[[Catalog], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Something is served, the doubt says what was lost until an edit or a reload, and the log says it once."""
    own_redis.delete(MAPPINGS, MAPPINGS_OPTIONS)
    caplog.clear()
    catalog = start()
    for _ in range(3):
        assert set(catalog.load().mappings) == set(DEFAULT_MAPPINGS)
        assert "Redis lost the mappings while no gateway ran" in catalog.doubt
        assert "the default mappings stand in" in catalog.doubt
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    end(catalog)
    assert catalog.doubt == ""
    assert set(DEFAULT_MAPPINGS) <= set(catalog.snapshot.mappings)
    assert start().doubt == ""


def test_a_new_redis_is_not_missed_anything(start: Callable[[], Catalog]) -> None:
    """The first seed stands in for nothing, also not for those that start after."""
    assert start().doubt == ""
    assert start().doubt == ""


def test_stand_ins_give_way_to_whoever_knows(own_redis: Redis, earlier: Catalog, start: Callable[[], Catalog]) -> None:
    """A machine that was cut off comes back and knows what was lost."""
    own_redis.delete(MAPPINGS, MAPPINGS_OPTIONS)
    catalog = start()
    assert set(earlier.load().mappings) == {"/a", "/b"}
    assert set(catalog.load().mappings) == {"/a", "/b"}
    assert catalog.snapshot.options == {"/a": {"idle_timeout": 9.0}}
    assert earlier.doubt == catalog.doubt == ""


def test_a_start_asks_those_who_know_before_it_seeds(
    own_redis: Redis, earlier: Catalog, start: Callable[[], Catalog]
) -> None:
    """Where somebody runs who knows what was lost, nothing is seeded."""
    earlier.start()
    wait_until(lambda: own_redis.pubsub_numsub(MAPPINGS_UPDATES)[0][1] == 1, "it listens")
    own_redis.delete(MAPPINGS)
    assert not seed_first_time(own_redis, DEFAULT_MAPPINGS)
    assert set(start().snapshot.mappings) == {"/a", "/b"}


@pytest.mark.parametrize("mappings_too", [False, True])
def test_each_lost_part_is_told(
    own_redis: Redis, earlier: Catalog, start: Callable[[], Catalog], mappings_too: bool
) -> None:
    """For what is no mapping nothing stands in; what is left is served."""
    own_redis.delete(SETTINGS_SET, *([MAPPINGS] if mappings_too else []))
    catalog = start()
    lost = "settings and mappings" if mappings_too else "settings"
    assert f"Redis lost the {lost} while no gateway ran" in catalog.doubt
    assert ("/a" in catalog.snapshot.mappings) != mappings_too
    settings.change(catalog, {"total_timeout": 90.0})
    assert catalog.doubt == start().doubt == ""


def delete_by_api(redis: Redis, catalog: Catalog) -> None:
    for prefix in ("/a", "/b"):
        mappings.delete(catalog, prefix)


def delete_by_hand(redis: Redis, catalog: Catalog) -> None:
    redis.pipeline().delete(MAPPINGS, MAPPINGS_OPTIONS).incr(MAPPINGS_VERSION).execute()


def delete_the_fields_by_hand(redis: Redis, catalog: Catalog) -> None:
    for prefix in ("/b", "/a"):
        redis.hdel(MAPPINGS, prefix)
        redis.hdel(MAPPINGS_OPTIONS, prefix)
        catalog.load()


DELETIONS = [delete_by_api, delete_by_hand, delete_the_fields_by_hand]


@pytest.mark.parametrize("delete", DELETIONS)
def test_what_an_operator_emptied_stays_empty(
    own_redis: Redis, earlier: Catalog, start: Callable[[], Catalog], delete: Callable[[Redis, Catalog], None]
) -> None:
    """By the API, by redis-cli with a new version, by HDEL of each field while a gateway runs; later starts know it."""
    delete(own_redis, earlier)
    assert earlier.load().mappings == {}
    for catalog in (earlier, start()):
        assert (catalog.load().mappings, catalog.doubt) == ({}, "")
    settings.change(earlier, {"total_timeout": 80.0})
    assert (start().snapshot.mappings, earlier.doubt) == ({}, "")


def test_a_deletion_by_hand_is_told_as_no_loss(
    own_redis: Redis, earlier: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    """HDEL of the only field is a word like any other: nothing is in doubt, not for a moment, and nothing is warned."""
    told: list[str] = []
    earlier.on_change = lambda snapshot: told.append(earlier.doubt)
    caplog.clear()
    delete_the_fields_by_hand(own_redis, earlier)
    assert set(told) == {""}
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_who_never_had_mappings_misses_none(own_redis: Redis, start: Callable[[], Catalog]) -> None:
    """A gateway without mappings, whatever else it serves, is whole."""
    catalog = start()
    for prefix in DEFAULT_MAPPINGS:
        mappings.delete(catalog, prefix)
    assert catalog.change(OUTCOME_RULES, "updated", [Edit("put", "outcome_rules", "rules", "[]")])
    later = start()
    assert (later.snapshot.mappings, later.doubt) == ({}, "")
    assert own_redis.get(FILLED) == f"{later.snapshot.version} apiproxy:outcome_rules".encode()


def test_a_file_that_an_operator_seeds_ends_the_doubt(
    own_redis: Redis, earlier: Catalog, start: Callable[[], Catalog]
) -> None:
    """It is his word for what was lost."""
    own_redis.delete(MAPPINGS, MAPPINGS_OPTIONS)
    assert seed(own_redis, {"/mine": TARGET}) == {"/mine": True}
    catalog = start()
    assert (set(catalog.snapshot.mappings), catalog.doubt) == ({"/mine"}, "")


def test_a_loss_right_after_an_edit_is_written_back(
    own_redis: Redis, earlier: Catalog, start: Callable[[], Catalog]
) -> None:
    """Who has not heard of the edit, and knows all but that, does not take the loss for a part of it."""
    catalog = start()
    settings.change(catalog, {"total_timeout": 80.0})
    own_redis.delete(MAPPINGS)
    assert set(earlier.load().mappings) == {"/a", "/b"}
    assert earlier.snapshot.limits.total_timeout == 80.0
    assert set(catalog.load().mappings) == {"/a", "/b"}


def test_an_older_gateway_beside_us_leaves_no_false_note(
    own_redis: Redis, earlier: Catalog, start: Callable[[], Catalog]
) -> None:
    """It notes nothing; so what it deletes after a note of ours is its word, and what stands is not missed."""
    own_redis.pipeline().hdel(MAPPINGS, "/a").incr(MAPPINGS_VERSION).execute()
    own_redis.pipeline().hdel(MAPPINGS, "/b").incr(MAPPINGS_VERSION).execute()
    catalog = start()
    assert (catalog.snapshot.mappings, catalog.doubt) == ({}, "")
    assert (earlier.load().mappings, earlier.doubt) == ({}, "")
