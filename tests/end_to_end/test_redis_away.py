"""While Redis is away the gateway serves what it knows, hangs nowhere, and recovers by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.storage.connections import MAPPINGS, STATS_EVENTS, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import kill, running_redis
from tests.support.tokens import add_token
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that this test may kill, stop and start again."""
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
def served(own_redis: EmbeddedRedis) -> Iterator[tuple[GatewayProcess, Upstream]]:
    upstream = Upstream()
    process = GatewayProcess(own_redis.url).start()
    process.map("/up", upstream.url)
    yield process, upstream
    process.stop()
    upstream.close()


def test_it_serves_while_redis_is_dead_and_recovers(
    own_redis: EmbeddedRedis, served: tuple[GatewayProcess, Upstream]
) -> None:
    """With Redis killed calls pass, /stats is stale, /health degraded, the admin 503; with Redis back all is well."""
    gateway, _ = served
    assert own_redis.process is not None
    own_redis.process.kill()
    own_redis.process.wait()
    for _ in range(3):
        assert gateway.request("GET", "/up/x").status == 200
    stats = gateway.request("GET", "/stats")
    assert (stats.status, stats.json()["stale"]) == (200, True)
    health = gateway.request("GET", "/health")
    assert (health.status, health.json()["redis"], health.json()["status"]) == (200, False, "degraded")
    admin = gateway.admin("GET", "/api/mappings")
    assert admin.status == 503
    assert "Redis" in admin.json()["error"]
    assert gateway.admin("POST", "/api/mappings", {"prefix": "/n", "target": "https://n.example"}).status == 503

    own_redis.spawn()
    own_redis.wait_until_ready()
    wait_until(lambda: gateway.admin("GET", "/api/mappings").status == 200, "the admin is back")
    wait_until(lambda: gateway.request("GET", "/health").json()["redis"], "health sees it")
    with open_redis(own_redis.url) as client:
        wait_until(lambda: client.llen(STATS_EVENTS), "the events that waited are pushed")
        client.hset(MAPPINGS, "/later", "http://127.0.0.1:1")
    wait_until(lambda: gateway.request("GET", "/later/x").status == 502, "mappings are watched again")


def test_a_redis_that_takes_nothing_more_is_told(
    own_redis: EmbeddedRedis, served: tuple[GatewayProcess, Upstream]
) -> None:
    """It answers and refuses what is written: /health says so and why, though nobody edits and nobody calls."""
    gateway, _ = served
    refusal = "Redis refuses: its memory is full"
    with open_redis(own_redis.url) as client:
        client.config_set("maxmemory", 1)
        wait_until(lambda: refusal in gateway.request("GET", "/health").json()["reasons"], "it is told")
        health = gateway.request("GET", "/health")
        assert (health.status, health.json()["status"]) == (200, "degraded")
        client.config_set("maxmemory", 0)
        wait_until(lambda: refusal not in gateway.request("GET", "/health").json()["reasons"], "it is well")


@pytest.mark.soak
@pytest.mark.timing
def test_a_redis_that_hangs_holds_up_nothing(own_redis: EmbeddedRedis, served: tuple[GatewayProcess, Upstream]) -> None:
    """With Redis stopped (it accepts and never answers) calls pass at once and pages answer within seconds."""
    gateway, _ = served
    assert own_redis.process is not None
    own_redis.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(5):
            started = time.monotonic()
            assert gateway.request("GET", "/up/x").status == 200
            assert time.monotonic() - started < 0.5
        with ThreadPoolExecutor() as pool:
            admin = pool.submit(gateway.admin, "GET", "/api/mappings")
            started = time.monotonic()
            assert gateway.request("GET", "/stats").json()["stale"] is True
            assert gateway.request("GET", "/health").status == 200
            assert time.monotonic() - started < 5
            assert admin.result().status == 503
    finally:
        own_redis.process.send_signal(signal.SIGCONT)
    wait_until(lambda: gateway.admin("GET", "/api/mappings").status == 200, "the admin is back")


def test_tokens_with_limits_have_their_share_while_redis_is_dead_if_the_operator_wants(
    own_redis: EmbeddedRedis, served: tuple[GatewayProcess, Upstream]
) -> None:
    """`budget_when_redis_away: local`; this is the only process, so its share is all."""
    gateway, _ = served
    assert gateway.admin("PUT", "/api/settings", {"budget_when_redis_away": "local"}).status == 200
    gateway.admin("PUT", "/api/mappings/up", {"options": {"require_token": True}})
    token = add_token(gateway, requests_per_minute=3, max_concurrency=2)
    kill(own_redis)
    found = [gateway.request("GET", "/up/x", headers=token.bearer) for _ in range(4)]
    assert [reply.status for reply in found] == [200, 200, 200, 429]
    assert found[-1].field("x-gateway-error") == "token_rate_limited"
    assert gateway.request("GET", "/up/x").status == 401
