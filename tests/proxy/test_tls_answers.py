"""Answers over TLS: which connections serve again, and where a body ends."""

from __future__ import annotations

import contextlib
import http.client
import threading

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.raw_answers import body_of
from tests.support.tls import TlsUpstream
from tests.support.upstream import Peer

GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


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
    assert data.startswith(b"HTTP/1.1 200 "), data
    if how == "said":
        assert body_of(data) == b"some of it"
    else:
        with pytest.raises(http.client.IncompleteRead):
            body_of(data)
