"""A Redis that no gateway uses: tests may empty it, kill it and start it again. Import the fixtures in a conftest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.environ import database_of
from tests.support.wire import Wire


@contextmanager
def running_redis(folder: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(folder)
    server.start()
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with running_redis(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture
def own_redis(own_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client of the emptied server. A database that workers made for it is gone, too: it would bring all back."""
    with open_redis(own_server.url) as client:
        client.flushall()
        for file in database_of(own_server.url).parent.glob(f"{database_of(own_server.url).name}*"):
            file.unlink()
        yield client


@pytest.fixture
def wire(own_server: EmbeddedRedis) -> Iterator[Wire]:
    """Leads to the server, as long as a test lets it."""
    wire = Wire(own_server.url.removeprefix("unix://"))
    yield wire
    wire.close()


def kill(server: EmbeddedRedis) -> None:
    """kill -9 of the server process."""
    assert server.process is not None
    server.process.kill()
    server.process.wait()


def revive(server: EmbeddedRedis) -> None:
    """Starts a killed server again, on the data that it left."""
    server.spawn()
    server.wait_until_ready()
