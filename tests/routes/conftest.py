"""Gateways that show web pages, and a site for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from app.storage.connections import ADMIN_FAILURES
from tests.support.api_calls import OTHER_TOKEN, TOKEN, Accounts, good
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import own_redis, own_server, running_redis
from tests.support.upstream import Upstream

__all__ = ["own_redis", "own_server"]


@pytest.fixture(scope="package")
def open_gateway(redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url, {"WEB_PROXY": "open", "EGRESS_PORTS": "*"}).start()
    yield process
    process.stop()


@pytest.fixture(scope="package")
def token_gateway(redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url, {"WEB_PROXY": "token", "EGRESS_PORTS": "*"}).start()
    yield process
    process.stop()


@pytest.fixture(scope="package")
def api_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One that has access tokens and a Redis of its own: with its channels `/v1` is no unknown path."""
    with running_redis(tmp_path_factory.mktemp("api")) as server:
        process = GatewayProcess(server.url, {"AUTH_KEY": f"{TOKEN}, {OTHER_TOKEN}"}).start()
        yield process
        process.stop()


@pytest.fixture
def accounts(api_gateway: GatewayProcess) -> Iterator[Accounts]:
    """No channels yet, and an upstream that answers well."""
    upstream = Upstream(handler=good)
    accounts = Accounts(api_gateway, upstream)
    yield accounts
    accounts.close()
    upstream.close()


@pytest.fixture
def site() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    """Nobody is locked out by the tries of the test."""
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


@pytest.fixture
def no_channels_stay(gateway: GatewayProcess) -> Iterator[None]:
    """The test's channels are deleted in the end."""
    yield
    while listed := gateway.admin("GET", "/api/channels").json()["channels"]:
        for channel in listed:
            gateway.admin("DELETE", f"/api/channels/{channel['id']}")
