"""In a Hugging Face Space, whose page at huggingface.co shows the gateway in a frame."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gateway import GatewayProcess, Reply

PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def space(redis_url: str) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(redis_url, {"SPACE_ID": "someone/gateway"}).start()
    yield gateway
    gateway.stop()


def ancestors(reply: Reply) -> str:
    policy = reply.field("content-security-policy") or ""
    return next((part for part in policy.split("; ") if part.startswith("frame-ancestors")), "")


@pytest.mark.parametrize("path", ["/", "/index.html", "/proxy", "/proxy/", "/proxy/https://a.example/", "/nowhere"])
def test_public_pages_may_stand_in_the_spaces_frame(space: GatewayProcess, path: str) -> None:
    """And in no other."""
    reply = space.request("GET", path, headers=PAGE)
    assert (reply.field("content-type") or "").startswith("text/html")
    assert ancestors(reply) == "frame-ancestors https://huggingface.co"
    assert reply.field("x-frame-options") is None


@pytest.mark.parametrize("path", ["/admin", "/static/admin.html", "/api/mappings", "/api/nowhere", "/admin/nowhere"])
def test_the_admin_stands_in_no_frame(space: GatewayProcess, path: str) -> None:
    """A page over it could have the admin click on what he does not see."""
    reply = space.request("GET", path, headers=PAGE)
    if path != "/admin/nowhere":
        assert ancestors(reply) == "frame-ancestors 'none'"
        assert reply.field("x-frame-options") == "DENY"
    assert b"admin.js" not in reply.body or ancestors(reply) == "frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/", "/proxy/", "/proxy/https://a.example/", "/nowhere", "/admin"])
def test_elsewhere_nothing_stands_in_a_frame(gateway: GatewayProcess, path: str) -> None:
    """The platform's variable alone opens it."""
    reply = gateway.request("GET", path, headers=PAGE)
    assert (ancestors(reply), reply.field("x-frame-options")) == ("frame-ancestors 'none'", "DENY")
