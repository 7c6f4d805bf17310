"""What SQL costs a web process it pays with the first question to the database, and not for calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.api_calls import BEARER, Accounts
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import Log
from tests.support.upstream import Upstream

pytestmark = pytest.mark.own_server


@pytest.fixture
def accounts(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Accounts]:
    """Of a gateway that nobody has asked anything."""
    upstream = Upstream()
    gateway = GatewayProcess(own_server.url, {"WEB_CONCURRENCY": "1", "AUTH_KEY": BEARER["Authorization"][7:]}).start()
    yield Accounts(gateway, upstream)
    gateway.stop()
    upstream.close()


def loaded(gateway: GatewayProcess) -> str:
    [pid] = gateway.worker_pids()
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the kernel does not tell what is loaded")
def test_calls_and_the_dashboard_need_no_sql(accounts: Accounts) -> None:
    """Neither SQLAlchemy nor SQLite is there before the log is asked for; both are afterwards."""
    gateway = accounts.gateway
    with open_redis(gateway.redis_url) as client:
        Log(gateway, client).catch_up()
    accounts.add("one")
    assert gateway.request("POST", "/v1/chat/completions", '{"model": "m"}', BEARER).status == 200
    for path in ("/", "/stats", "/health", "/api/channels", "/api/settings", "/api/active"):
        assert gateway.admin("GET", path).status == 200, path
    for name in ("sqlalchemy", "_sqlite3"):
        assert name not in loaded(gateway)
    assert gateway.admin("GET", "/api/logs").status == 200
    for name in ("sqlalchemy", "_sqlite3"):
        assert name in loaded(gateway)
