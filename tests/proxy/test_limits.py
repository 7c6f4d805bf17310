"""Limits of one upstream: each case has its own status and code."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator

import pytest

from tests.proxy.test_faults import begin, error_of
from tests.support.gateway import GatewayProcess, receive_all
from tests.support.upstream import Peer, Upstream


@pytest.fixture
def limit(gateway: GatewayProcess, upstream: Upstream) -> Iterator[Callable[..., None]]:
    """Sets limits of the mapping `/up`, and takes them back at the end."""

    def set_limits(**options: float) -> None:
        assert gateway.admin("PUT", "/api/mappings/up", {"options": options}).status == 200

    yield set_limits
    set_limits()


# --- the whole call's time ---


def test_a_call_may_not_take_longer_than_its_total(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """An upstream that has not begun to answer when the whole time is over is 504 total_timeout."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.wait_closed()

    upstream.handler = handler
    limit(total_timeout=0.3)
    started = time.monotonic()
    assert error_of(gateway.request("GET", "/up/x")) == (504, "total_timeout")
    assert time.monotonic() - started < 2


def test_a_stream_ends_visibly_when_the_total_is_over(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A stream that goes on and on is broken when the whole time is over."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        for _ in range(100):
            peer.send_chunk(b"data: x\n\n")
            time.sleep(0.05)

    upstream.handler = handler
    limit(total_timeout=0.4)
    with begin(gateway, "/up/x") as response, pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()


def test_a_call_within_its_total_is_left_alone(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A total that is not used up leaves no timer behind that could hit the connection's next call."""
    limit(total_timeout=0.3)
    assert gateway.request("GET", "/up/x").status == 200
    limit()
    time.sleep(0.4)  # past the first call's total
    assert gateway.request("GET", "/up/x").status == 200
    assert upstream.connections == 1


# --- the body's size ---


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
def test_a_body_may_not_be_longer_than_allowed(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None], size: int, status: int
) -> None:
    """A body that says it is too long is refused before the upstream hears of it."""
    limit(max_body_bytes=100)
    reply = gateway.request("POST", "/up/x", b"x" * size)
    assert reply.status == status
    if status == 413:
        assert error_of(reply) == (413, "body_too_large")
        assert not upstream.seen


def test_a_body_of_unknown_length_is_counted(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A chunked body is refused as soon as it is too long, and never reaches the upstream as complete."""
    limit(max_body_bytes=100)
    with gateway.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n")
        sock.sendall(b"32\r\n" + b"x" * 50 + b"\r\n")
        time.sleep(0.05)
        sock.sendall(b"33\r\n" + b"x" * 51 + b"\r\n")
        answer = receive_all(sock)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in answer
    assert all(not seen.body for seen in upstream.seen)
