"""A WebSocket is under the limits of any call, and is let go as any call is."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.gateway import GatewayProcess, receive_all
from tests.support.open_sockets import dialling
from tests.support.upstream import Peer, Upstream, leaving_times
from tests.support.waiting import wait_until
from tests.support.websocket_upstream import (
    HANDSHAKE,
    SWITCH,
    SocketServer,
    figures_of_switch,
    handshake_refusal,
    ws_url,
)

ASK = b"GET /up/x HTTP/1.1\r\n" + HANDSHAKE + b"\r\n"


def opened(gateway: GatewayProcess) -> ClientConnection:
    return connect(ws_url(gateway), ping_interval=None, compression=None)


def refusal(gateway: GatewayProcess) -> tuple[int, bytes]:
    with pytest.raises(InvalidStatus) as caught:
        opened(gateway)
    return caught.value.response.status_code, caught.value.response.body or b""


@pytest.fixture
def limit_ws(gateway: GatewayProcess, server: SocketServer) -> Callable[..., None]:
    """Sets limits of the mapping `/ws`. The next test's server makes the mapping anew, without any."""
    gateway.admin("DELETE", "/api/mappings/ws")
    gateway.map("/ws", f"http://127.0.0.1:{server.port}/base")

    def set_limits(**options: float) -> None:
        assert gateway.admin("PUT", "/api/mappings/ws", {"options": options}).status == 200

    return set_limits


def test_it_holds_its_place_until_it_ends(gateway: GatewayProcess, limit_ws: Callable[..., None]) -> None:
    """An open WebSocket counts among the calls at once; when it ends, however it does, its place is free."""
    limit_ws(max_concurrency=1)
    try:
        with opened(gateway) as first:
            first.send("x")
            assert first.recv(timeout=5) == "x"
            status, body = refusal(gateway)
            assert (status, b"upstream_busy" in body) == (429, True)
        for end in (ClientConnection.close, lambda client: client.socket.shutdown(socket.SHUT_RDWR)):
            with wait_until(lambda: welcomed(gateway), "the place is free") as client:
                end(client)
        with wait_until(lambda: welcomed(gateway), "the place is free") as client:
            client.send("vanish")
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=5)
        with wait_until(lambda: welcomed(gateway), "the place is free"):
            pass
    finally:
        limit_ws()


def welcomed(gateway: GatewayProcess) -> ClientConnection | None:
    try:
        return opened(gateway)
    except InvalidStatus:
        return None


def test_its_handshakes_have_a_rate(gateway: GatewayProcess, limit_ws: Callable[..., None]) -> None:
    """A handshake is one call each second among those allowed; messages are not counted."""
    limit_ws(requests_per_second=1, burst=1)
    try:
        with wait_until(lambda: welcomed(gateway), "a token is there") as client:
            for _ in range(5):
                client.send("x")
                assert client.recv(timeout=5) == "x"
            status, body = refusal(gateway)
            assert (status, b"rate_limited" in body) == (429, True)
    finally:
        limit_ws()


def test_its_whole_time_is_bounded(
    gateway: GatewayProcess, limit_ws: Callable[..., None], server: SocketServer
) -> None:
    """The total timeout ends a WebSocket however busy it is, at both ends."""
    limit_ws(total_timeout=0.6)
    try:
        began = time.monotonic()
        with opened(gateway) as client, pytest.raises(ConnectionClosed):
            talk(client, began + 5)
        assert 0.5 < time.monotonic() - began < 3
        wait_until(lambda: server.closed, "the upstream is let go")
    finally:
        limit_ws()


def talk(client: ClientConnection, until_s: float) -> None:
    while time.monotonic() < until_s:
        client.send("x")
        client.recv(timeout=5)


def test_a_body_limit_is_not_its_business(gateway: GatewayProcess, limit_ws: Callable[..., None]) -> None:
    """What is sent after the switch is no request's body."""
    limit_ws(max_body_bytes=10)
    try:
        with opened(gateway) as client:
            client.send("x" * 1000)
            assert client.recv(timeout=5) == "x" * 1000
    finally:
        limit_ws()


def test_a_handshake_without_answer_is_a_504(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """An upstream that does not answer a handshake in time is 504 first_byte_timeout, in HTTP."""
    closed_at = leaving_times(upstream, lambda peer: peer.read_request() and None)
    limit(first_byte_timeout=0.3)
    with gateway.connect() as sock:
        sock.sendall(ASK)
        assert handshake_refusal(sock) == (504, "first_byte_timeout")
    wait_until(lambda: closed_at, "the upstream is let go")


@pytest.mark.timing
@pytest.mark.parametrize("act", ["before the switch", "after the switch"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_frees_the_upstream_at_once(
    gateway: GatewayProcess, upstream: Upstream, act: str, how: str
) -> None:
    """Within 100 ms, during the handshake as within the conversation."""
    asked = threading.Event()

    def answer(peer: Peer) -> None:
        peer.read_request()
        if act == "after the switch":
            peer.send(SWITCH)
        asked.set()

    closed_at = leaving_times(upstream, answer)
    sock = gateway.connect()
    sock.sendall(ASK)
    assert asked.wait(5)
    if act == "after the switch":
        assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    left_at = time.monotonic()
    sock.close()
    wait_until(lambda: closed_at, "the upstream is let go", pause_s=0.005)
    assert closed_at[0] - left_at < 0.2


@pytest.mark.timing
@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_upstream_that_leaves_frees_the_client_at_once(
    gateway: GatewayProcess, upstream: Upstream, how: str
) -> None:
    """What it said last arrives, then the client's connection ends; nothing of it is left in the web process."""
    go = threading.Event()

    def leave(peer: Peer) -> None:
        peer.read_request()
        peer.send(SWITCH + b"last words")
        assert go.wait(5)
        if how == "reset":
            peer.reset()

    upstream.handler = leave
    with gateway.connect() as sock:
        sock.sendall(ASK)
        data = b""
        while b"last words" not in data:
            piece = sock.recv(4096)
            assert piece
            data += piece
        left_at = time.monotonic()
        go.set()
        assert receive_all(sock) == b""
        assert time.monotonic() - left_at < 0.5
    wait_until(lambda: dialling(gateway.worker_pids()[0], upstream.port) == 0, "the connection is closed")


@pytest.mark.own_server  # others stop in their own ways; tests/servers/test_uwsgi.py has one of them
def test_a_stop_lets_it_talk_then_ends_it(start_gateway: Callable[..., GatewayProcess], server: SocketServer) -> None:
    """After SIGTERM a WebSocket goes on within GRACEFUL_TIMEOUT, then ends at both ends, and is counted."""
    own = start_gateway(GRACEFUL_TIMEOUT="2")
    with opened(own) as client:
        client.send("before")
        assert client.recv(timeout=5) == "before"
        own.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        wait_until(lambda: refuses(own), "new connections are refused")
        client.send("after")
        assert client.recv(timeout=5) == "after"
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=10)
        assert 1.5 < time.monotonic() - began < 5
    assert own.process.wait(timeout=10) == 0
    wait_until(lambda: server.closed, "the upstream is let go")
    figures = figures_of_switch(own)
    assert (int(figures["request_bytes"]), int(figures["response_bytes"])) == (len("before") + 6 + len("after") + 6, 15)


def refuses(gateway: GatewayProcess) -> bool:
    try:
        gateway.connect().close()
    except OSError:
        return True
    return False
