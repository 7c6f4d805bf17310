"""A kept connection that dies as its next request begins is replaced where that is safe: Go's rule."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from gevent import socket as gevent_socket

from app.core import model
from app.core.errors import UpstreamFault
from app.core.routing import parse_mapping
from app.proxy.messages import RequestBody
from app.proxy.upstream.pool import Connection, Pool
from app.proxy.upstream.transport import OutboundRequest, Transport
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Handler, Peer, Upstream


def dying(on_second: Callable[[Peer], None]) -> Handler:
    """Answers each connection's first request, and does something else with the second."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b"first")
        if peer.read_request() is not None:
            on_second(peer)

    return handler


def closing(peer: Peer) -> None:
    """Closes without a word."""


def resetting(peer: Peer) -> None:
    peer.reset()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_connection_closed_while_idle_is_replaced(
    gateway: GatewayProcess, upstream: Upstream, method: str, how: str
) -> None:
    """A connection that the upstream closed while it idled is replaced for any request: nothing of it was written."""
    closed = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b"%d" % peer.number)
        if peer.number == 1:
            if how == "reset":
                peer.reset()
            peer.sock.close()
            closed.set()

    upstream.handler = handler
    assert gateway.request("GET", "/up/x").body == b"1"
    assert closed.wait(5)
    assert gateway.request(method, "/up/y", b"{}" if method == "POST" else None).body == b"2"
    assert [seen.target for seen in upstream.seen] == ["/x", "/y"]


@pytest.mark.parametrize("die", [closing, resetting], ids=["close", "reset"])
@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("GET", {}, None),
        ("HEAD", {}, None),
        ("OPTIONS", {}, None),
        ("GET", {}, b"with a body"),
        ("POST", {"Idempotency-Key": "1"}, b"{}"),
        ("POST", {"x-idempotency-key": "1"}, b"{}"),
        ("POST", {"Idempotency-Key": "1"}, b""),
    ],
)
def test_repeatable_request_is_sent_again_once(
    gateway: GatewayProcess, upstream: Upstream, method: str, headers: dict[str, str], body: Any, die: Handler
) -> None:
    """A kept connection that dies before a byte of the answer is replaced silently if the request is safe to repeat."""
    upstream.handler = dying(die)
    assert gateway.request("GET", "/up/warm").status == 200
    assert gateway.request(method, "/up/again", body, headers).status == 200
    assert [(seen.target, seen.connection) for seen in upstream.seen] == [("/warm", 1), ("/again", 1), ("/again", 2)]
    assert upstream.seen[1].body == upstream.seen[2].body == (body or b"")


@pytest.mark.parametrize("die", [closing, resetting], ids=["close", "reset"])
@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("POST", {}, b"{}"),
        ("POST", {}, None),
        ("PUT", {}, b"{}"),
        ("DELETE", {}, None),
        ("PATCH", {"X-Key": "Idempotency-Key"}, b"{}"),
        ("POST", {}, [b"chunk"]),
    ],
    ids=str,
)
def test_request_that_is_not_repeatable_is_not_sent_again(
    gateway: GatewayProcess, upstream: Upstream, method: str, headers: dict[str, str], body: Any, die: Handler
) -> None:
    """A request that the upstream may have acted on is not repeated: 502, and it was there once."""
    upstream.handler = dying(die)
    assert gateway.request("GET", "/up/warm").status == 200
    body = iter([b"chunk"]) if body is not None and not isinstance(body, bytes) else body
    reply = gateway.request(method, "/up/once", body, headers)
    assert (reply.status, reply.json()["error"]["code"]) == (502, "upstream_stale")
    assert [seen.target for seen in upstream.seen] == ["/warm", "/once"]


def test_streamed_body_is_not_sent_again(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A body that is not all at hand cannot be repeated, whatever key it bears."""
    upstream.handler = dying(closing)
    assert gateway.request("GET", "/up/warm").status == 200
    reply = gateway.request("POST", "/up/once", b"x" * 1_000_000, {"Idempotency-Key": "1"})
    assert (reply.status, reply.json()["error"]["code"]) == (502, "upstream_stale")
    assert [seen.target for seen in upstream.seen] == ["/warm", "/once"]


@pytest.mark.own_server  # others do not tell that a chunked body has ended before they are asked for more
def test_chunked_body_that_is_at_hand_is_sent_again(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A chunked body that came together with its head is as repeatable as any, and one write to the upstream."""
    upstream.handler = dying(closing)
    assert gateway.request("GET", "/up/warm").status == 200
    head = b"POST /up/again HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nIdempotency-Key: 1\r\n"
    answer = gateway.raw(head + b"Connection: close\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [(seen.body, seen.connection) for seen in upstream.seen[1:]] == [(b"onetwo", 1), (b"onetwo", 2)]


@pytest.mark.parametrize("told", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_request_whose_answer_began_is_not_sent_again(gateway: GatewayProcess, upstream: Upstream, told: bytes) -> None:
    """Once a byte of an answer came, the upstream has acted: nothing is repeated."""
    upstream.handler = dying(lambda peer: peer.send(told))
    assert gateway.request("GET", "/up/warm").status == 200
    reply = gateway.request("GET", "/up/once")
    assert (reply.status, reply.json()["error"]["code"]) == (502, "upstream_reset")
    assert [seen.target for seen in upstream.seen] == ["/warm", "/once"]


def test_new_connection_that_dies_is_not_replaced(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Only a kept connection can be stale: an upstream that closes a new one is not asked twice."""
    upstream.handler = lambda peer: peer.read_request() and None
    reply = gateway.request("GET", "/up/once")
    assert (reply.status, reply.json()["error"]["code"]) == (502, "upstream_reset")
    assert len(upstream.seen) == 1


def test_stale_connection_is_replaced_once_only(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The connection that replaces a stale one is new, so there is no third try."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        if peer.number == 1:
            peer.answer(b"first")
            peer.read_request()

    upstream.handler = handler
    assert gateway.request("GET", "/up/warm").status == 200
    assert gateway.request("GET", "/up/twice").status == 502
    assert [seen.target for seen in upstream.seen] == ["/warm", "/twice", "/twice"]


def address_of(upstream: Upstream) -> model.Upstream:
    return parse_mapping("/up", upstream.url).upstream


class DeadSocket:
    """A socket that looks quiet and takes nothing."""

    def __init__(self) -> None:
        self._sock = self
        self.pending = False
        self.hub = self
        self._read_event = self
        self.closed = False

    def wait(self, watcher: object) -> None:
        pass

    def start(self, *_: object) -> None:
        pass

    def stop(self) -> None:
        pass

    def settimeout(self, seconds: float | None) -> None:
        pass

    def recv(self, size: int, flags: int = 0) -> bytes:
        if flags:
            raise BlockingIOError
        raise ConnectionResetError

    def send(self, data: bytes) -> int:
        raise BrokenPipeError

    def close(self) -> None:
        self.closed = True


class LoopbackDialer:
    has_proxies = False

    def dial(self, upstream: model.Upstream, timeout_s: float, way: None) -> Any:
        return gevent_socket.create_connection((upstream.host, upstream.port), timeout_s)


@pytest.mark.parametrize("streamed", [False, True])
def test_request_of_which_nothing_was_written_is_sent_again(streamed: bool) -> None:
    """A connection that takes not one byte is replaced for any request, even one whose body streams."""
    upstream = Upstream()
    address = address_of(upstream)
    transport = Transport(LoopbackDialer())  # type: ignore[arg-type]
    dead = DeadSocket()
    connection = Connection(Pool.key(address), dead)
    transport._pool.give_back(connection)
    rest = [b"", b"-rest"]
    body = RequestBody(10, b"begin", lambda size: rest.pop()) if streamed else RequestBody(5, b"begin")
    request = OutboundRequest(address, "POST", "/x", [("Host", "a")], body)
    try:
        exchange = transport.send(request)
        content = b""
        while piece := exchange.read1():
            content += piece
        assert json.loads(content)["body"] == ("begin-rest" if streamed else "begin")
        assert dead.closed
        assert len(upstream.seen) == 1
    finally:
        transport.close()
        upstream.close()


def test_body_is_not_sent_again_after_its_head_was_written() -> None:
    """A connection that takes the head and dies before the body was written is not replaced."""
    upstream = Upstream()
    address = address_of(upstream)
    transport = Transport(LoopbackDialer())  # type: ignore[arg-type]
    dead = DeadSocket()
    sends = [5]
    dead.send = lambda data: sends.pop() if sends else DeadSocket.send(dead, data)  # type: ignore[method-assign]
    dead.sendall = lambda data: DeadSocket.send(dead, data)  # type: ignore[attr-defined]
    transport._pool.give_back(Connection(Pool.key(address), dead))
    request = OutboundRequest(address, "POST", "/x", [("Host", "a")], RequestBody(-2, b"begin"))
    try:
        with pytest.raises(UpstreamFault) as fault:
            transport.send(request)
        assert fault.value.code == "upstream_stale"
        assert not upstream.seen
    finally:
        transport.close()
        upstream.close()
