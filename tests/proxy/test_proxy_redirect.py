"""A client that follows what an upstream names stays with the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream


def answering(fields: str, status: str = "307 Temporary Redirect") -> Callable[[Peer], None]:
    def handler(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(b"", status, fields)

    return handler


def test_addresses_of_the_target_lead_back_to_the_mapping(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Absolute ones become absolute ones of ours, by the Host that the client used; spelling and order stay."""
    gateway.map("/up", f"{upstream.url}/base")
    upstream.handler = answering(
        f"X-GOOG-Upload-URL: {upstream.url}/base/upload?id=1\r\nLocation: /base/v1/x?y=1#z\r\n"
        "content-location: https://elsewhere.test/base/x\r\nOperation-Location: ../op/1\r\nLink: </base/next>\r\n",
        "201 Created",
    )
    reply = gateway.request("POST", "/up/v1/files", b"{}", {"Host": "gw.example:81"})
    told = [field for field in reply.fields if field[0].lower().endswith(("location", "url", "link"))]
    assert told == [
        ("X-GOOG-Upload-URL", "http://gw.example:81/up/upload?id=1"),
        ("Location", "/up/v1/x?y=1#z"),
        ("content-location", "https://elsewhere.test/base/x"),
        ("Operation-Location", "/up/op/1"),
        ("Link", "</base/next>"),
    ]


def test_a_redirect_of_the_target_can_be_followed(gateway: GatewayProcess, upstream: Upstream) -> None:
    """What the client then asks for is what the upstream named."""

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/old":
                peer.answer(b"", "301 Moved Permanently", f"Location: {upstream.url}/new/%41?a=%2F\r\n")
            else:
                peer.answer(b"here")

    upstream.handler = handler
    location = gateway.request("GET", "/up/old").field("location") or ""
    assert location.startswith(gateway.url + "/up/")
    assert gateway.request("GET", location.removeprefix(gateway.url)).body == b"here"
    assert upstream.seen[-1].target == "/new/%41?a=%2F"


@pytest.fixture(scope="module")
def behind(redis_url: str) -> Iterator[GatewayProcess]:
    """A gateway behind one reverse proxy."""
    process = GatewayProcess(redis_url, {"TRUSTED_PROXY_COUNT": "1"}).start()
    yield process
    process.stop()


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.example"}, "https://public.example"),
        ({"X-Forwarded-Proto": "https"}, "https://inner"),
        ({"X-Forwarded-Host": "evil.example, public.example:444"}, "http://public.example:444"),
        ({"X-Forwarded-Host": "evil/?x"}, "http://inner"),
    ],
)
def test_behind_a_proxy_our_origin_is_what_that_proxy_says(
    behind: GatewayProcess, fields: dict[str, str], origin: str
) -> None:
    """The trusted proxy's X-Forwarded-Proto and X-Forwarded-Host count; without them what came."""
    upstream = Upstream(answering("Location: LOCATION\r\n"))
    upstream.handler = answering(f"Location: {upstream.url}/x\r\n")
    try:
        behind.map("/behind", upstream.url)
        reply = behind.request("GET", "/behind/a", None, {"Host": "inner", **fields})
    finally:
        upstream.close()
    assert reply.field("location") == f"{origin}/behind/x"


def test_a_host_that_nobody_vouches_for_is_not_believed(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Without trusted proxies X-Forwarded-Host and -Proto say nothing of our origin."""
    upstream.handler = answering(f"Location: {upstream.url}/x\r\n")
    asked = {"Host": "gw.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    assert gateway.request("GET", "/up/a", None, asked).field("location") == "http://gw.example/up/x"
