"""What an operator does to channels, from several processes at once and after losses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.core.model import Channel
from app.core.snapshot import CHANNELS, MAPPINGS, SETTINGS
from app.storage.catalog import channels
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit
from app.storage.connections import TABLE, Redis
from tests.support.channels import said_of_channel

TARGETS = MAPPINGS.tables[0]


def fine(channel: Channel) -> None:
    """Nothing speaks against it."""


def add(catalog: Catalog, name: str, **said: Any) -> Channel:
    return channels.add(catalog, said_of_channel(name, **said), fine)


def stored(catalog: Catalog) -> dict[str, Channel]:
    return CHANNELS.of(catalog.load()).by_id


def test_two_who_change_different_fields_lose_neither(new_catalog: Callable[[], Catalog]) -> None:
    """A process that knows an older channel decides anew on what the other made of it."""
    one, other = new_catalog(), new_catalog()
    channel = add(one, "a")
    other.load()

    def interrupt(_: Channel) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            channels.update(one, {channel.id: {"priority": 5}}, fine)

    interrupted = False
    channels.update(other, {channel.id: {"note": "n"}}, interrupt)
    found = stored(one)[channel.id]
    assert (found.priority, found.said["note"]) == (5, "n")


def test_many_who_add_at_once_get_different_ids(new_catalog: Callable[[], Catalog]) -> None:
    """Ids are given one after the other over all processes."""
    catalogs = [new_catalog() for _ in range(4)]
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda number=number: found.append(add(catalogs[number], f"c{number}").id))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["1", "2", "3", "4"]


def test_an_id_is_not_given_again_after_redis_lost_all(new_catalog: Callable[[], Catalog], own_redis: Redis) -> None:
    """The last id is the operator's word, too: it is written back with the channels."""
    catalog = new_catalog()
    add(catalog, "kept")
    gone = add(catalog, "gone")
    channels.delete(catalog, [gone.id])
    own_redis.flushall()
    assert int(add(catalog, "new").id) > int(gone.id)
    assert [channel.name for channel in stored(catalog).values()] == ["kept", "new"]


def test_an_id_is_above_all_known_where_the_counter_alone_was_lost(
    new_catalog: Callable[[], Catalog], own_redis: Redis
) -> None:
    """A process that starts when the counter is gone counts from the channels that are there."""
    known = add(new_catalog(), "a")
    own_redis.delete(TABLE + channels.LAST_ID)
    assert int(add(new_catalog(), "b").id) > int(known.id)


def test_mappings_follow_a_new_name(new_catalog: Callable[[], Catalog]) -> None:
    """In the same change; those that lead elsewhere stay."""
    catalog = new_catalog()
    channel = add(catalog, "Old Name")
    targets = {"/a": "channel:old name", "/b": "channel:old name 2", "/c": "https://one.example"}
    catalog.change(MAPPINGS, "added", [Edit("put", TARGETS, prefix, target) for prefix, target in targets.items()])
    channels.update(catalog, {channel.id: {"name": "new"}}, fine)
    catalog.load()
    assert catalog.table(TARGETS) == targets | {"/a": "channel:new"}


def test_a_channel_that_a_mapping_names_stays(new_catalog: Callable[[], Catalog]) -> None:
    """Of several that shall go none goes then, and the mapping is named."""
    catalog = new_catalog()
    used, free = add(catalog, "used"), add(catalog, "free")
    catalog.change(MAPPINGS, "added", [Edit("put", TARGETS, "/a", "channel:USED")])
    with pytest.raises(channels.ChannelInUse, match="/a"):
        channels.delete(catalog, [free.id, used.id])
    assert set(stored(catalog)) == {used.id, free.id}
    catalog.change(MAPPINGS, "deleted", [Edit("delete", TARGETS, "/a")])
    channels.delete(catalog, [free.id, used.id])
    assert stored(catalog) == {}


def test_what_is_stored_as_no_channel_can_be_said_anew_or_deleted(
    new_catalog: Callable[[], Catalog], own_redis: Redis
) -> None:
    """It is rejected and serves nobody, but no operator needs redis-cli to get rid of it."""
    catalog = new_catalog()
    channel = add(catalog, "a")
    own_redis.hset(TABLE + channels.TEXTS, channel.id, "nonsense")
    catalog.load()
    assert f"channel {channel.id}" in catalog.snapshot.rejected
    channels.update(catalog, {channel.id: said_of_channel("b")}, fine)
    assert stored(catalog)[channel.id].name == "b"
    own_redis.hset(TABLE + channels.TEXTS, channel.id, "nonsense")
    catalog.load()
    channels.delete(catalog, [channel.id])
    assert catalog.table(channels.NAMES) == {}


def test_a_channel_that_did_not_change_is_not_read_anew(new_catalog: Callable[[], Catalog]) -> None:
    """Until something that holds for all of them does."""
    catalog = new_catalog()
    one, two = add(catalog, "one"), add(catalog, "two")
    before = stored(catalog)
    channels.update(catalog, {two.id: {"priority": 5}})
    after = stored(catalog)
    assert after[one.id] is before[one.id]
    assert after[two.id].priority == 5
    catalog.change(SETTINGS, "updated", [Edit("put", SETTINGS.tables[0], "idle_timeout", "77")])
    assert stored(catalog)[one.id].limits.idle_timeout == 77
