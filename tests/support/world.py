"""A gateway with channels whose accounts have faults of their own, asked as clients ask."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.storage.embedded import EmbeddedRedis
from tests.support.api_calls import BEARER, TOKEN, Accounts
from tests.support.gateway import GatewayProcess, Reply
from tests.support.own_redis import running_redis
from tests.support.provider import Provider
from tests.support.said_answers import Read, body_for, path_of, read_events, read_plain


class Got(NamedTuple):
    """What a client got, and read out of it."""

    reply: Reply
    read: Read

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def served_by(self) -> tuple[str | None, str | None]:
        """The channel, and after how many attempts."""
        return self.reply.field("x-gateway-channel"), self.reply.field("x-gateway-attempts")


class World:
    def __init__(self, gateway: GatewayProcess, redis: EmbeddedRedis) -> None:
        self.gateway = gateway
        self.redis = redis
        self.provider = Provider()
        self.accounts = Accounts(gateway, self.provider.upstream)
        self._numbers = itertools.count()

    def open(self, *names: str, keys: int = 1, **said: Any) -> list[str]:
        """Accounts, of which the one that was named first goes first; their channels' ids."""
        ids = []
        for place, name in enumerate(names):
            own = {"urls": [{"url": self.provider.url(name)}], "priority": len(names) - place}
            secrets = [f"sk-{name}-{number}" for number in range(1, keys + 1)]
            ids.append(self.accounts.add(name, secrets, **(own | {"key_strategy": "sequential"} | said)))
        return ids

    def ask(self, dialect: str, is_stream: bool) -> Got:
        """Each call is one of its own, and repeats none."""
        body = body_for(dialect, is_stream, f"call {next(self._numbers)}")
        reply = self.gateway.request("POST", path_of(dialect, is_stream), body, BEARER)
        is_events = (reply.field("content-type") or "").startswith("text/event-stream")
        return Got(reply, read_events(reply.body) if is_events else read_plain(reply.body))

    def keys(self, channel_id: str) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = self.gateway.admin("GET", f"/api/channels/{channel_id}/keys").json()["keys"]
        return keys

    def channel(self, channel_id: str) -> dict[str, Any]:
        channel: dict[str, Any] = self.gateway.admin("GET", f"/api/channels/{channel_id}").json()["channel"]
        return channel

    def clear(self) -> None:
        self.accounts.clear()
        self.provider.forget()


@contextmanager
def open_world(folder: Path, **environ: str) -> Iterator[World]:
    """With a Redis of its own; whoever opened it may have a gateway of several processes."""
    with running_redis(folder) as redis:
        gateway = GatewayProcess(redis.url, {"AUTH_KEY": TOKEN, **environ})
        world = World(gateway.start(), redis)
        try:
            yield world
        finally:
            world.provider.close()
            gateway.stop()


@pytest.fixture(scope="module")
def whole_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("redis")) as world:
        yield world


@pytest.fixture
def world(whole_world: World) -> Iterator[World]:
    yield whole_world
    whole_world.clear()
