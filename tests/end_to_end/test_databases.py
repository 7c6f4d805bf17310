"""A gateway as it is deployed, with a MySQL or PostgreSQL: what it answers, and calls while the server is silent."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.database_servers import SERVERS, DatabaseServer, new_server
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until
from tests.support.worker_process import spawn_worker

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    server = new_server(request.param)
    yield server
    server.stop()


def answer(peer: Peer) -> None:
    while peer.read_request() is not None:
        peer.answer(b"hi")


def test_the_log_is_read_from_a_server_and_calls_go_on_without_it(
    server: DatabaseServer, own_server: EmbeddedRedis, own_redis: Redis, upstream: Upstream
) -> None:
    """Rows, counts, statistics, the export and pruning; while the server is silent calls are answered as ever."""
    environ = {"DATABASE_URL": server.url}
    worker = spawn_worker(own_server.url, **environ)
    gateway = GatewayProcess(own_server.url, environ)
    upstream.handler = answer
    gateway.start()
    try:
        gateway.map("/up", upstream.url)
        reply = gateway.request("GET", "/up/x")
        id = reply.field("x-gateway-request-id")
        wait_until(lambda: gateway.admin("GET", f"/api/logs/{id}").status == 200, "the row is there", 30)
        assert gateway.admin("GET", "/api/logs/count").json()["count"] == 1
        assert gateway.admin("GET", f"/api/logs?q={id[:9]}").json()["logs"][0]["request_id"] == id
        assert id.encode() in gateway.admin("GET", "/api/logs/export?format=csv").body
        totals = gateway.admin("GET", "/api/stats?range=24h&by=mapping").json()["totals"]
        assert totals["requests"] == 1
        pruned = gateway.admin("POST", "/api/logs/prune", {})
        assert (pruned.status, pruned.json()["removed"]) == (200, 0)
        server.pause()
        began_s = time.monotonic()
        assert gateway.request("GET", "/up/x").status == 200
        assert gateway.request("GET", "/stats").status == 200
        assert time.monotonic() - began_s < 5
        away = gateway.admin("GET", "/api/logs")
        assert (away.status, away.json()["code"]) == (503, "database_away")
        server.go_on()
        wait_until(lambda: gateway.admin("GET", "/api/logs/count").json().get("count") == 2, "both are there", 90)
    finally:
        server.go_on()
        gateway.stop()
        worker.kill()
        worker.communicate()
