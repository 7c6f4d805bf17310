"""How the operator's changes reach a process, whatever becomes of its connections to Redis."""

from __future__ import annotations

import pytest

from app.core.settings import Limits, Settings
from app.storage.catalog import POLL_S, Catalog
from app.storage.connections import Redis, open_redis
from tests.support.own_redis import poll
from tests.support.wire import Wire

TARGET = "https://one.example"


@pytest.mark.timing
def test_a_change_arrives_although_the_channel_died_in_silence(wire: Wire, own_redis: Redis) -> None:
    """A connection that a firewall forgot tells nobody: it is missed within a second, long before the poll's turn."""
    there, here = Catalog(own_redis, Limits(), Settings()), Catalog(open_redis(wire.url), Limits(), Settings())
    here.start()
    try:
        poll(lambda: wire.subscriptions == 1)
        there.add_mapping("/before", TARGET)
        poll(lambda: "/before" in here.snapshot.mappings)
        wire.lose_subscribers()
        there.add_mapping("/lost", TARGET)
        assert poll(lambda: "/lost" in here.snapshot.mappings) < POLL_S / 2
        poll(lambda: wire.subscriptions == 2)
        there.add_mapping("/heard", TARGET)
        assert poll(lambda: "/heard" in here.snapshot.mappings) < 0.4
    finally:
        here.stop()


@pytest.mark.timing
def test_a_channel_that_lives_is_kept(wire: Wire, own_redis: Redis) -> None:
    """Silence alone is no reason to leave: one subscription lasts, and what comes on it is heard at once."""
    there, here = Catalog(own_redis, Limits(), Settings()), Catalog(open_redis(wire.url), Limits(), Settings())
    here.start()
    try:
        with pytest.raises(AssertionError, match="in vain"):
            poll(lambda: wire.subscriptions > 1, timeout_s=1.5)
        there.add_mapping("/heard", TARGET)
        assert poll(lambda: "/heard" in here.snapshot.mappings) < 0.4
    finally:
        here.stop()
