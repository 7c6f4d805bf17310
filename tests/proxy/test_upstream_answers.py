"""The upstream's answers are judged as strictly as requests, and a spoiled connection never serves another request."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent import socket as gevent_socket

from app.core import model
from app.core.errors import UpstreamFault
from app.core.routing import parse_mapping
from app.proxy.messages import RequestBody
from app.proxy.upstream.pool import Connection, Pool
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.wire import lenient
from tests.support.gateway import GatewayProcess, Reply, receive_all, wait_until
from tests.support.http1_cases import BAD_ANSWERS, BAD_CHUNKS
from tests.support.lenient_cases import FORGIVEN_ANSWERS, FORGIVEN_CHUNKS, LONG, READ, READ_CHUNKS
from tests.support.tls import Authority, TlsUpstream
from tests.support.upstream import Handler, Peer, Upstream

GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


def saying(data: bytes, *, then_close: bool = False) -> Handler:
    """Answers the first connection's request with these bytes; later connections with a whole answer."""

    def handler(peer: Peer) -> None:
        while peer.read_request() is not None:
            if peer.number > 1:
                peer.answer(b"another")
                continue
            peer.send(data)
            if then_close:
                return

    return handler


def protocol_error(reply: Reply) -> bool:
    error = reply.json()["error"]
    return (reply.status, error["type"], error["code"]) == (502, "upstream_error", "upstream_protocol_error")


def body_of(data: bytes) -> bytes:
    """The body of the one answer in `data`. Raises IncompleteRead when it is broken off."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = threading.Thread(target=lambda: (theirs.sendall(data), theirs.shutdown(1)))
        thread.start()
        with contextlib.closing(http.client.HTTPResponse(ours)) as response:
            response.begin()
            body = response.read()
        thread.join()
    return body


def assert_spoiled(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The next request gets a new connection and an answer of its own."""
    assert gateway.request("GET", "/up/next").body == b"another"
    assert [seen.connection for seen in upstream.seen] == [1, 2]


# --- before the head ---


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("case", sorted(set(BAD_ANSWERS) - FORGIVEN_ANSWERS))
def test_bad_head_is_a_protocol_error(gateway: GatewayProcess, upstream: Upstream, case: str, method: str) -> None:
    """A head that has no one meaning in HTTP/1.1 is 502 upstream_protocol_error, and its connection is closed."""
    closed = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        if peer.number > 1:
            peer.answer(b"another")
            return
        with contextlib.suppress(ConnectionError):
            peer.send(BAD_ANSWERS[case] + b"hello" * 3)
            peer.wait_closed()
        closed.set()

    upstream.handler = handler
    reply = gateway.request(method, "/up/x", b"{}" if method == "POST" else None)
    assert (reply.status, reply.body) == (502, b"") if method == "HEAD" else protocol_error(reply)
    assert closed.wait(5)
    assert_spoiled(gateway, upstream)


def test_flood_of_interim_answers(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Interim answers are passed over as long as all of them are no longer than a head; more are a protocol error."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    most = lenient.MAX_HEAD_BYTES // len(interim)
    upstream.handler = saying(interim * most + final, then_close=True)
    assert gateway.request("GET", "/up/x").body == b"ok"
    upstream.handler = saying(interim * (most + 1) + final)
    upstream.connections = 0
    assert protocol_error(gateway.request("GET", "/up/x"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", id="switch"),
        pytest.param(b"HTTP/1.1 100 Continue\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="bad interim"),
    ],
)
def test_odd_interim_answer(gateway: GatewayProcess, upstream: Upstream, data: bytes) -> None:
    """A switch that nobody asked for and a malformed interim answer are protocol errors."""
    upstream.handler = saying(data + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert protocol_error(gateway.request("GET", "/up/x"))
    assert_spoiled(gateway, upstream)


def test_head_byte_by_byte(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An answer that drips in byte by byte is relayed as one that comes at once."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        data = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 Made\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        data += b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"
        for index in range(len(data)):
            peer.send(data[index : index + 1])
        peer.read_request()
        peer.answer(b"again")

    upstream.handler = handler
    reply = gateway.request("GET", "/up/x")
    assert (reply.status, reply.reason, reply.body, reply.field("a")) == (201, "Made", b"abcde", "b")
    assert gateway.request("GET", "/up/x").body == b"again"
    assert upstream.connections == 1


def test_dripping_head_has_no_more_time_than_a_silent_one(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream
) -> None:
    """The time for the first byte is that of the whole head: who drips does not get it anew with each byte."""
    gateway = start_gateway(FIRST_BYTE_TIMEOUT="0.5", FIRST_BYTE_TIMEOUT_S="0.5")
    gateway.map("/drip", upstream.url)

    def handler(peer: Peer) -> None:
        peer.read_request()
        with contextlib.suppress(OSError):
            peer.send(b"HTTP/1.1 200 OK\r\nA: ")
            while not done.wait(0.1):
                peer.send(b"x")

    done = threading.Event()
    upstream.handler = handler
    try:
        reply = gateway.request("GET", "/drip/x")
    finally:
        done.set()
    assert (reply.status, reply.json()["error"]["code"]) == (504, "first_byte_timeout")


# --- what every client reads ---


@pytest.mark.parametrize("case", READ)
def test_answer_that_breaks_the_rules_is_read(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """An answer with a fault that every client forgives arrives, strictly written, and spoils its connection."""
    data, fields, content = READ[case]
    upstream.handler = saying(data)
    received = gateway.raw(GET)
    head, _, _ = received.partition(b"\r\n\r\n")
    passed = {value for name, value in fields if name == "A"}
    assert {line.partition(b": ")[2].decode() for line in head.split(b"\r\n") if line.startswith(b"A: ")} == passed
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Set-Cookie" not in head.replace(b"A: b", b"")
    assert head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n")
    assert head.lower().count(b"content-length") + head.lower().count(b"transfer-encoding") == 1
    assert case in LONG or body_of(received) == content
    assert_spoiled(gateway, upstream)


@pytest.mark.parametrize("case", READ_CHUNKS)
def test_chunks_that_break_the_rules_are_read(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """A fault in a chunk line or trailer that every client forgives leaves the body whole and spoils the connection."""
    upstream.handler = saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + READ_CHUNKS[case])
    assert body_of(gateway.raw(GET)) == b"hello"
    assert_spoiled(gateway, upstream)


def test_an_interim_answer_that_breaks_the_rules_spoils_the_connection(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """The fault may stand in what is passed over: the connection is as uncertain as after any other."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink : a\r\n\r\n"
    upstream.handler = saying(interim + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert gateway.request("GET", "/up/x").body == b"ok"
    assert_spoiled(gateway, upstream)


def test_interim_answers_do_not_put_off_the_answer_for_ever(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream
) -> None:
    """From the first interim answer on the final one has the first-byte timeout, however many come between."""
    own = start_gateway(FIRST_BYTE_TIMEOUT="0.5")
    own.map("/hints", upstream.url)

    def handler(peer: Peer) -> None:
        peer.read_request()
        with contextlib.suppress(OSError):
            while not done.wait(0.1):
                peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")

    done = threading.Event()
    upstream.handler = handler
    try:
        reply = own.request("GET", "/hints/x")
    finally:
        done.set()
    assert (reply.status, reply.json()["error"]["code"]) == (504, "first_byte_timeout")


# --- within the body ---


@pytest.mark.parametrize("case", sorted(set(BAD_CHUNKS) - FORGIVEN_CHUNKS))
def test_bad_chunks_break_the_body(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """A malformed chunked body breaks the client's body or is a 502, never ends as if whole, and is not reused."""
    closed = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        if peer.number > 1:
            peer.answer(b"another")
            return
        with contextlib.suppress(ConnectionError):
            peer.begin_stream()
            peer.send_chunk(b"good")
            peer.send(BAD_CHUNKS[case] + b"HTTP/1.1 200 OK\r\n\r\n")
            peer.wait_closed()
        closed.set()

    upstream.handler = handler
    data = gateway.raw(GET)
    if data.startswith(b"HTTP/1.1 502"):
        assert b"upstream_protocol_error" in data
    else:
        assert data.startswith(b"HTTP/1.1 200")
        with pytest.raises(http.client.IncompleteRead):
            body_of(data)
    assert closed.wait(5)
    assert_spoiled(gateway, upstream)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"half", id="length"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", b"half", id="HTTP/1.0 length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"9\r\nhalf", id="within a chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nhalf\r\n", id="between chunks"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nhalf\r\n0\r\n", id="before the end"
        ),
    ],
)
def test_short_body_is_visibly_short(gateway: GatewayProcess, upstream: Upstream, head: bytes, told: bytes) -> None:
    """What came of a body reaches the client, and that it is not all can be seen."""
    upstream.handler = saying(head + told, then_close=True)
    with pytest.raises(http.client.IncompleteRead) as broken:
        body_of(gateway.raw(GET))
    assert broken.value.partial == b"half"
    assert_spoiled(gateway, upstream)


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_body_until_the_end(gateway: GatewayProcess, upstream: Upstream, version: bytes) -> None:
    """A body that the connection's end ends is whole, and the connection is not used again."""
    upstream.handler = saying(version + b" 200 OK\r\n\r\nto the end", then_close=True)
    assert body_of(gateway.raw(GET)) == b"to the end"
    assert_spoiled(gateway, upstream)


def test_body_until_a_reset_is_broken(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A reset is no end: a body without a length that one ends breaks at the client."""
    arrived = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        assert arrived.wait(5)
        peer.reset()

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(GET)
        data = b""
        while b"half" not in data:
            data += sock.recv(1000)
        arrived.set()
        data += receive_all(sock)
    with pytest.raises(http.client.IncompleteRead):
        body_of(data)


# --- which connections serve again ---

REUSED: dict[str, tuple[str, bytes]] = {
    "length": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
    "no body": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "chunks": ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
    "trailers": ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nA: b\r\n\r\n"),
    "HTTP/1.0 keep-alive": ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody"),
    "204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"),
    "304 of chunks": ("GET", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
    "HEAD of chunks": ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "HEAD without a length": ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
    "an error": ("GET", b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nbody"),
    "after interim answers": ("GET", b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
}

NOT_REUSED: dict[str, tuple[str, bytes]] = {
    "close": ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"),
    "close in a list": ("GET", b"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 4\r\n\r\nbody"),
    "HTTP/1.0": ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
    "204 with close": ("GET", b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    "more than its length": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyEXTRA"),
    "an answer nobody asked for": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    ),
    "more than its chunks": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nEXTRA",
    ),
    "an empty line too many": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody\r\n"),
    "more than nothing": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nEXTRA"),
    "204 with a body": ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody"),
    "204 with chunks": ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
    "304 with a body": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody"),
    "HEAD with a body": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
    "HEAD with chunks": ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
}


def ask_twice(gateway: GatewayProcess, upstream: Upstream, method: str, handler: Handler) -> list[int]:
    """Asks, waits until the answer is all out, asks again; on which connections that was."""
    upstream.handler = handler
    first = gateway.request(method, "/up/x")
    has_body = method == "GET" and first.status not in (204, 304) and first.field("content-length") != "0"
    assert first.body == (b"body" if has_body else b"")
    second = gateway.request("GET", "/up/next")
    assert second.body == b"another"
    return [seen.connection for seen in upstream.seen]


def one_then_another(data: bytes, pause: Callable[[], object] = lambda: None) -> Handler:
    head, separator, rest = data.partition(b"body")

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/next":
                peer.answer(b"another")
            else:
                peer.send(head + separator)
                pause()
                peer.send(rest)

    return handler


@pytest.mark.parametrize("case", REUSED)
def test_whole_answer_leaves_the_connection_to_the_next(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """After an answer that is whole its connection serves the next request."""
    method, data = REUSED[case]
    assert ask_twice(gateway, upstream, method, one_then_another(data)) == [1, 1]


@pytest.mark.parametrize("case", NOT_REUSED)
def test_spoiled_connection_is_not_used_again(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """An upstream that says more than its answer, or means to close, gets no other request on that connection."""
    method, data = NOT_REUSED[case]
    sent = threading.Event()

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/next":
                peer.answer(b"another")
            else:
                peer.send(data)
                sent.set()

    assert ask_twice(gateway, upstream, method, handler) == [1, 2]
    assert sent.is_set()


def test_idle_connection_that_speaks_is_not_used_again(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An answer that nobody asked for, sent while the connection idles, is never taken for the next request's."""
    idle = threading.Event()
    sent = threading.Event()

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/next":
                peer.answer(b"another")
                continue
            peer.answer(b"body")
            assert idle.wait(5)
            peer.answer(b"poison")
            sent.set()

    upstream.handler = handler
    assert gateway.request("GET", "/up/x").body == b"body"
    idle.set()
    assert sent.wait(5)
    assert gateway.request("GET", "/up/next").body == b"another"
    assert [seen.connection for seen in upstream.seen] == [1, 2]


@pytest.mark.own_server("uwsgi")  # there a connection serves one request
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_bytes_left_in_the_kernel_are_no_answer_to_a_pipelined_request(
    gateway: GatewayProcess, upstream: Upstream, framing: str
) -> None:
    """Bytes behind an answer spoil the connection even if the next request follows before anybody could look again."""
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/next":
                peer.answer(b"another")
                continue
            if framing == "length":
                head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
                peer.send(head + b"x" * 100_000 + poison)
            else:  # a body that ends where a read of 64 KiB ends, so that the poison is not read with it
                head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                size = 65_536 - len(head) - len(b"ffff\r\n" + b"\r\n0\r\n\r\n")
                peer.send(head + b"%04x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size) + poison)

    upstream.handler = handler
    next_one = GET.replace(b"/x ", b"/next ")
    for _ in range(5):
        data = gateway.raw(GET.replace(b"Connection: close\r\n", b"") + next_one)
        assert data.endswith(b"another")
        assert b"poison" not in data


def test_client_that_leaves_spoils_the_connection(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The rest of an answer whose client has left is never taken for the next request's."""
    upstream.handler = one_then_another(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody")
    with gateway.connect() as sock:
        sock.sendall(GET)
        while b"body" not in sock.recv(1000):
            pass
    wait_until(lambda: gateway.request("GET", "/up/next").body == b"another", "another connection")
    assert upstream.seen[-1].connection == 2


# --- stale connections: Go's rule ---


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
    def way_to(self, upstream: model.Upstream, *, switches: bool) -> None:
        return None

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


# --- over TLS ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for localhost, made for this run, and its key."""
    return Authority(tmp_path_factory.mktemp("tls")).issue("localhost", "127.0.0.1", self_signed=True)


@pytest.fixture(scope="module")
def trusting(redis_url: str, certificate: Path) -> Iterator[GatewayProcess]:
    """A gateway that trusts the certificate."""
    process = GatewayProcess(redis_url, {"SSL_CERT_FILE": str(certificate)}).start()
    yield process
    process.stop()


@pytest.fixture
def secured(trusting: GatewayProcess, certificate: Path) -> Iterator[TlsUpstream]:
    """An upstream that the trusting gateway reaches over TLS under `/tls`."""
    server = TlsUpstream()
    server.context.load_cert_chain(certificate)
    trusting.map("/tls", server.url.replace("http://127.0.0.1", "https://localhost"))
    yield server
    server.close()


def test_tls_connection_serves_again(trusting: GatewayProcess, secured: TlsUpstream) -> None:
    """A kept TLS connection serves the next request; the session tickets that wait on it do not spoil it."""
    for number in range(3):
        assert trusting.request("POST", f"/tls/{number}", b"{}").status == 200
    assert [(seen.target, seen.connection) for seen in secured.seen] == [("/0", 1), ("/1", 1), ("/2", 1)]


@pytest.mark.parametrize("when", ["with the answer", "while idle"])
def test_tls_connection_that_speaks_unasked_is_not_used_again(
    trusting: GatewayProcess, secured: TlsUpstream, when: str
) -> None:
    """Bytes behind an answer spoil a TLS connection as they spoil any other."""
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    idle = threading.Event()
    sent = threading.Event()

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/next":
                peer.answer(b"another")
                continue
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
            if when == "with the answer":
                peer.send(answer + poison)
            else:
                peer.send(answer)
                assert idle.wait(5)
                peer.send(poison)
            sent.set()

    secured.handler = handler
    assert trusting.request("GET", "/tls/x").body == b"x" * 100_000
    idle.set()
    assert sent.wait(5)
    assert trusting.request("GET", "/tls/next").body == b"another"
    assert [seen.connection for seen in secured.seen] == [1, 2]


def test_tls_connection_closed_while_idle_is_replaced(trusting: GatewayProcess, secured: TlsUpstream) -> None:
    """A TLS connection that the upstream closed while it idled is replaced silently."""
    closed = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b"%d" % peer.number)
        peer.sock.close()
        closed.set()

    secured.handler = handler
    assert trusting.request("GET", "/tls/x").body == b"1"
    assert closed.wait(5)
    assert trusting.request("POST", "/tls/y", b"{}").body == b"2"
    assert [seen.target for seen in secured.seen] == ["/x", "/y"]


@pytest.mark.parametrize("how", ["said", "cut"])
def test_tls_body_ends_only_where_tls_says_so(trusting: GatewayProcess, secured: TlsUpstream, how: str) -> None:
    """A body without a length is whole when TLS was closed, and broken when only the wire was cut."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome of it")
        if how == "said":
            with contextlib.suppress(OSError):
                peer.sock.unwrap()  # type: ignore[attr-defined]

    secured.handler = handler
    data = trusting.raw(GET.replace(b"/up/", b"/tls/"))
    if how == "said":
        assert body_of(data) == b"some of it"
    else:
        with pytest.raises(http.client.IncompleteRead):
            body_of(data)
