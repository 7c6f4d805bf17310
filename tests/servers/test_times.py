"""Clients that send nothing, or take nothing, are given up after their time."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.gateway import GatewayProcess, receive_all
from tests.support.http1_reading import with_field
from tests.support.raw_answers import Answer
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def hasty(redis_url: str) -> Iterator[GatewayProcess]:
    """A gateway that waits for clients only briefly, the idle longest."""
    times = {"KEEPALIVE_TIMEOUT": "2", "HEAD_TIMEOUT": "0.5", "CLIENT_TIMEOUT": "0.5"}
    process = GatewayProcess(redis_url, times).start()
    yield process
    process.stop()


def seconds_until_closed(sock: socket.socket) -> float:
    began = time.monotonic()
    assert receive_all(sock) == b""
    return time.monotonic() - began


def test_idle_connection_is_closed(hasty: GatewayProcess) -> None:
    """A connection without a request is closed after KEEPALIVE_TIMEOUT, be it new or used, silent or not quite."""
    with contextlib.ExitStack() as stack:
        idle = []
        for before, after in itertools.product((b"", b"GET /health HTTP/1.1\r\nHost: g\r\n\r\n"), (b"", b"\r\n")):
            sock = stack.enter_context(hasty.connect())
            if before:
                sock.sendall(before)
                assert Answer(sock).status == 200
            sock.sendall(after)
            idle.append((sock, time.monotonic(), (before, after)))
        for sock, began, how in idle:
            assert receive_all(sock) == b""
            assert 1.5 < time.monotonic() - began < 4, how


@pytest.mark.timing
@pytest.mark.parametrize(
    "before", [b"", b"GET /health HTTP/1.1\r\nHost: g\r\n\r\n"], ids=["at first", "between requests"]
)
def test_slow_head_is_closed(hasty: GatewayProcess, before: bytes) -> None:
    """A head that is not there HEAD_TIMEOUT after its first byte is given up, however busily it drips."""
    with hasty.connect() as sock:
        if before:
            sock.sendall(before)
            assert Answer(sock).status == 200
        began = time.monotonic()
        drip = threading.Event()

        def send_slowly() -> None:
            with contextlib.suppress(OSError):
                sock.sendall(b"GET / HTTP/1.1\r\nA: ")
                while not drip.wait(0.05):
                    sock.sendall(b"x")

        thread = threading.Thread(target=send_slowly)
        thread.start()
        try:
            assert receive_all(sock) == b""
            assert 0.4 < time.monotonic() - began < 1.5
        finally:
            drip.set()
            thread.join()


def test_stalled_body_is_closed(hasty: GatewayProcess) -> None:
    """A body that stops coming is given up after CLIENT_TIMEOUT, and the upstream sees it broken off."""
    upstream = Upstream()
    hasty.map("/stall", upstream.url)
    with hasty.connect() as sock:
        sock.sendall(with_field(b"Content-Length: 10", line=b"POST /stall/x HTTP/1.1") + b"half")
        assert 0.4 < seconds_until_closed(sock) < 2
    wait_until(lambda: upstream.failures, "the upstream sees the body broken off")
    upstream.close()


def test_client_that_takes_nothing_is_closed(hasty: GatewayProcess) -> None:
    """A client that takes nothing of its answer for CLIENT_TIMEOUT is given up, and so is its upstream."""
    upstream = Upstream()
    hasty.map("/stuck", upstream.url)
    closed_after: list[float] = []

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n")
        began = time.monotonic()
        try:
            while True:
                peer.send(b"x" * 65_536)
        except OSError:
            closed_after.append(time.monotonic() - began)

    upstream.handler = handler
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", hasty.port))
        sock.sendall(b"GET /stuck/x HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(lambda: closed_after, "the upstream is let go")
    assert closed_after[0] < 4
    upstream.close()
