"""What Redis has lost of keys no process loses: it is written back, whole, whenever that was."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from typing import Any

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
from app.storage.keys.form import KeysLost
from app.storage.keys.pools import MOST_LOSSES
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
    own_redis: Redis, own_server: EmbeddedRedis, meanwhile: str
) -> None:
    """Between what tells of a change and the key itself, between ids and keys, in the midst of a write back."""
    for n in count(1):
        own_redis.flushall()
        ours, looks, later = [KeepingProcess(own_server.url) for _ in range(3)]
        ours.edits.add("1", ["sk-1", "sk-2"])
        ours.edits.add("2", ["sk-3"])
        looks.pools.load()
        ours.edits.enable("1", ours.edits.ids("1")[:1], enabled=False)
        if meanwhile == "more than the log tells":
            own_redis.delete(CHANNEL_KEYS_LOG)
        elif meanwhile == "Redis was emptied before":
            own_redis.flushall()
        stored = looks.pools.stored
        looks.pools.stored = emptied = EmptiedBefore(stored, n)
        looks.pools.load()
        looks.pools.stored = stored
        for process in (looks, ours, looks, later):
            process.pools.load()
        for process in (looks, ours, later):
            assert (secrets(process), secrets(process, "2")) == (["sk-1", "sk-2"], ["sk-3"]), n
            assert not process.pools.of("1").stored_at(0).enabled, n
            process.end()
        if emptied.left > 0:
            break
    assert n > 2


@pytest.mark.soak
@pytest.mark.parametrize("keys", [2, 600], ids=["in one piece", "in several"])
def test_a_process_alone_writes_back_all_whenever_redis_is_emptied_again(
    own_redis: Redis, own_server: EmbeddedRedis, keys: int
) -> None:
    for n in count(1):
        own_redis.flushall()
        ours, later = KeepingProcess(own_server.url), KeepingProcess(own_server.url)
        ours.edits.add("1", [f"sk-{number}" for number in range(keys)])
        ours.edits.add("2", ["sk-other"])
        ours.edits.add("3", ["sk-gone"])
        ours.edits.delete("3", ours.edits.ids("3"))
        own_redis.flushall()
        stored = ours.pools.stored
        ours.pools.stored = emptied = EmptiedBefore(stored, n)
        ours.pools.load()
        ours.pools.stored = stored
        ours.pools.load()
        later.pools.load()
        for process in (ours, later):
            assert (len(process.pools.of("1")), secrets(process, "2")) == (keys, ["sk-other"]), n
            process.end()
        if emptied.left > 0:
            break
    assert n > 10


def test_a_redis_that_is_emptied_all_the_while_is_given_up_for_now(own_redis: Redis, own_server: EmbeddedRedis) -> None:
    ours = KeepingProcess(own_server.url)
    ours.edits.add("1", ["sk-1"])
    own_redis.flushall()
    end, ends = ours.pools.stored.end_write_back, []

    def end_late(*arguments: Any) -> Any:
        own_redis.flushall()
        ends.append(arguments)
        return end(*arguments)

    ours.pools.stored.end_write_back = end_late  # type: ignore[method-assign]
    with pytest.raises(KeysLost):
        ours.pools.load()
    assert len(ends) == MOST_LOSSES
    ours.pools.stored.end_write_back = end  # type: ignore[method-assign]
    ours.pools.load()
    assert secrets(KeepingProcess(own_server.url)) == []  # it has not looked
    assert own_redis.hlen(CHANNEL_KEYS + "1") == 1
    ours.end()


def know_more(own_server: EmbeddedRedis, own_redis: Redis) -> tuple[KeepingProcess, KeepingProcess]:
    """One that has heard of nothing lately, and one that has; and a Redis that is empty."""
    less, more = KeepingProcess(own_server.url), KeepingProcess(own_server.url)
    more.edits.add("1", ["sk-1", "sk-2"])
    less.pools.load()
    more.edits.enable("1", more.edits.ids("1")[:1], enabled=False)
    more.edits.add("1", ["sk-3"])
    more.edits.add("2", ["sk-new"])
    own_redis.flushall()
    return less, more


def agree(own_server: EmbeddedRedis, *processes: KeepingProcess) -> None:
    """That they, and one that begins now, have all that was known to whoever knew most."""
    later = KeepingProcess(own_server.url)
    for process in (*processes, later):
        process.pools.load()
        assert (secrets(process), secrets(process, "2")) == (["sk-1", "sk-2", "sk-3"], ["sk-new"])
        assert [process.pools.of("1").stored_at(place).enabled for place in range(3)] == [False, True, True]


def test_who_knows_more_goes_before_whoever_writes_back_first(own_redis: Redis, own_server: EmbeddedRedis) -> None:
    less, more = know_more(own_server, own_redis)
    less.pools.load()
    assert secrets(less) == ["sk-1", "sk-2"]
    more.pools.load()
    agree(own_server, less, more)
    more.edits.enable("1", more.edits.ids("1")[:1], enabled=True)
    less.pools.load()
    assert less.pools.of("1").counts == more.pools.of("1").counts


def test_two_may_write_back_at_once(own_redis: Redis, own_server: EmbeddedRedis) -> None:
    """One ends in the midst of the other's. All hear of what he did not know, and no id is given twice."""
    less, more = know_more(own_server, own_redis)
    write_back, done = more.pools.stored.write_back, []

    def write_late(*arguments: Any) -> bool:
        if not done:
            done.append(less.pools.load())
        return write_back(*arguments)

    more.pools.stored.write_back = write_late  # type: ignore[method-assign]
    more.pools.load()
    agree(own_server, less, more)
    assert less.edits.add("1", ["sk-4"]) == Added(1, 0, 4)
    more.pools.load()
    assert secrets(more) == ["sk-1", "sk-2", "sk-3", "sk-4"]


def test_what_somebody_did_after_the_write_back_is_not_undone(own_redis: Redis, own_server: EmbeddedRedis) -> None:
    less, more = know_more(own_server, own_redis)
    less.pools.load()
    less.edits.drop("1")
    less.edits.add("2", ["sk-later"])
    more.pools.load()
    for process in (less, more):
        process.pools.load()
        assert (secrets(process), secrets(process, "2")) == ([], ["sk-later"])


def test_whoever_knows_less_may_write_back_first_and_redis_be_emptied_again(
    own_redis: Redis, own_server: EmbeddedRedis
) -> None:
    """At any moment of the look of him who knows more."""
    for n in count(1):
        own_redis.flushall()
        less, more = know_more(own_server, own_redis)
        less.pools.load()
        stored = more.pools.stored
        more.pools.stored = emptied = EmptiedBefore(stored, n)
        more.pools.load()
        more.pools.stored = stored
        for process in (less, more):
            process.pools.load()
        agree(own_server, less, more)
        if emptied.left > 0:
            break
    assert n > 10


def test_who_slept_through_two_losses_and_an_edit_agrees_in_the_end(
    own_redis: Redis, own_server: EmbeddedRedis
) -> None:
    """Though what was written back twice by two has the same number."""
    one, other = KeepingProcess(own_server.url), KeepingProcess(own_server.url)
    other.edits.add("1", ["sk-1"])
    one.pools.load()
    own_redis.flushall()
    other.edits.add("1", ["sk-other"])
    own_redis.flushall()
    one.edits.add("1", ["sk-one"])
    for process in (other, one):
        process.pools.load()
    assert secrets(one) == secrets(other)


def test_somebody_who_begins_on_the_emptied_redis_hears_of_all(own_redis: Redis, own_server: EmbeddedRedis) -> None:
    """Though he adds more keys in the midst of a write back than were ever changed before."""
    ours = KeepingProcess(own_server.url)
    ours.edits.add("1", ["sk-1"])
    ours.edits.add("2", ["sk-2"])
    own_redis.flushall()
    begins = KeepingProcess(own_server.url)
    begins.pools.load()
    write_back, written = ours.pools.stored.write_back, []

    def write_late(*arguments: Any) -> bool:
        written.append(arguments)
        if len(written) == 2:
            begins.edits.add("3", [f"sk-{number}" for number in range(20)])
        return write_back(*arguments)

    ours.pools.stored.write_back = write_late  # type: ignore[method-assign]
    ours.pools.load()
    for process in (begins, ours):
        process.pools.load()
        assert (secrets(process), secrets(process, "2")) == (["sk-1"], ["sk-2"])
        assert len(secrets(process, "3")) == 20


LOSSES: dict[str, Callable[[Redis, dict[bytes, bytes]], object]] = {
    "emptied": lambda redis, earlier: redis.flushall(),
    "version evicted": lambda redis, earlier: redis.delete(CHANNEL_KEYS_VERSION),
    "emptied, and the log evicted": lambda redis, earlier: (
        redis.delete(CHANNEL_KEYS_LOG) if earlier else redis.flushall()
    ),
    "an older state": lambda redis, earlier: (
        redis.flushall(),
        [redis.restore(key, 0, value) for key, value in earlier.items()],
    ),
}


@pytest.mark.soak
@pytest.mark.parametrize("loss", LOSSES)
def test_whatever_is_lost_while_three_edit_all_agree_in_the_end_and_rest(
    own_redis: Redis, own_server: EmbeddedRedis, loss: str
) -> None:
    for seed in range(12):
        own_redis.flushall()
        chance = random.Random(f"{loss} {seed}")
        earlier: dict[bytes, bytes] = {}
        processes = [KeepingProcess(own_server.url) for _ in range(3)]
        for step in range(30):
            process, of = chance.choice(processes), chance.choice("123")
            match chance.choice(["add", "add", "delete", "enable", "look", "look", "drop", "keep", "lose"]):
                case "add":
                    new = range(chance.choice([1, 2, 3]))
                    process.edits.add(of, [f"sk-{step}-{number}" for number in new])
                case "delete":
                    process.edits.delete(of, process.edits.ids(of)[:1])
                case "enable":
                    process.edits.enable(of, process.edits.ids(of)[:1], enabled=chance.random() < 0.5)
                case "look":
                    process.pools.load()
                case "drop" if chance.random() < 0.5:
                    process.edits.drop(of)
                case "keep":
                    earlier = {key: dump for key in own_redis.scan_iter() if (dump := own_redis.dump(key))}
                case "lose":
                    LOSSES[loss](own_redis, earlier)
        for process in processes * 3:
            process.pools.load()
        version = own_redis.get(CHANNEL_KEYS_VERSION)
        processes.append(KeepingProcess(own_server.url))
        for process in processes:
            process.pools.load()
        assert own_redis.get(CHANNEL_KEYS_VERSION) == version, seed
        told = [[secrets(process, of) for of in "123"] for process in processes]
        assert told == [told[0]] * 4, seed
        for process in processes:
            process.end()


def test_redis_may_start_anew_in_the_midst_of_a_look(own_redis: Redis, own_server: EmbeddedRedis) -> None:
    """It does not know then how far we were."""
    ours, looks = KeepingProcess(own_server.url), KeepingProcess(own_server.url)
    for begin in range(0, 3000, 250):
        ours.edits.add("1", [f"sk-{number}" for number in range(begin, begin + 250)])
    ids, asked = looks.pools.stored._some_ids, []

    def ids_late(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 2:
            own_redis.save()
            kill(own_server)
            revive(own_server)
        return ids(*arguments)

    looks.pools.stored._some_ids = ids_late  # type: ignore[method-assign]
    wait_until(lambda: _loads(looks), "it is read")
    assert len(asked) > 2
    assert len(secrets(looks)) == 3000


def _loads(process: KeepingProcess) -> bool:
    try:
        process.pools.load()
    except RedisError:
        return False
    return True
