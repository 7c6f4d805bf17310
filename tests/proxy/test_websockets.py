"""WebSockets pass through a mapping both ways."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from socket import SHUT_RDWR

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.gateway import GatewayProcess
from tests.support.open_sockets import dialling
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until
from tests.support.websocket_upstream import (
    HANDSHAKE,
    SocketServer,
    figures_of_switch,
    handshake_refusal,
    ws_url,
)

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def impatient(redis_url: str) -> Iterator[GatewayProcess]:
    """A gateway that soon takes silence for the end."""
    process = GatewayProcess(redis_url, {"IDLE_TIMEOUT": "0.6"}).start()
    yield process
    process.stop()


def test_text_and_binary_both_ways(gateway: GatewayProcess, server: SocketServer) -> None:
    """Messages of both kinds come back as they were; target, key and subprotocol reach the upstream."""
    headers = {"Authorization": "Bearer sk-caller", "OpenAI-Beta": "realtime=v1"}
    with connect(ws_url(gateway), additional_headers=headers, subprotocols=["realtime"], compression=None) as socket:
        assert socket.subprotocol == "realtime"
        for message in ("hello", "你好", b"\x00\xff binary"):
            socket.send(message)
            assert socket.recv(timeout=5) == message
    assert server.paths == ["/base/v1/realtime?model=gpt-realtime"]
    assert server.headers[0]["Authorization"] == "Bearer sk-caller"
    assert server.headers[0]["OpenAI-Beta"] == "realtime=v1"
    assert server.headers[0]["Host"] == f"127.0.0.1:{server.port}"


def test_compression_passes_untouched(gateway: GatewayProcess, server: SocketServer) -> None:
    """The permessage-deflate extension is agreed between client and upstream."""
    with connect(ws_url(gateway), compression="deflate") as socket:
        assert socket.protocol.extensions
        socket.send("a" * 10_000)
        assert socket.recv(timeout=5) == "a" * 10_000


def test_ten_megabytes(gateway: GatewayProcess, server: SocketServer) -> None:
    """A message of 10 MB passes whole in both directions."""
    message = bytes(range(256)) * (10 * MIB // 256)
    with connect(ws_url(gateway), max_size=64 * MIB, compression=None) as socket:
        socket.send(message)
        assert socket.recv(timeout=20) == message


def test_pings_of_both_sides(gateway: GatewayProcess, server: SocketServer) -> None:
    """Ping and pong frames pass in both directions."""
    with connect(ws_url(gateway), ping_interval=None) as socket:
        assert socket.ping().wait(5)
        socket.send("ping")
        assert socket.recv(timeout=5) == "pong"


def test_close_code_of_the_upstream_reaches_the_client(gateway: GatewayProcess, server: SocketServer) -> None:
    """The upstream's close code and reason arrive."""
    with connect(ws_url(gateway)) as socket:
        socket.send("close 4321")
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=5)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4321, "as asked")


def test_close_code_of_the_client_reaches_the_upstream(gateway: GatewayProcess, server: SocketServer) -> None:
    """The client's close code and reason arrive."""
    with connect(ws_url(gateway)) as socket:
        socket.close(4001, "done")
    wait_until(lambda: server.closed, "the upstream has seen the end")
    assert server.closed == [(4001, "done")]


@pytest.mark.timing
def test_client_that_vanishes_frees_the_upstream(gateway: GatewayProcess, server: SocketServer) -> None:
    """A client whose connection is cut leaves no connection to the upstream behind."""
    pid = gateway.worker_pids()[0]
    with connect(ws_url(gateway), ping_interval=None) as socket:
        socket.send("x")
        socket.recv(timeout=5)
        assert dialling(pid, server.port) == 1
        left_at = time.monotonic()
        socket.socket.shutdown(SHUT_RDWR)
        wait_until(lambda: dialling(pid, server.port) == 0, "the upstream's connection is closed", timeout_s=2)
        assert time.monotonic() - left_at < 0.5


def test_upstream_that_vanishes_cuts_the_client(gateway: GatewayProcess, server: SocketServer) -> None:
    """An upstream whose connection is cut cuts the client's too."""
    with connect(ws_url(gateway), ping_interval=None) as socket:
        socket.send("vanish")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)


def test_refusal_is_relayed(gateway: GatewayProcess) -> None:
    """An upstream that does not switch gives its own answer."""

    def handler(peer: Peer) -> None:
        seen = peer.read_request()
        assert seen is not None
        assert (seen.field("upgrade"), seen.field("connection")) == ("websocket", "Upgrade")
        peer.answer(b"no", "401 Unauthorized")

    upstream = Upstream(handler)
    gateway.map("/refuses", upstream.url)
    with pytest.raises(InvalidStatus) as caught:
        connect(ws_url(gateway, "/refuses/x"))
    assert (caught.value.response.status_code, caught.value.response.body) == (401, b"no")
    upstream.close()


@pytest.mark.parametrize("said", [b"", b"Upgrade: h2c\r\n"], ids=["to nothing", "to another protocol"])
def test_a_switch_to_anything_else_is_garbage(gateway: GatewayProcess, upstream: Upstream, said: bytes) -> None:
    """A 101 that does not name the protocol that was asked for is 502, and the connection is closed (RFC 9110, 7.8)."""
    let_go = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\n" + said + b"Connection: Upgrade\r\n\r\n")
        peer.wait_closed()
        let_go.set()

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"GET /up/x HTTP/1.1\r\n" + HANDSHAKE + b"\r\n")
        assert handshake_refusal(sock) == (502, "upstream_protocol_error")
        assert let_go.wait(5)


def test_unasked_switch_is_garbage(gateway: GatewayProcess) -> None:
    """An upstream that switches protocols unasked is not believed."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        peer.wait_closed()

    upstream = Upstream(handler)
    gateway.map("/unasked", upstream.url)
    assert gateway.request("GET", "/unasked/x").json()["error"]["code"] == "upstream_protocol_error"
    upstream.close()


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: g\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "framed"),
    [
        pytest.param(b"GET /up/x HTTP/1.1", b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, id="length"),
        pytest.param(
            b"GET /up/x HTTP/1.1",
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
            id="chunks",
        ),
        pytest.param(b"GET /up/x HTTP/1.0", b"\r\n", id="HTTP/1.0"),
        pytest.param(b"POST /up/x HTTP/1.1", b"Content-Length: 0\r\n\r\n", id="POST"),
    ],
)
def test_what_cannot_be_a_switch_is_a_plain_request(
    gateway: GatewayProcess, upstream: Upstream, line: bytes, framed: bytes
) -> None:
    """A request that has a body, is no GET or no HTTP/1.1 asks for no switch; its body stays a body, framed by us."""
    with gateway.connect() as sock:
        sock.sendall(line + b"\r\n" + HANDSHAKE + framed)
        assert b" 200 " in sock.recv(4096)
    [seen] = upstream.seen
    assert (seen.field("upgrade"), seen.field("connection")) == (None, None)
    assert seen.body == (SMUGGLED if SMUGGLED in framed else b"")


def test_silence_ends_it(impatient: GatewayProcess, server: SocketServer) -> None:
    """When nothing is said in either direction for the idle timeout the connection ends; talk of one side keeps it."""
    impatient.map("/ws", f"http://127.0.0.1:{server.port}/base")
    with connect(ws_url(impatient), ping_interval=None) as socket:
        for _ in range(8):
            time.sleep(0.1)  # far from the idle timeout, also on a busy machine
            socket.send("still here")
            socket.recv(timeout=5)
        started = time.monotonic()
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)
        assert 0.3 < time.monotonic() - started < 3


def test_one_event_with_bytes_each_way(start_gateway: Callable[..., GatewayProcess], server: SocketServer) -> None:
    """A WebSocket is one call: status 101, its bytes each way, its whole time."""
    logged = start_gateway(LOG_FORMAT="text")
    with connect(ws_url(logged), compression=None) as socket:
        socket.send("x" * 1000)
        socket.recv(timeout=5)
    figures = figures_of_switch(logged)
    assert int(figures["request_bytes"]) >= 1000
    assert int(figures["response_bytes"]) >= 1000
    assert "error" not in figures


def test_client_that_takes_nothing_is_let_go(impatient: GatewayProcess) -> None:
    """A client that stops reading while its upstream floods it ends after the idle timeout, and frees the upstream."""
    let_go = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                peer.send(b"x" * 65_536)
        let_go.set()

    upstream = Upstream(handler)
    impatient.map("/flood", upstream.url)
    with impatient.connect() as sock:
        sock.sendall(
            b"GET /flood/x HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert let_go.wait(10)
    upstream.close()


def test_refused_upgrade_keeps_the_idle_timeout(impatient: GatewayProcess) -> None:
    """Asking for an upgrade that is not given does not switch off the idle timeout of the answer."""
    let_go = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxx")
        peer.wait_closed()
        let_go.set()

    upstream = Upstream(handler)
    impatient.map("/stalls", upstream.url)
    with impatient.connect() as sock:
        sock.sendall(b"GET /stalls/x HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert let_go.wait(5)
    upstream.close()
