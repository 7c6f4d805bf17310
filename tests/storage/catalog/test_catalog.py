"""How the operator's changes reach a process, whatever becomes of its connections to Redis."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.storage.catalog import catalog as catalog_module
from app.storage.catalog import mappings
from app.storage.catalog.catalog import POLL_S, Catalog
from app.storage.connections import Redis
from tests.support.waiting import wait_until
from tests.support.wire import Wire

TARGET = "https://one.example"


def test_a_redis_that_takes_no_change_is_known_before_anybody_makes_one(
    new_catalog: Callable[[], Catalog], own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch asks whether it may write, and writes nothing; what it is refused stands in `refused` until it may."""
    monkeypatch.setattr(catalog_module, "POLL_S", 0.02)
    catalog = new_catalog()
    catalog.start()
    try:
        own_redis.config_set("maxmemory", 1)
        wait_until(lambda: catalog.refused == "refuses: its memory is full", "it is known")
        own_redis.config_set("maxmemory", 0)
        wait_until(lambda: catalog.refused == "", "it is well")
        assert own_redis.dbsize() == 0
    finally:
        own_redis.config_set("maxmemory", 0)
        catalog.stop()


@pytest.mark.timing
def test_a_change_arrives_although_the_channel_died_in_silence(wire: Wire, new_catalog: Callable[..., Catalog]) -> None:
    """A connection that a firewall forgot tells nobody: it is missed within a second, long before the poll's turn."""
    there, here = new_catalog(), new_catalog(url=wire.url)
    here.start()
    try:
        wait_until(lambda: wire.subscriptions == 1, "it listens")
        mappings.add(there, "/before", TARGET)
        wait_until(lambda: "/before" in here.snapshot.mappings, "the change arrives")
        wire.lose_subscribers()
        mappings.add(there, "/lost", TARGET)
        wait_until(lambda: "/lost" in here.snapshot.mappings, "the change is found", timeout_s=POLL_S / 2)
        wait_until(lambda: wire.subscriptions == 2, "it listens again")
        mappings.add(there, "/heard", TARGET)
        wait_until(lambda: "/heard" in here.snapshot.mappings, "the change is heard", timeout_s=0.4)
    finally:
        here.stop()


@pytest.mark.timing
def test_a_channel_that_lives_is_kept(wire: Wire, new_catalog: Callable[..., Catalog]) -> None:
    """Silence alone is no reason to leave: one subscription lasts, and what comes on it is heard at once."""
    there, here = new_catalog(), new_catalog(url=wire.url)
    here.start()
    try:
        with pytest.raises(AssertionError, match="it listens again"):
            wait_until(lambda: wire.subscriptions > 1, "it listens again", timeout_s=1.5)
        mappings.add(there, "/heard", TARGET)
        wait_until(lambda: "/heard" in here.snapshot.mappings, "the change is heard", timeout_s=0.4)
    finally:
        here.stop()
