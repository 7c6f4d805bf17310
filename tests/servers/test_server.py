"""The server on the wire: raw bytes in, raw bytes out, and what of it an upstream gets to see."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.gateway import GatewayProcess, receive_all
from tests.support.http1_reading import request, with_field
from tests.support.raw_answers import Answer, answers
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\n\r\n"
LAST = b"GET /up/last HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


# --- what is served ---


def test_byte_by_byte(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A request that drips in byte by byte is served as one that comes at once."""
    data = with_field(b"Transfer-Encoding: chunked", b"A: b", line=b"POST /up/x HTTP/1.1")
    data += b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"
    with gateway.connect() as sock:
        for index in range(len(data)):
            sock.sendall(data[index : index + 1])
        told = Answer(sock, "POST").told()
        assert (told["line"], told["body"]) == ("POST /x HTTP/1.1", "abcde")
        sock.sendall(LAST)
        assert answers(receive_all(sock), ["GET"])[0][0].line == "GET /last HTTP/1.1"


def test_pipeline(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Requests in one segment are answered in their order, each with its own body."""
    pipeline = (
        b"POST /up/1 HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nfirst"
        b"POST /up/2 HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\nT: u\r\n\r\n"
        b"GET /up/3 HTTP/1.1\r\nHost: g\r\n\r\n"
        b"HEAD /up/4 HTTP/1.1\r\nHost: g\r\n\r\n"
    ) + LAST
    found, rest = answers(gateway.raw(pipeline), ["POST", "POST", "GET", "HEAD", "GET"])
    assert rest == b""
    assert [answer.told()["body"] for answer in found[:3]] == ["first", "second", ""]
    assert [seen.target for seen in upstream.seen] == ["/1", "/2", "/3", "/4", "/last"]
    assert [seen.body for seen in upstream.seen] == [b"first", b"second", b"", b"", b""]


def test_pipeline_in_every_split(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Where the segments of a pipeline end makes no difference."""
    pipeline = b"POST /up/1 HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" + GET
    with gateway.connect() as sock:
        for cut in range(1, len(pipeline), 3):
            sock.sendall(pipeline[:cut])
            time.sleep(0.002)  # only to make two segments of it; the outcome does not hang on it
            sock.sendall(pipeline[cut:])
            assert Answer(sock, "POST").told()["body"] == "a"
            assert Answer(sock).line == "GET /x HTTP/1.1"


def test_framing_is_ours(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An upstream gets a body framed by us: no extensions, no trailers, sizes as we write them."""
    raw = b""

    def handler(peer: Peer) -> None:
        nonlocal raw
        peer.read_head()
        while not peer._buffer.endswith(b"0\r\n\r\n"):
            assert peer._receive()
        raw = peer._buffer
        peer.answer()

    upstream.handler = handler
    head = with_field(b"Transfer-Encoding: Chunked", b"Trailer: T", b"TE: trailers", line=b"POST /up/x HTTP/1.1")
    with gateway.connect() as sock:
        sock.sendall(head + b'0003;x="\\""\r\nabc\r\n00a\r\n0123456789\r\n000\r\nT: u\r\n\r\n')
        assert Answer(sock).status == 200
    assert raw == b"d\r\nabc0123456789\r\n0\r\n\r\n"
    assert upstream.seen[0].field("transfer-encoding") == "chunked"
    assert upstream.seen[0].field("trailer") is None
    assert upstream.seen[0].field("te") is None


def plain(peer: Peer) -> None:
    peer.answer(b"plain")


def chunked(peer: Peer) -> None:
    peer.begin_stream()
    peer.send_chunk(b"chunk")
    peer.send(b"0\r\nT: u\r\n\r\n")


def no_content(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")


def not_modified(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")


def head_only(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")


def head_of_chunks(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def until_close(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nto the end")
    peer.sock.shutdown(socket.SHUT_WR)


def garbage(peer: Peer) -> None:
    peer.send(b"garbage\r\n\r\n")


BEFORE_THE_NEXT: dict[str, tuple[bytes, Callable[[Peer], None], int]] = {
    "a plain answer": (GET, plain, 200),
    "a chunked answer": (GET, chunked, 200),
    "an answer until the end": (GET, until_close, 200),
    "HEAD": (b"HEAD /up/x HTTP/1.1\r\nHost: g\r\n\r\n", head_only, 200),
    "HEAD of chunks": (b"HEAD /up/x HTTP/1.1\r\nHost: g\r\n\r\n", head_of_chunks, 200),
    "204": (GET, no_content, 204),
    "204 after a body": (with_field(b"Content-Length: 3", line=b"DELETE /up/x HTTP/1.1") + b"abc", no_content, 204),
    "304": (GET, not_modified, 304),
    "HTTP/1.0 keep-alive": (request(b"GET /up/x HTTP/1.0", b"Connection: keep-alive"), plain, 200),
    "HTTP/1.0 keep-alive with a body": (
        request(b"POST /up/x HTTP/1.0", b"Connection: Keep-Alive", b"Content-Length: 3") + b"abc",
        plain,
        200,
    ),
    "a body": (with_field(b"Content-Length: 3", line=b"POST /up/x HTTP/1.1") + b"abc", plain, 200),
    "a body and an empty line too many": (
        with_field(b"Content-Length: 3", line=b"POST /up/x HTTP/1.1") + b"abc\r\n",
        plain,
        200,
    ),
    "a chunked upload": (
        with_field(b"Transfer-Encoding: chunked", line=b"POST /up/x HTTP/1.1") + b"3\r\nabc\r\n0\r\n\r\n",
        chunked,
        200,
    ),
    "an empty chunked upload": (
        with_field(b"Transfer-Encoding: chunked", line=b"PUT /up/x HTTP/1.1") + b"0\r\n\r\n",
        plain,
        200,
    ),
    "trailers": (
        with_field(b"Transfer-Encoding: chunked", line=b"POST /up/x HTTP/1.1")
        + b"3\r\nabc\r\n0\r\nT: u\r\nV: w\r\n\r\n",
        plain,
        200,
    ),
    "absolute form": (with_field(line=b"GET http://g/up/x HTTP/1.1"), plain, 200),
    "nothing found": (b"GET /nothing/here HTTP/1.1\r\nHost: g\r\n\r\n", plain, 404),
    "nothing found for a body": (
        with_field(b"Content-Length: 3", line=b"POST /nothing/x HTTP/1.1") + b"abc",
        plain,
        404,
    ),
    "nothing found for chunks": (
        with_field(b"Transfer-Encoding: chunked", line=b"POST /nothing/x HTTP/1.1") + b"3\r\nabc\r\n0\r\n\r\n",
        plain,
        404,
    ),
    "an upstream's garbage": (GET, garbage, 502),
    "an upstream's garbage after a body": (
        with_field(b"Content-Length: 3", line=b"POST /up/x HTTP/1.1") + b"abc",
        garbage,
        502,
    ),
    "a preflight": (
        b"OPTIONS /up/x HTTP/1.1\r\nHost: g\r\nOrigin: http://a\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
        plain,
        204,
    ),
    "an expectation whose body came unasked": (
        with_field(b"Content-Length: 3", b"Expect: 100-continue", line=b"POST /nothing/x HTTP/1.1") + b"abc",
        plain,
        404,
    ),
}


@pytest.mark.parametrize("case", BEFORE_THE_NEXT)
@pytest.mark.parametrize("how", ["one after the other", "in one segment"])
def test_connection_serves_another(gateway: GatewayProcess, upstream: Upstream, case: str, how: str) -> None:
    """After a request of whatever kind, its connection is whole and serves the next."""
    data, act, status = BEFORE_THE_NEXT[case]

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/last":
                peer.answer(b"the last")
            else:
                act(peer)

    upstream.handler = handler
    method = data.split(b" ")[0].decode()
    with gateway.connect() as sock:
        if how == "in one segment":
            sock.sendall(data + LAST)
        else:
            sock.sendall(data)
        first = Answer(sock, method)
        assert first.status == status
        assert first.fields.get("connection") == ("keep-alive" if b"HTTP/1.0" in data else None)
        if how == "one after the other":
            sock.sendall(LAST)
        second = Answer(sock)
        assert (second.status, second.body, second.fields["connection"]) == (200, b"the last", "close")
        assert receive_all(sock) == b""


def test_204_has_no_length(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A 204 goes out without Content-Length, whatever the upstream wrote; a 304 keeps it."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        no_content(peer)
        peer.read_request()
        not_modified(peer)

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(GET)
        assert "content-length" not in Answer(sock).fields
        sock.sendall(GET)
        assert Answer(sock).fields["content-length"] == "77"


@pytest.mark.parametrize("case", ["\r\n at the beginning", "\r\n twice", "\r\n in pieces", "\r\n twice in pieces"])
def test_one_empty_line_is_passed_over(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """One empty line before a request is passed over, a second is refused, however they come."""
    lines = b"\r\n\r\n" if "twice" in case else b"\r\n"
    with gateway.connect() as sock:
        for piece in [lines[i : i + 1] for i in range(len(lines))] if "pieces" in case else [lines]:
            sock.sendall(piece)
            time.sleep(0.01 if "pieces" in case else 0)  # only to make segments of it
        sock.sendall(LAST)
        assert receive_all(sock).startswith(b"HTTP/1.1 400" if "twice" in case else b"HTTP/1.1 200")


def test_asterisk(gateway: GatewayProcess) -> None:
    """OPTIONS for the server as a whole is answered and its connection kept."""
    with gateway.connect() as sock:
        sock.sendall(b"OPTIONS * HTTP/1.1\r\nHost: g\r\n\r\nGET /health HTTP/1.1\r\nHost: g\r\n\r\n")
        assert Answer(sock, "OPTIONS").status in (200, 204, 404, 405)
        assert Answer(sock).status == 200


# --- HTTP/1.0 ---


@pytest.mark.parametrize("act", [plain, chunked, until_close], ids=lambda act: act.__name__)
@pytest.mark.parametrize("keep_alive", [False, True])
def test_http10_is_never_answered_in_chunks(
    gateway: GatewayProcess, upstream: Upstream, act: Callable[[Peer], None], keep_alive: bool
) -> None:
    """An HTTP/1.0 client gets a length or the connection's end, never chunks, whatever the upstream sends."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        act(peer)

    upstream.handler = handler
    fields = [b"Connection: keep-alive"] if keep_alive else []
    with gateway.connect() as sock:
        sock.sendall(request(b"GET /up/x HTTP/1.0", *fields))
        if act is plain and keep_alive:
            assert Answer(sock).body == b"plain"
            return
        head, _, body = receive_all(sock).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"\r\nConnection: close" in head
    assert body == {plain: b"plain", chunked: b"chunk", until_close: b"to the end"}[act]


def test_http10_break_is_visible(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A broken body that only the connection's end would end is ended by a reset."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b"half")

    upstream.handler = handler
    with gateway.connect() as sock, sock.makefile("rb") as answer:
        sock.sendall(b"GET /up/x HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            answer.read()


# --- expectations ---


def test_client_is_not_told_to_go_on_within_an_answer(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An upstream that says 100 and answers at once does not make a 100 of ours stand within its answer."""
    go_on = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        assert go_on.wait(5)
        peer.send(b"-last")
        peer.wait_closed()

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(with_field(b"Content-Length: 3", b"Expect: 100-continue", line=b"POST /up/x HTTP/1.1"))
        data = b""
        while b"first" not in data:
            data += sock.recv(1000)
        go_on.set()
        data += receive_all(sock)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert data.removeprefix(interim).count(b"HTTP/1.1 ") == 1
    assert data.endswith(b"first-last")


def test_connection_is_closed_when_the_expected_body_was_not_asked_for(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Who expects 100 and gets a refusal may send the body or not: the connection ends, announced."""
    with gateway.connect() as sock:
        sock.sendall(with_field(b"Content-Length: 3", b"Expect: 100-continue", line=b"POST /nothing/x HTTP/1.1"))
        answer = Answer(sock)
        assert (answer.status, answer.fields["connection"]) == (404, "close")
        sock.sendall(LAST)
        assert receive_all(sock) == b""
    assert not upstream.seen


# --- bodies that nobody reads, or that do not come whole ---


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("target", [b"/nothing/x", b"/up/x"])
def test_unread_upload_does_not_destroy_the_answer(
    gateway: GatewayProcess, upstream: Upstream, framing: str, target: bytes
) -> None:
    """A long upload that is refused early is answered, and the client that goes on sending can still read it."""

    def handler(peer: Peer) -> None:
        peer.read_head()
        peer.answer(b"too much", "413 Content Too Large")

    upstream.handler = handler
    size = 20_000_000
    field = b"Content-Length: %d" % size if framing == "length" else b"Transfer-Encoding: chunked"
    with gateway.connect() as sock:
        sock.sendall(with_field(field, line=b"POST " + target + b" HTTP/1.1"))
        if framing == "chunks":
            sock.sendall(b"%x\r\n" % size)
        with contextlib.suppress(ConnectionError):  # the gateway may close before all of it is sent
            sock.sendall(b"x" * size)
        answer = Answer(sock)
        assert answer.status == (404 if target == b"/nothing/x" else 413)
        assert answer.fields["connection"] == "close"
        assert receive_all(sock) == b""


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(with_field(b"Content-Length: 10", line=b"POST /up/x HTTP/1.1") + b"half", id="length"),
        pytest.param(
            with_field(b"Transfer-Encoding: chunked", line=b"POST /up/x HTTP/1.1") + b"4\r\nhalf\r\n",
            id="between chunks",
        ),
        pytest.param(
            with_field(b"Transfer-Encoding: chunked", line=b"POST /up/x HTTP/1.1") + b"9\r\nhalf", id="within a chunk"
        ),
        pytest.param(
            with_field(b"Transfer-Encoding: chunked", line=b"POST /up/x HTTP/1.1") + b"4\r\nhalf\r\n0\r\n",
            id="before the last line",
        ),
    ],
)
@pytest.mark.parametrize("how", ["close", "half close", "reset"])
def test_body_cut_off_never_arrives_as_whole(
    gateway: GatewayProcess, upstream: Upstream, begun: bytes, how: str
) -> None:
    """A body that ends before its length reaches the upstream as broken off."""
    with gateway.connect() as sock:
        sock.sendall(begun)
        wait_until(lambda: upstream.seen, "the upstream sees the head")
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        elif how == "half close":
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b""
    wait_until(lambda: upstream.failures, "the upstream sees the body broken off")
    assert isinstance(upstream.failures[0], ConnectionError)
    assert upstream.seen[0].body == b""


@pytest.mark.parametrize("cut", [1, 10, len(GET) - 1])
def test_head_cut_off_is_no_request(gateway: GatewayProcess, upstream: Upstream, cut: int) -> None:
    """A head that does not end is not served."""
    with gateway.connect() as sock:
        sock.sendall(GET[:cut])
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
    assert not upstream.seen
