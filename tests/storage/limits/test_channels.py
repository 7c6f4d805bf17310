"""Limits of channels and keys: who is full is passed over, and a channel whose fit keys are all full is full."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.core.choosing.standing import Full
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.pool import KeyPool
from app.storage.limits.channels import ChannelLimits, Place, Taken
from app.storage.limits.minutes import Minutes
from app.storage.limits.slots import Slots
from tests.support.keeping import PLAIN, channel, now_ms, put_keys

New = Callable[[], ChannelLimits]


@pytest.fixture
def new_limits(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[New]:
    """Those of one process."""
    started: list[tuple[Slots, Minutes, Redis]] = []

    def start() -> ChannelLimits:
        client = open_redis(own_server.url, socket_timeout_s=0.3)
        started.append((Slots(client), Minutes(client), client))
        slots, minutes, _ = started[-1]
        slots.start()
        minutes.start()
        return ChannelLimits(slots, minutes)

    yield start
    for slots, minutes, client in started:
        minutes.stop()
        slots.stop()
        client.close()


def pool(keys: int = 3) -> KeyPool:
    pool = KeyPool("1", PLAIN)
    put_keys(pool, range(1, keys + 1), 0)
    return pool


def taken(limits: ChannelLimits, of: KeyPool, **options: int) -> Taken | Full | None:
    return limits.take_key(channel(**options), of.turn("round_robin"))


def test_attempts_at_once_are_limited_over_all_processes(new_limits: New) -> None:
    ours, other = new_limits(), new_limits()
    limited = channel(max_concurrency=2)
    places = [limits.take_channel(limited) for limits in (ours, other)]
    assert all(isinstance(place, Place) for place in places)
    assert ours.take_channel(limited) == other.take_channel(limited) == Full("concurrency")
    places[0].release()  # type: ignore[union-attr]
    assert isinstance(other.take_channel(limited), Place)


def test_attempts_a_minute_are_limited_and_it_is_told_when_there_is_room(new_limits: New) -> None:
    limits, limited = new_limits(), channel(requests_per_minute=2)
    before_ms = now_ms()
    for _ in range(2):
        place = limits.take_channel(limited)
        assert isinstance(place, Place)
        place.release()
    full = limits.take_channel(limited)
    assert isinstance(full, Full)
    assert full.limit == "requests_per_minute"
    assert before_ms + 59_900 < full.until_ms < now_ms() + 60_100
    found = limits.full(limited, 3)
    assert found is not None
    assert found.limit == "requests_per_minute"


def test_an_attempt_that_did_not_begin_gives_all_back(new_limits: New) -> None:
    limits, limited = new_limits(), channel(requests_per_minute=1, max_concurrency=1)
    for _ in range(3):
        place = limits.take_channel(limited)
        assert isinstance(place, Place)
        place.cancel()
    assert isinstance(limits.take_channel(limited), Place)
    assert limits.full(limited, 3) == Full("concurrency")


def test_a_refusal_by_the_minute_holds_no_slot(new_limits: New) -> None:
    limits, limited = new_limits(), channel(requests_per_minute=1, max_concurrency=5)
    place = limits.take_channel(limited)
    assert isinstance(place, Place)
    place.release()
    for _ in range(10):
        assert isinstance(limits.take_channel(limited), Full)
    assert limits._slots.in_use("channel:1") == 0


def test_a_full_key_is_passed_over_and_all_full_keys_make_the_channel_full(new_limits: New) -> None:
    limits, keys = new_limits(), pool()
    options = {"key_max_concurrency": 1}
    found = [taken(limits, keys, **options) for _ in range(3)]
    assert {of.key.id for of in found if isinstance(of, Taken)} == {"1", "2", "3"}
    assert taken(limits, keys, **options) == Full("concurrency")
    assert limits.full(channel(**options), 3) == Full("concurrency")
    assert limits.full(channel(**options), 4) is None, "another key is fit"


def test_a_key_that_came_free_is_taken_again(new_limits: New) -> None:
    limits, keys = new_limits(), pool(1)
    first = taken(limits, keys, key_max_concurrency=1)
    assert isinstance(first, Taken)
    first.place.release()
    assert isinstance(taken(limits, keys, key_max_concurrency=1), Taken)


def test_attempts_a_minute_of_keys_are_counted_for_each(new_limits: New) -> None:
    limits, keys = new_limits(), pool(2)
    for _ in range(4):
        assert isinstance(taken(limits, keys, key_requests_per_minute=2), Taken)
    full = taken(limits, keys, key_requests_per_minute=2)
    assert isinstance(full, Full)
    assert full.limit == "requests_per_minute"
    assert now_ms() + 50_000 < full.until_ms < now_ms() + 61_000


def test_without_limits_nothing_is_asked_and_nothing_remembered(own_redis: Redis) -> None:
    slots, minutes = Slots(own_redis), Minutes(own_redis)
    limits = ChannelLimits(slots, minutes)
    for _ in range(3):
        assert isinstance(limits.take_channel(channel()), Place)
        assert isinstance(taken(limits, pool()), Taken)
    assert limits.full(channel(), 3) is None
    assert not slots._leases
    assert not limits._full_keys
    assert taken(limits, pool(0)) is None, "no fit key is not full"


def test_room_for_a_key_that_is_named_is_taken_in_both_or_in_neither(new_limits: New) -> None:
    limits, limited = new_limits(), channel(max_concurrency=2, key_max_concurrency=1)
    first = limits.take_both(limited, "1")
    assert not isinstance(first, Full)
    assert limits.take_both(limited, "1") == Full("concurrency"), "the key is full"
    second = limits.take_both(limited, "2")
    assert not isinstance(second, Full), "the channel's place was given back"
    assert limits.take_both(limited, "3") == Full("concurrency"), "the channel is full"
    for place in (*first, *second):
        place.release()
    assert not isinstance(limits.take_both(limited, "1"), Full)
    assert not isinstance(limits.take_both(channel("2"), "1"), Full), "nothing is limited there"
