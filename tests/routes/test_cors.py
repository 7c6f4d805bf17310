"""Cross-origin access to proxied paths."""

from __future__ import annotations

from collections.abc import Callable

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
