"""Cross-origin access to proxied paths."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream

PREFLIGHT = {
    "Origin": "https://app.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


def test_preflight_is_answered_here(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A preflight is answered with 204 and what it asked for; the upstream never sees it."""
    reply = gateway.request("OPTIONS", "/up/v1/x", headers=PREFLIGHT)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.field("access-control-allow-origin") == "*"
    assert reply.field("access-control-allow-methods") == "POST"
    assert reply.field("access-control-allow-headers") == "authorization, content-type"
    assert reply.field("x-request-id")
    assert not upstream.seen


def test_other_options_pass(gateway: GatewayProcess, upstream: Upstream) -> None:
    """OPTIONS that is no preflight goes to the upstream."""
    gateway.request("OPTIONS", "/up/x", headers={"Origin": "https://app.example"})
    assert upstream.seen[-1].line == "OPTIONS /x HTTP/1.1"


def test_answer_to_an_origin_may_be_read(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An answer to a request with Origin gets access where the upstream gave none; others stay as they are."""
    with_origin = gateway.request("GET", "/up/x", headers={"Origin": "https://app.example"})
    assert with_origin.field("access-control-allow-origin") == "*"
    assert gateway.request("GET", "/up/x").field("access-control-allow-origin") is None


def test_errors_of_ours_may_be_read_too(gateway: GatewayProcess) -> None:
    """A browser client can read why the gateway failed."""
    gateway.map("/dead", "http://127.0.0.1:1")
    reply = gateway.request("GET", "/dead/x", headers={"Origin": "https://app.example"})
    assert (reply.status, reply.field("access-control-allow-origin")) == (502, "*")


def test_a_missing_mapping_is_told_to_browsers(gateway: GatewayProcess) -> None:
    """Where no mapping is, a browser's preflight passes and the hint may be read; without Origin nothing is added."""
    preflight = gateway.request("OPTIONS", "/nowhere/x", headers=PREFLIGHT)
    assert (preflight.status, preflight.body) == (204, b"")
    assert preflight.field("access-control-allow-origin") == "*"
    assert preflight.field("access-control-allow-headers") == "authorization, content-type"
    reply = gateway.request("POST", "/nowhere/x", b"{}", {"Origin": "https://app.example"})
    assert (reply.status, reply.field("access-control-allow-origin")) == (404, "*")
    assert reply.field("access-control-expose-headers") == "*"
    assert reply.field("x-request-id") == reply.json()["error"]["request_id"]
    assert gateway.request("POST", "/nowhere/x", b"{}").field("access-control-allow-origin") is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/mappings",
        "/api/admin/login",
        "/api/nowhere",
        "/login",
        "/admin/channels",
        "/admin/channels/1",
        "/reset-keys",
    ],
)
def test_the_admin_api_is_no_other_origins(gateway: GatewayProcess, path: str) -> None:
    """Nothing of it, errors and preflights neither, may be read by a page of another origin.

    Else any page could try tokens from the admin's own address, and lock it.
    """
    for method, headers in (("GET", {"Origin": "https://app.example"}), ("OPTIONS", PREFLIGHT)):
        assert not [
            name
            for name, _ in gateway.request(method, path, headers=headers).fields
            if "access-control" in name.lower()
        ]


def test_the_upstreams_word_stands(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An upstream's own Access-Control-Allow-Origin is neither changed nor doubled."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer(fields="Access-Control-Allow-Origin: https://only.example\r\n")

    upstream.handler = handler
    reply = gateway.request("GET", "/up/x", headers={"Origin": "https://app.example"})
    allowed = [value for name, value in reply.fields if name.lower() == "access-control-allow-origin"]
    assert allowed == ["https://only.example"]


def test_off_means_transparent(start_gateway: Callable[..., GatewayProcess], upstream: Upstream) -> None:
    """With CORS=false a preflight goes to the upstream and nothing is added to its answer."""
    plain = start_gateway(CORS="false")
    reply = plain.request("OPTIONS", "/up/x", headers=PREFLIGHT)
    assert upstream.seen[-1].line == "OPTIONS /x HTTP/1.1"
    assert reply.field("access-control-allow-origin") is None
    for method in ("OPTIONS", "POST"):
        missing = plain.request(method, "/nowhere/x", headers=PREFLIGHT)
        assert (missing.status, missing.field("access-control-allow-origin")) == (404, None)
    for method in ("OPTIONS", "POST"):
        missing = plain.request(method, "/nowhere/x", headers=PREFLIGHT)
        assert (missing.status, missing.field("access-control-allow-origin")) == (404, None)
