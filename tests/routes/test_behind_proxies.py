"""Behind reverse proxies: every door takes the client's address from the same place."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import redis

from app.storage.connections import ADMIN_FAILURES
from tests.support.gateway import GatewayProcess, wait_until
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def behind(redis_url: str) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(redis_url, {"TRUSTED_PROXY_COUNT": "1"}).start()
    yield gateway
    gateway.stop()


@pytest.fixture(autouse=True)
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


def try_token(gateway: GatewayProcess, path: str, forwarded_for: str) -> int:
    sent = {"Authorization": "Bearer wrong", "X-Forwarded-For": forwarded_for}
    return gateway.request("GET", path, headers=sent).status


def test_the_line_of_a_mapped_call_names_the_client(behind: GatewayProcess, upstream: Upstream) -> None:
    """And not the proxy; of several fields the last one counts."""
    behind.map("/up", upstream.url)
    head = b"GET /up/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.77:50001\r\n"
    answer = behind.raw(head + b"Connection: close\r\n\r\n")
    request_id = re.search(rb"(?i)x-request-id: (\w+)", answer)
    assert request_id is not None
    line = wait_until(
        lambda: re.search(f"request_id={request_id[1].decode()}.*", behind.read_log()), "the request's line"
    )
    assert " client=203.0.113.77 " in line[0]


@pytest.mark.parametrize("path", ["/api/mappings", "/proxy/https://a.example/"])
def test_a_port_or_a_spelling_gets_round_no_lock(behind: GatewayProcess, path: str) -> None:
    """Azure writes the client's port, which is new with each connection."""
    for port in range(5):
        assert try_token(behind, path, f"203.0.113.9:{50_000 + port}") == 401
    assert try_token(behind, path, '"203.0.113.9:1"') == 429
    assert try_token(behind, path, "203.0.113.8") == 401
    for host in range(5):
        assert try_token(behind, path, f"[2001:db8:0:7::{host}]:{50_000 + host}") == 401
    assert try_token(behind, path, "2001:DB8:0:7:0::99") == 429


def test_garbage_is_the_proxys_own_address(behind: GatewayProcess) -> None:
    """What cannot be read as an address gives nobody an account of his own for guesses."""
    for number in range(5):
        assert try_token(behind, "/api/mappings", f"garbage{number}") == 401
    assert try_token(behind, "/api/mappings", "other garbage") == 429
