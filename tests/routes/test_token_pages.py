"""Access tokens that open web pages: in Proxy-Authorization, where WEB_PROXY is `token`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.tokens import add_token, change_token, delete_tokens
from tests.support.upstream import Peer, Upstream

pytestmark = pytest.mark.usefixtures("forgive")


@pytest.fixture
def gateway(token_gateway: GatewayProcess) -> Iterator[GatewayProcess]:
    yield token_gateway
    delete_tokens(token_gateway)


def code(gateway: GatewayProcess, site: Upstream, text: str) -> tuple[int, str]:
    reply = gateway.request("GET", f"/proxy/{site.url}/", headers={"Proxy-Authorization": f"Bearer {text}"})
    return reply.status, "" if reply.status == 200 else reply.json()["error"]["code"]


def test_a_token_with_web_pages_opens_them_as_long_as_it_is_good(gateway: GatewayProcess, site: Upstream) -> None:
    token = add_token(gateway, web_pages=True)
    assert code(gateway, site, token.text) == (200, "")
    assert token.text not in site.seen[-1].head.decode("latin-1")
    change_token(gateway, token, web_pages=False)
    assert code(gateway, site, token.text) == (403, "route_not_allowed")
    change_token(gateway, token, web_pages=True, enabled=False)
    assert code(gateway, site, token.text) == (401, "access_token_invalid")
    change_token(gateway, token, enabled=True, expires_at_ms=int(time.time() * 1000) + 1000)
    time.sleep(1.0)
    assert code(gateway, site, token.text) == (401, "access_token_expired")
    gateway.admin("DELETE", f"/api/tokens/{token.id}")
    assert code(gateway, site, token.text) == (401, "login_required")


def test_its_calls_at_once_hold(gateway: GatewayProcess, site: Upstream) -> None:
    arrived, release = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        if peer.read_request() is not None:
            arrived.set()
            release.wait(5)
            peer.answer(b"hi", fields="Connection: close\r\n")

    site.handler = slow
    token = add_token(gateway, web_pages=True, max_concurrency=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(code, gateway, site, token.text)
        assert arrived.wait(5)
        assert code(gateway, site, token.text) == (429, "token_concurrency_exceeded")
        release.set()
        assert first.result() == (200, "")


def test_its_rate_holds(gateway: GatewayProcess, site: Upstream) -> None:
    token = add_token(gateway, web_pages=True, requests_per_minute=1)
    assert code(gateway, site, token.text) == (200, "")
    assert code(gateway, site, token.text) == (429, "token_rate_limited")


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "x-gateway-token"])
def test_it_leaves_in_no_field_and_no_query(open_gateway: GatewayProcess, site: Upstream, name: str) -> None:
    """Also where pages are open to anybody."""
    token = add_token(open_gateway)
    value = f"Bearer {token.text}" if name == "Authorization" else token.text
    reply = open_gateway.request("GET", f"/proxy/{site.url}/?a=1&key={token.text}", headers={name: value})
    delete_tokens(open_gateway)
    assert reply.status == 200
    assert token.text not in site.seen[-1].head.decode("latin-1")
    assert site.seen[-1].target == "/?a=1"
