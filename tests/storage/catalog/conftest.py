"""The catalogue as each process has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.core.settings import Limits, Settings
from app.storage.catalog.catalog import Catalog
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis


@pytest.fixture
def new_catalog(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Callable[[], Catalog]]:
    """What each process has; nobody listens, so one hears of another's change only when it looks."""
    clients: list[Redis] = []

    def make() -> Catalog:
        clients.append(open_redis(own_server.url))
        return Catalog(clients[-1], Limits(), Settings())

    yield make
    for client in clients:
        client.close()
