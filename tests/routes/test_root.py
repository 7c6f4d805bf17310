"""The admin's routes at the root, and what /health and /stats tell of keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from app.storage.connections import ADMIN_FAILURES, MAPPINGS, MAPPINGS_UPDATES, Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import own_redis, own_server
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

__all__ = ["own_redis", "own_server"]

CANARY = "sk-canary-5f6e7d8c9b"
ROUTES = [("GET", "/blacklist"), ("GET", "/reset-keys"), ("POST", "/reset-keys")]


@pytest.fixture
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


def refuse(peer: Peer) -> None:
    while peer.read_request():
        body = b'{"error":{"message":"Incorrect API key provided: %b","code":"invalid_api_key"}}' % CANARY.encode()
        peer.answer(body, "401 Unauthorized")


def with_bad_key(gateway: GatewayProcess, upstream: Upstream, **said: Any) -> dict[str, Any]:
    """A channel of three keys: one is blacklisted, one rests, one is disabled."""
    upstream.handler = refuse
    urls = [{"url": upstream.url}]
    channel = add_channel(gateway, "one", urls=urls, keys=[CANARY, "sk-second-key", "sk-third-key"], **said)
    at = f"/api/channels/{channel['id']}/keys"
    first, second, third = (key["id"] for key in gateway.admin("GET", at).json()["keys"])
    assert gateway.admin("POST", f"{at}/{first}/test").json()["test"]["outcome"] == "invalid_key"
    gateway.admin("POST", f"{at}/{second}/cooldown", {"seconds": 600})
    gateway.admin("PUT", f"{at}/{third}", {"enabled": False})
    return channel


@pytest.mark.usefixtures("forgive")
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_root_knows_the_bearer_only(gateway: GatewayProcess, method: str, path: str) -> None:
    """No token, a wrong one and a browser's session are refused, in the shape of the admin API."""
    session = gateway.admin("POST", "/api/admin/login", {"token": gateway.admin_token}).field("set-cookie") or ""
    for fields, code in (
        ({}, "token_missing"),
        ({"Cookie": session.split(";")[0]}, "token_missing"),
        ({"Authorization": "Bearer wrong"}, "token_wrong"),
    ):
        reply = gateway.request(method, path, headers=fields)
        assert (reply.status, reply.json()["code"]) == (401, code)


@pytest.mark.usefixtures("forgive")
@pytest.mark.parametrize("path", ["/blacklist", "/api/channels"])
def test_an_access_token_is_no_wrong_try(gateway: GatewayProcess, path: str) -> None:
    """A client that is pointed at the admin's paths locks nobody out."""
    for _ in range(10):
        reply = gateway.request("GET", path, headers={"Authorization": "Bearer sk-gw-0123456789"})
        assert (reply.status, reply.json()["code"]) == (401, "token_wrong")
    assert gateway.admin("GET", path).status == 200


@pytest.mark.usefixtures("no_channels_stay")
def test_the_blacklist_is_shown_and_emptied(gateway: GatewayProcess, upstream: Upstream) -> None:
    """With previews and reasons that hold no key; disabled ones are neither shown nor restored."""
    channel = with_bad_key(gateway, upstream)
    reply = gateway.admin("GET", "/blacklist")
    told = reply.json()
    [key] = told.pop("blacklistedKeys")
    assert told == {"success": True, "totalBlacklisted": 1, "totalKeys": 3, "healthyKeys": 1}
    assert (key["channel"], key["keyPreview"]) == ("one", "sk-c…8c9b")
    assert key["reason"] == "invalid_key: Incorrect API key provided: sk-c…8c9b"
    assert key["since_ms"] > 0
    assert (CANARY.encode() in reply.body, reply.field("cache-control")) == (False, "no-store")
    cleared = gateway.admin("GET", "/reset-keys").json()
    assert (cleared["clearedCount"], cleared["totalKeys"]) == (2, 3)
    assert gateway.admin("GET", "/blacklist").json()["blacklistedKeys"] == []
    keys = gateway.admin("GET", f"/api/channels/{channel['id']}").json()["channel"]["keys"]
    assert keys == {"total": 3, "active": 2, "resting": 0, "blacklisted": 0, "disabled": 1}
    assert gateway.admin("POST", "/reset-keys").json()["clearedCount"] == 0


@pytest.mark.usefixtures("no_channels_stay")
def test_health_and_stats_count_keys_and_channels_without_names(gateway: GatewayProcess, upstream: Upstream) -> None:
    """By their states; nothing tells which."""
    with_bad_key(gateway, upstream, note="a secret note")
    add_channel(gateway, "off", enabled=False)
    counts = {"total": 3, "active": 0, "resting": 1, "blacklisted": 1, "disabled": 1}
    health, stats = gateway.request("GET", "/health"), gateway.request("GET", "/stats")
    assert health.json()["keys"] == stats.json()["keys"] == counts
    assert stats.json()["channels"] == {"total": 2, "enabled": 1}
    for reply in (health, stats):
        assert CANARY.encode() not in reply.body
        assert b"a secret note" not in reply.body


def test_health_is_503_where_channels_are_all_and_have_no_key(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """A mapping with a target of its own serves all the same, one that leads to a channel does not."""
    gateway = GatewayProcess(own_server.url).start()
    try:
        assert gateway.request("GET", "/health").json()["keys"]["total"] == 0
        channel = add_channel(gateway, "one")
        for prefix in gateway.admin("GET", "/api/mappings").json()["mappings"]:
            gateway.admin("DELETE", f"/api/mappings{prefix}")
        gateway.map("/one", "channel:one")

        def unavailable() -> bool:
            reply = gateway.request("GET", "/health")
            return reply.status == 503 and "no key of any channel may be used" in reply.json()["reasons"]

        wait_until(unavailable, "the keys are known")
        gateway.map("/own", "https://one.example")
        assert gateway.request("GET", "/health").status == 200
        gateway.admin("DELETE", "/api/mappings/own")
        assert gateway.request("GET", "/health").status == 503
        gateway.admin("POST", f"/api/channels/{channel['id']}/keys", {"text": "sk-1"})
        assert gateway.request("GET", "/health").json()["status"] != "unavailable"
    finally:
        gateway.stop()


@pytest.mark.parametrize("prefix", ["/blacklist", "/Login", "/logout/x", "/public", "/reset%2Dkeys", "/web"])
def test_no_new_mapping_takes_a_path_of_the_gateways(gateway: GatewayProcess, prefix: str) -> None:
    """In no spelling."""
    reply = gateway.admin("POST", "/api/mappings", {"prefix": prefix, "target": "https://one.example"})
    assert (reply.status, reply.json()["field"]) == (400, "prefix")


def test_a_stored_mapping_keeps_such_a_path(
    gateway: GatewayProcess, upstream: Upstream, redis_client: redis.Redis
) -> None:
    """It was there before the gateway took that path, and goes first."""
    redis_client.hset(MAPPINGS, "/web", upstream.url)
    redis_client.publish(MAPPINGS_UPDATES, "x")
    try:
        wait_until(lambda: gateway.request("GET", "/web/x").status == 200, "it is served")
    finally:
        gateway.admin("DELETE", "/api/mappings/web")
