"""A mapping may have a proxy of its own on the way out; its password is shown to nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.forward_proxy import ForwardProxy, HttpProxy, SocksProxy
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

LOGIN = ("proxy-user", "p-secret-w")


@pytest.fixture(params=["http", "socks5h"])
def proxy(request: pytest.FixtureRequest) -> Iterator[tuple[str, ForwardProxy]]:
    """A proxy that alone knows the name up.test."""
    kind = SocksProxy if request.param == "socks5h" else HttpProxy
    server = kind(names={"up.test": "127.0.0.1"}, login=LOGIN)
    yield server.url(request.param, ":".join(LOGIN)), server
    server.close()


@pytest.fixture
def mapped(gateway: GatewayProcess, upstream: Upstream) -> Iterator[str]:
    """A mapping to a name that only the proxy knows."""
    body = {"prefix": "/far", "target": f"http://up.test:{upstream.port}"}
    assert gateway.admin("POST", "/api/mappings", body).status == 201
    yield "/far"
    gateway.admin("DELETE", "/api/mappings/far")


def set_proxy(gateway: GatewayProcess, url: str, **more: object) -> dict[str, object]:
    reply = gateway.admin("PUT", "/api/mappings/far", {"options": {"proxy_url": url, **more}})
    assert reply.status == 200, reply.body
    return reply.json()["mapping"]["options"]


def test_a_mappings_own_proxy_is_used_by_it_alone(
    gateway: GatewayProcess, upstream: Upstream, mapped: str, proxy: tuple[str, ForwardProxy]
) -> None:
    """Calls of the mapping pass the proxy from the change on; others, to the same host too, do not."""
    url, server = proxy
    assert gateway.request("GET", "/far/x").status == 502
    set_proxy(gateway, url)
    assert gateway.request("GET", "/far/x").status == 200
    asked = len(server.asked)
    assert asked == 1
    assert gateway.request("GET", "/up/y").status == 200
    assert len(server.asked) == asked
    assert gateway.admin("PUT", "/api/mappings/far", {"options": {}}).status == 200
    assert gateway.request("GET", "/far/x").status == 502


def test_what_was_shown_masked_can_be_sent_back(
    gateway: GatewayProcess, upstream: Upstream, mapped: str, proxy: tuple[str, ForwardProxy]
) -> None:
    """The password leaves in no answer and no line of the log; an edit of something else keeps it; the mask is none."""
    url, _ = proxy
    shown = set_proxy(gateway, url)["proxy_url"]
    assert shown == url.replace(LOGIN[1], "***")
    listed = gateway.admin("GET", "/api/mappings")
    assert listed.json()["options"]["/far"] == {"proxy_url": shown}
    assert set_proxy(gateway, str(shown), idle_timeout=9) == {"proxy_url": shown, "idle_timeout": 9.0}
    reply = gateway.request("GET", "/far/x")
    assert reply.status == 200
    other = {"options": {"proxy_url": str(shown).replace("127.0.0.1", "127.0.0.2")}}
    refused = gateway.admin("PUT", "/api/mappings/far", other)
    assert (refused.status, refused.json()["field"]) == (400, "options.proxy_url")
    assert LOGIN[1] not in gateway.settled_log(str(reply.field("x-request-id")))
    assert LOGIN[1].encode() not in listed.body


@pytest.mark.parametrize("url", ["ftp://proxy.example", "http://", "http://u:p-secret-w@proxy.example/path", 7, ""])
def test_what_is_no_proxy_is_refused(gateway: GatewayProcess, upstream: Upstream, url: object) -> None:
    """The error says what would do, names the field, and repeats no password."""
    reply = gateway.admin("PUT", "/api/mappings/up", {"options": {"proxy_url": url}})
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, "invalid", "options.proxy_url")
    assert b"p-secret-w" not in reply.body
