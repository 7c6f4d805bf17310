"""Connections are given up together when another Redis takes over at their address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.connections import RedisError, messages, open_redis
from tests.support.failover import Pair, primary_and_replica, promote
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
