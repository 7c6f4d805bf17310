"""What Redis has lost of keys no process loses: it is written back, whole, whenever that was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from app.storage.connections import (
    CHANNEL_KEYS,
    CHANNEL_KEYS_LAST_ID,
    CHANNEL_KEYS_LOG,
    CHANNEL_KEYS_VERSION,
    Redis,
    RedisError,
)
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.edits import Added
from tests.support.emptied import EmptiedBefore
from tests.support.keeping import KeepingProcess, secrets
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

New = Callable[..., KeepingProcess]


def test_a_redis_that_comes_back_empty_gets_the_keys_written_back(new_process: New, own_redis: Redis) -> None:
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-1", "sk-2"], note="mine")
    ours.edits.add("2", ["sk-3"])
    ours.edits.enable("1", ours.edits.ids("1")[:1], enabled=False)
    ids = [*ours.edits.ids("1"), *ours.edits.ids("2")]
    wait_until(lambda: len(secrets(other, "2")) == 1, "the other has heard", 1.0)
    own_redis.flushall()
    ours.pools.load()
    assert secrets(ours) == ["sk-1", "sk-2"]
    wait_until(lambda: secrets(other) == ["sk-1", "sk-2"], "the other has them again")
    later = new_process()
    assert [*later.edits.ids("1"), *later.edits.ids("2")] == ids
    assert later.pools.of("1").stored_at(0) == ours.pools.of("1").stored_at(0)
    assert later.edits.add("1", ["sk-2", "sk-9"]) == Added(1, 1, 3), "doubles are known"
    assert int(later.edits.ids("1")[-1]) > max(map(int, ids))
    wait_until(lambda: len(secrets(other)) == 3, "all go on together", 1.0)


def test_a_write_back_that_breaks_off_leaves_nothing_half(new_process: New, own_redis: Redis) -> None:
    """Whoever looks meanwhile sees nothing of it; the next one brings all back."""
    ours = new_process()
    ours.edits.add("1", [f"sk-{number}" for number in range(600)])
    ours.pools.stop()
    aside, pieces = ours.pools.stored.write_aside, []

    def break_off(*arguments: object) -> None:
        pieces.append(aside(*arguments))  # type: ignore[arg-type, func-returns-value]
        assert not own_redis.exists(CHANNEL_KEYS + "1")
        if len(pieces) == 2:
            raise RedisError

    ours.pools.stored.write_aside = break_off  # type: ignore[method-assign]
    own_redis.flushall()
    with pytest.raises(RedisError):
        ours.pools.load()
    assert not own_redis.exists(CHANNEL_KEYS + "1")
    assert secrets(ours)[-1] == "sk-599"
    ours.pools.load()
    assert own_redis.hlen(CHANNEL_KEYS + "1") == 600


def test_an_edit_after_redis_lost_the_keys_brings_them_back_first(new_process: New, own_redis: Redis) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-1"])
    own_redis.delete(CHANNEL_KEYS_VERSION, CHANNEL_KEYS_LAST_ID, CHANNEL_KEYS + "1")
    assert ours.edits.add("1", ["sk-2"]) == Added(1, 0, 2)
    assert secrets(ours) == ["sk-1", "sk-2"]


def test_a_change_is_not_made_in_a_redis_that_lost_the_keys_meanwhile(new_process: New, own_redis: Redis) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-1"])
    add, lost = ours.pools.stored.add, 0

    def add_late(*arguments: object) -> tuple[int, int]:
        nonlocal lost
        if not lost:
            lost += own_redis.flushall()
        return add(*arguments)  # type: ignore[arg-type]

    ours.pools.stored.add = add_late  # type: ignore[method-assign]
    assert ours.edits.add("1", ["sk-1", "sk-2"]) == Added(1, 1, 2)


def test_while_redis_is_away_known_keys_serve_and_nothing_is_changed(
    new_process: New, own_server: EmbeddedRedis
) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-1"])
    kill(own_server)
    try:
        with pytest.raises(RedisError):
            ours.edits.add("1", ["sk-2"])
        key = ours.pools.of("1").turn("round_robin").next()
        assert key is not None
        assert key.secret == "sk-1"
    finally:
        revive(own_server)
    assert wait_until(lambda: _adds(ours, "sk-2"), "Redis is back") == Added(1, 0, 2)


def _adds(process: KeepingProcess, secret: str) -> Added | None:
    try:
        return process.edits.add("1", [secret])
    except RedisError:
        return None


@pytest.mark.parametrize("meanwhile", ["one key was changed", "more than the log tells", "Redis was emptied before"])
def test_redis_may_be_emptied_at_any_moment_of_a_look(
    new_process: New, own_redis: Redis, own_server: EmbeddedRedis, meanwhile: str
) -> None:
    """Between what tells of a change and the key itself, between ids and keys, in the midst of a write back."""
    for n in count(1):
        own_redis.flushall()
        ours, looks = KeepingProcess(own_server.url), KeepingProcess(own_server.url)
        ours.edits.add("1", ["sk-1", "sk-2"])
        ours.edits.add("2", ["sk-3"])
        looks.pools.load()
        ours.edits.enable("1", ours.edits.ids("1")[:1], enabled=False)
        if meanwhile == "more than the log tells":
            own_redis.delete(CHANNEL_KEYS_LOG)
        elif meanwhile == "Redis was emptied before":
            own_redis.flushall()
        looks.pools.stored = emptied = EmptiedBefore(looks.pools.stored, n)
        looks.pools.load()
        ours.pools.load()
        looks.pools.load()
        later = KeepingProcess(own_server.url)
        later.pools.load()
        for process in (looks, ours, later):
            assert (secrets(process), secrets(process, "2")) == (["sk-1", "sk-2"], ["sk-3"]), n
            assert process.pools.of("1").stored_at(0) == later.pools.of("1").stored_at(0), n
            process.end()
        if emptied.left > 0:
            break
    assert n > 3
