"""A start with another ENCRYPTION_KEY than that of the stored keys is refused, and names what it cannot read."""

from __future__ import annotations

import orjson
import pytest

from app.config import ConfigError
from app.storage.connections import CHANNEL_KEYS, CHANNEL_KEYS_SEALED_BY, CHANNEL_KEYS_VERSIONS, CHANNELS_SET, Redis
from app.storage.keys.encryption import KeysUnreadable, check, holds_keys, noted, sealed_by
from app.storage.keys.pools import KeyPools
from app.storage.secrets import Secrets

NONE, OLD, NEW = Secrets(), Secrets(["old"], 1), Secrets(["new"], 1)
BOTH, OFF = Secrets(["new", "old"], 1), Secrets(["", "old"], 1)


def put(client: Redis, channel_id: str, secrets: Secrets, count: int = 1, name: str = "") -> None:
    """Keys as they are stored."""
    begin = int(client.hlen(CHANNEL_KEYS + channel_id))
    for id in range(begin, begin + count):
        client.hset(CHANNEL_KEYS + channel_id, str(id), orjson.dumps({"value": secrets.seal(f"sk-{id}", channel_id)}))
    client.hset(CHANNEL_KEYS_VERSIONS, channel_id, 1)
    if name:
        client.hset(CHANNELS_SET, channel_id, orjson.dumps({"said": {"name": name}}))


@pytest.fixture
def sealed(own_redis: Redis) -> Redis:
    """Two channels have keys that are encrypted with the old key, one of them also a plain one."""
    check(own_redis, OLD)
    put(own_redis, "1", OLD, 3, "main")
    put(own_redis, "2", OLD, name="spare")
    put(own_redis, "2", NONE)
    return own_redis


@pytest.mark.parametrize("secrets", [OLD, BOTH, OFF])
def test_a_start_that_opens_all_keys_goes_on(sealed: Redis, secrets: Secrets) -> None:
    check(sealed, secrets)


@pytest.mark.parametrize(("secrets", "says"), [(NEW, "does not open"), (NONE, "is not set")])
def test_a_start_that_does_not_is_told_of_which_channels(sealed: Redis, secrets: Secrets, says: str) -> None:
    with pytest.raises(KeysUnreadable, match=says) as caught:
        check(sealed, secrets)
    assert "main (3), spare (1)" in str(caught.value)
    assert "encrypt_keys.py --delete-unreadable" in str(caught.value)
    assert isinstance(caught.value, ConfigError)
    assert noted(sealed) == {OLD.first_id}, "a key that is refused is none that was at work"


def test_a_redis_that_lost_the_ids_is_believed_by_its_keys(sealed: Redis) -> None:
    sealed.delete(CHANNEL_KEYS_SEALED_BY)
    with pytest.raises(KeysUnreadable):
        check(sealed, NEW)
    check(sealed, BOTH)


def test_a_start_reads_keys_while_redis_is_full(sealed: Redis) -> None:
    pools = KeyPools(sealed, OLD)
    sealed.config_set("maxmemory", 1)
    try:
        check(sealed, OLD)
        pools.load()
    finally:
        sealed.config_set("maxmemory", 0)
    assert pools.counts().active == 5


def test_a_key_with_which_nothing_is_stored_any_more_is_not_asked_for(own_redis: Redis) -> None:
    check(own_redis, OLD)
    check(own_redis, NEW)
    put(own_redis, "1", NEW)
    check(own_redis, NEW)
    assert sealed_by(own_redis, noted(own_redis)) == {"1": {NEW.first_id: 1}}


def test_a_gateway_without_a_key_may_start_where_keys_lie_plain(own_redis: Redis) -> None:
    put(own_redis, "1", NONE)
    check(own_redis, NONE)
    check(own_redis, OFF)
    assert noted(own_redis) == set()


def test_what_is_no_key_hinders_nobody(own_redis: Redis) -> None:
    check(own_redis, OLD)
    own_redis.hset(CHANNEL_KEYS + "1", mapping={"1": "no JSON", "2": "[]", "3": "{}", "4": '{"value": 7}'})
    own_redis.hset(CHANNEL_KEYS_VERSIONS, "1", 1)
    own_redis.hset(CHANNELS_SET, "1", "no JSON")
    check(own_redis, NEW)


def test_keys_that_were_deleted_are_none(own_redis: Redis) -> None:
    assert not holds_keys(own_redis)
    put(own_redis, "1", NONE)
    assert holds_keys(own_redis)
    own_redis.delete(CHANNEL_KEYS + "1")
    assert not holds_keys(own_redis)
