"""The catalogue as each process has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from app.core.settings import Limits, Settings
from app.core.snapshot import NOUNS, Noun, Part
from app.storage.catalog.catalog import Catalog
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis


@pytest.fixture
def new_catalog(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Callable[..., Catalog]]:
    """Makes catalogues, each as another process has it. One that is not started hears of others' changes only when it
    looks."""
    made: list[tuple[Catalog, Redis]] = []

    def new(nouns: Sequence[Noun[Part]] = NOUNS, url: str = own_server.url) -> Catalog:
        client = open_redis(url)
        made.append((Catalog(client, Limits(), Settings(), nouns), client))
        return made[-1][0]

    yield new
    for catalog, client in made:
        catalog.stop()
        client.close()
