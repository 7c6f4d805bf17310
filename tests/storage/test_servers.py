"""Connections are given up together when another Redis takes over at their address; one may be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.connections import Redis, RedisError, messages, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.servers import KeptConnection
from tests.support.failover import Pair, primary_and_replica, promote
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with primary_and_replica(tmp_path) as pair:
        yield pair


def test_a_listener_that_came_back_too_early_goes_over_too(pair: Pair) -> None:
    """The address may follow after a process was told of the failover, and listened there anew; then nobody says no."""
    address, old, new = pair
    with open_redis(address.url) as client:
        client.set("said", "before")
        promote(address, old, new, address_follows=False)
        with pytest.raises(RedisError, match="read only"):
            client.set("said", "too early")
        with client.pubsub() as channel:
            channel.subscribe("news")
            wait_until(lambda: address.open_to(old) == 1, "what was given up is closed")
            address.server = new
            client.set("said", "in time")
            for _ in messages(channel):
                pass
        wait_until(lambda: address.open_to(old) == 0, "none is left")


@pytest.fixture
def kept(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[KeptConnection]:
    with open_redis(own_server.url, socket_timeout_s=0.2) as client:
        kept = KeptConnection(client)
        yield kept
        kept.close()


def test_a_kept_connection_is_kept(kept: KeptConnection, own_redis: Redis) -> None:
    """All commands go over one, also after an error of Redis, and nobody else's; given back, it serves any."""
    first = kept.execute_command("CLIENT", "ID")
    own_redis.set("text", "no number")
    with pytest.raises(RedisError, match="integer"):
        kept.execute_command("INCR", "text")
    assert kept.execute_command("CLIENT", "ID") == first
    with Redis(connection_pool=kept._pool) as client:
        assert client.client_id() != first
        kept.close()
        assert client.client_id() == first
    assert kept.execute_command("CLIENT", "ID") == first


def test_a_reply_that_came_too_late_is_no_answer_to_the_next_command(kept: KeptConnection, own_redis: Redis) -> None:
    """Whoever gave up waiting for one reads none of it afterwards."""
    assert kept.execute_command("ECHO", "before") == b"before"
    own_redis.client_pause(400)
    with pytest.raises(RedisError):
        kept.execute_command("ECHO", "late")
    wait_until(own_redis.ping, "the pause is over")
    assert kept.execute_command("ECHO", "next") == b"next"


def test_a_kept_connection_connects_again(kept: KeptConnection, own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """A restart of Redis costs one error."""
    assert kept.execute_command("PING")
    kill(own_server)
    with pytest.raises(RedisError):
        kept.execute_command("PING")
    revive(own_server)
    assert kept.execute_command("PING")


def test_a_kept_connection_goes_over_after_a_failover(pair: Pair) -> None:
    """As soon as anybody of the process was told of it, without a command that the old primary would have taken."""
    address, old, new = pair
    with open_redis(address.url) as client:
        kept = KeptConnection(client)
        kept.execute_command("SET", "said", "before")
        client.ping()  # over another connection to the old one
        promote(address, old, new)
        with pytest.raises(RedisError, match="read only"):
            client.set("said", "to the old one")
        assert kept.execute_command("SET", "said", "to the new one")
        assert new.client.get("said") == b"to the new one"
        kept.close()
