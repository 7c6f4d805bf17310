"""Bodies that an upstream does not take: its answer counts, whenever it comes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.tls import TlsUpstream
from tests.support.upstream import Peer, Upstream

JSON = {"Content-Type": "application/json"}


@cache
def held() -> bytes:
    """16 MB that `/gnothink` reads whole and, as they are no JSON, sends on as they are. No two pieces are alike."""
    return b"{" + b",".join(b"%d" % number for number in range(2_000_000))


@pytest.fixture
def refusing() -> Iterator[Callable[[Peer], None]]:
    """An upstream that answers 429 to the head alone and reads no further."""

    def handler(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.sock.recv(1)
        peer.answer(b"later", "429 Too Many Requests")
        closed.wait(20)

    closed = threading.Event()
    yield handler
    closed.set()


def test_a_held_body_does_not_hold_up_an_early_answer(
    gateway: GatewayProcess, upstream: Upstream, refusing: Callable[[Peer], None]
) -> None:
    """A refusal reaches the client at once, although the upstream never takes the body that the gateway holds."""
    gateway.map("/gnothink", upstream.url)
    upstream.handler = refusing
    began = time.monotonic()
    reply = gateway.request("POST", "/gnothink/x", held(), JSON)
    assert (reply.status, reply.body) == (429, b"later")
    assert time.monotonic() - began < 5


def test_a_long_body_does_not_hold_up_an_early_answer_over_tls(
    trusting: GatewayProcess, secured: TlsUpstream, refusing: Callable[[Peer], None]
) -> None:
    """TLS has buffers of its own, and a write that waits in them holds nothing up either."""
    secured.handler = refusing
    trusting.map("/gnothink", f"https://localhost:{secured.port}")
    reply = trusting.request("POST", "/gnothink/x", held(), JSON)
    assert (reply.status, reply.body) == (429, b"later")


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 5_000_001])
def test_a_held_body_arrives_whole(gateway: GatewayProcess, upstream: Upstream, size: int) -> None:
    """A body that is held arrives as it is, with no byte twice, and leaves a connection that serves again."""
    gateway.map("/gnothink", upstream.url)
    body = held()[:size]
    assert gateway.request("POST", "/gnothink/x", body, JSON).status == 200
    assert upstream.seen[-1].body == body
    assert gateway.request("POST", "/gnothink/x", b"{}", JSON).status == 200
    assert upstream.connections == 1


def test_a_held_body_arrives_whole_over_tls(trusting: GatewayProcess, secured: TlsUpstream) -> None:
    """A write that OpenSSL could not finish goes on with the same bytes."""
    slow = threading.Event()
    arrived = []

    def handler(peer: Peer) -> None:
        head = peer.read_head()
        assert head is not None
        slow.wait(0.3)  # meanwhile every buffer on the way fills
        arrived.append(peer._read_exactly(int(head.field("content-length") or 0)))
        peer.answer(b"ok")

    secured.handler = handler
    trusting.map("/gnothink", f"https://localhost:{secured.port}")
    assert trusting.request("POST", "/gnothink/x", held(), JSON).body == b"ok"
    assert arrived == [held()]
