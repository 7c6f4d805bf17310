"""Tasks are ordered as a web process does it, in the test's own process."""

from __future__ import annotations

import pytest

from app.config import load_config
from app.core.model import Channel
from app.gateway import Gateway, build_gateway
from app.storage.catalog import channels
from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.channels import said_of_channel


@pytest.fixture
def house(own_server: EmbeddedRedis, own_redis: Redis) -> Gateway:
    """What a web process has, on the emptied server; nothing of it is started."""
    gateway = build_gateway(load_config({"REDIS_URL": own_server.url, "ENABLE_STATS": "false"}))
    gateway.catalog.on_change = lambda snapshot: None  # its keepers would write back what the next test's Redis lacks
    gateway.catalog.load()
    return gateway


@pytest.fixture
def channel(house: Gateway) -> Channel:
    return channels.add(house.catalog, said_of_channel("one"), lambda channel: None)
