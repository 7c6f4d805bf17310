"""The upstream's answers are judged as strictly as requests, and a spoiled connection never serves another request."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable

import pytest

from app.wire.http import lenient
from tests.support.gateway import GatewayProcess, Reply, receive_all
from tests.support.http1_cases import BAD_ANSWERS, BAD_CHUNKS
from tests.support.lenient_cases import FORGIVEN_ANSWERS, FORGIVEN_CHUNKS, LONG, READ, READ_CHUNKS
from tests.support.raw_answers import body_of
from tests.support.upstream import Peer, Upstream, saying

GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


def protocol_error(reply: Reply) -> bool:
    error = reply.json()["error"]
    return (reply.status, error["type"], error["code"]) == (502, "upstream_error", "upstream_protocol_error")


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
