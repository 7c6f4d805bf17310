"""Which connections to an upstream serve another request, and which are spoiled."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.launched import NEEDS_PROC
from tests.support.upstream import Handler, Peer, Upstream
from tests.support.waiting import wait_until

GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"

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
    assert sent.wait(5)


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


@contextmanager
def held(gateway: GatewayProcess) -> Iterator[None]:
    """Its web process does nothing meanwhile."""
    [process] = gateway.worker_pids()
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@NEEDS_PROC
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
                answer = head + b"x" * 100_000
            else:  # a body that ends where a read of 64 KiB ends, so that the poison is not read with it
                head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                size = 65_536 - len(head) - len(b"ffff\r\n" + b"\r\n0\r\n\r\n")
                answer = head + b"%04x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
            with held(gateway):  # all is in the kernel before anybody reads
                peer.send(answer + poison)

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
