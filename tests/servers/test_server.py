"""The server on the wire: raw bytes in, raw bytes out, and what of it an upstream gets to see."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.servers.connection import LAST_REQUEST_S
from app.wire import http1
from tests.support.gateway import GatewayProcess, receive_all, wait_until
from tests.support.http1_cases import BAD_CHUNKS, BAD_REQUESTS
from tests.support.http1_reading import request, with_field
from tests.support.upstream import Peer, Upstream

GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\n\r\n"
LAST = b"GET /up/last HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


class Answer:
    """One answer taken from a connection, read as strictly as `http.client` can."""

    def __init__(self, sock: socket.socket, method: str = "GET") -> None:
        response = http.client.HTTPResponse(Unread(sock), method=method)  # type: ignore[arg-type]
        with contextlib.closing(response):
            response.begin()
            self.status = response.status
            self.fields = {name.lower(): value for name, value in response.getheaders()}
            self.body = response.read()

    def told(self) -> dict[str, object]:
        """What the echoing upstream saw."""
        told: dict[str, object] = json.loads(self.body)
        return told

    @property
    def line(self) -> object:
        return self.told()["line"]


class Unread:
    """A socket whose file takes byte by byte, so that the next answer stays on the connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> object:
        return self._sock.makefile(mode, buffering=0)


def answers(data: bytes, methods: list[str]) -> tuple[list[Answer], bytes]:
    """The answers in `data`, one for each method, and what follows them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        threading.Thread(target=lambda: (theirs.sendall(data), theirs.shutdown(socket.SHUT_WR))).start()
        found = [Answer(ours, method) for method in methods]
        return found, receive_all(ours)


def refused(data: bytes) -> tuple[int, dict[str, str]]:
    """Status and error of a refusal, which must be a whole answer that announces the connection's end."""
    [answer], rest = answers(data, ["GET"])
    assert rest == b""
    assert answer.fields["connection"] == "close"
    error = json.loads(answer.body)["error"]
    assert set(error) == {"message", "type", "code", "request_id"}
    assert error["request_id"] == answer.fields["x-request-id"]
    return answer.status, error


def at_upstream(data: bytes) -> bytes:
    """The same bytes with the mapped prefix before their target, where they have one in origin form."""
    return data.replace(b" / HTTP/", b" /up/x HTTP/", 1)


# --- what is refused ---


@pytest.mark.parametrize("case", sorted(BAD_REQUESTS.keys() - {"an empty line at the beginning"}))
def test_bad_head_is_refused_and_closed(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """A head that is not strictly HTTP/1.1 is answered with its error, the connection closed, and goes nowhere."""
    data, status = BAD_REQUESTS[case]
    if case == "nothing at all":
        data += b"\r\n"  # one empty line is passed over; see test_one_empty_line_is_passed_over
    smuggled = b"0\r\n\r\n" + LAST
    assert refused(gateway.raw(at_upstream(data) + smuggled))[0] == status
    assert not upstream.seen
    assert not upstream.connections


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_bad_chunks_are_refused_and_closed(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """A malformed chunked body is 400, its connection closed, and no upstream ever takes it for whole."""
    head = b"POST /up/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, error = refused_or_400(gateway.raw(head + BAD_CHUNKS[case] + LAST))
    assert (status, error["code"]) == (400, "bad_request")
    assert not [seen for seen in upstream.seen if seen.target != "/x"]
    wait_until(lambda: len(upstream.failures) == upstream.connections, "what was begun is broken off")


def refused_or_400(data: bytes) -> tuple[int, dict[str, str]]:
    [answer], rest = answers(data, ["POST"])
    assert rest == b""
    return answer.status, json.loads(answer.body)["error"]


def test_bad_chunks_for_the_admin_are_refused(gateway: GatewayProcess) -> None:
    """A malformed chunked body is the client's fault for every application here."""
    token = f"Authorization: Bearer {gateway.admin_token}".encode()
    head = request(
        b"POST /api/mappings HTTP/1.1",
        b"Host: g",
        token,
        b"Content-Type: application/json",
        b"Transfer-Encoding: chunked",
    )
    [answer], rest = answers(gateway.raw(head + b"+5\r\n{}   \r\n0\r\n\r\n" + GET), ["POST"])
    assert (answer.status, rest) == (400, b"")


@pytest.mark.parametrize(
    ("name", "status"),
    [("GET / HTTP/1.1\r\nA: ", 431), ("GET /", 414)],
)
def test_endless_head_is_cut_short(gateway: GatewayProcess, name: str, status: int) -> None:
    """A head that does not end is refused as soon as it is too long, and what still comes does not hide the answer."""
    with gateway.connect() as sock:
        sock.sendall(name.encode() + b"x" * 200_000)
        assert refused(receive_all(sock))[0] == status


def test_refused_in_the_pipe(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A bad request behind a good one is refused after the good one's answer, and nothing behind it is served."""
    bad = b"GET /up/bad HTTP/1.1\r\nHost: g\r\nA : b\r\n\r\n"
    [good, refusal], rest = answers(gateway.raw(GET + bad + LAST), ["GET", "GET"])
    assert (good.status, refusal.status, rest) == (200, 400, b"")
    assert [seen.target for seen in upstream.seen] == ["/x"]


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


# --- times ---


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


# --- graceful stop ---


@pytest.fixture
def own(
    request: pytest.FixtureRequest, start_gateway: Callable[..., GatewayProcess]
) -> Iterator[tuple[GatewayProcess, Upstream]]:
    """A gateway that the test may stop, and an upstream under `/own`."""
    gateway = start_gateway(GRACEFUL_TIMEOUT=getattr(request, "param", "3"))
    upstream = Upstream()
    gateway.map("/own", upstream.url)
    yield gateway, upstream
    upstream.close()


def refuses_connections(gateway: GatewayProcess) -> bool:
    try:
        gateway.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_stop_lets_requests_in_flight_end(own: tuple[GatewayProcess, Upstream]) -> None:
    """After SIGTERM new connections are refused; what is in flight ends whole, then all is over."""
    gateway, upstream = own
    stopped = threading.Event()

    def handler(peer: Peer) -> None:
        seen = peer.read_head()
        assert seen is not None
        if seen.target == "/stream":
            peer.begin_stream()
            peer.send_chunk(b"before")
            assert stopped.wait(10)
            peer.send_chunk(b" after")
            peer.end_stream()
        elif seen.target == "/upload":
            assert peer._read_exactly(6) == b"before"
            peer.answer(peer._read_exactly(6))
        else:
            assert stopped.wait(10)
            peer.answer(b"late")

    upstream.handler = handler
    with gateway.connect() as stream, gateway.connect() as late, gateway.connect() as upload, gateway.connect() as idle:
        stream.sendall(b"GET /own/stream HTTP/1.1\r\nHost: g\r\n\r\n")
        late.sendall(b"GET /own/late HTTP/1.1\r\nHost: g\r\n\r\n")
        upload.sendall(with_field(b"Content-Length: 12", line=b"POST /own/upload HTTP/1.1") + b"before")
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: g\r\n\r\n")
        assert Answer(idle).status == 200
        wait_until(lambda: len(upstream.seen) == 3, "all are in flight")
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        assert receive_all(idle) == b""
        wait_until(lambda: refuses_connections(gateway), "new connections are refused")
        upload.sendall(b" after")
        stopped.set()
        for sock, body in ((stream, b"before after"), (late, b"late"), (upload, b" after")):
            answer = Answer(sock)
            assert (answer.status, answer.body) == (200, body)
            assert receive_all(sock) == b""
        assert gateway.process.wait(timeout=10) == 0
        assert time.monotonic() - began < 3


def test_answers_begun_after_the_stop_say_so(own: tuple[GatewayProcess, Upstream]) -> None:
    """An answer whose head goes out after SIGTERM announces the connection's end."""
    gateway, upstream = own
    stopped = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        assert stopped.wait(10)
        peer.answer(b"late")

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"GET /own/late HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(lambda: upstream.seen, "it is in flight")
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(gateway), "the gateway stops")
        stopped.set()
        assert Answer(sock).fields["connection"] == "close"


def test_stop_answers_the_first_request_of_a_new_connection(own: tuple[GatewayProcess, Upstream]) -> None:
    """A connection that was accepted before SIGTERM gets its first request answered if it comes within a moment."""
    gateway, _ = own
    with gateway.connect() as sock:
        gateway.request("GET", "/health")  # connections are accepted in their order
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(gateway), "the gateway stops")
        sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        answer = Answer(sock)
        assert (answer.status, answer.fields["connection"]) == (200, "close")
    with contextlib.suppress(OSError):
        assert gateway.process.wait(timeout=10) == 0


def test_stop_answers_one_more_request_of_an_idle_connection(own: tuple[GatewayProcess, Upstream]) -> None:
    """A kept connection whose next request comes just when the process stops is answered, and told that it ends."""
    gateway, _ = own
    with gateway.connect() as sock:
        sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        assert "connection" not in Answer(sock).fields
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(gateway), "the gateway stops")
        sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        answer = Answer(sock)
        assert (answer.status, answer.fields["connection"]) == (200, "close")
        assert receive_all(sock) == b""


def test_an_answer_that_crossed_the_stop_is_not_the_last(own: tuple[GatewayProcess, Upstream]) -> None:
    """An answer whose head promised to keep the connection, before the stop, is followed by one more."""
    gateway, upstream = own
    stopped = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b"begun")
        assert stopped.wait(10)
        peer.end_stream()
        while peer.read_request() is not None:
            peer.answer(b"next")

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        response = http.client.HTTPResponse(sock)
        response.begin()
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(gateway), "the gateway stops")
        stopped.set()
        assert response.read() == b"begun"
        sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        answer = Answer(sock)
        assert (answer.body, answer.fields["connection"]) == (b"next", "close")


@pytest.mark.parametrize("own", ["20"], indirect=True)
def test_a_reload_waits_for_idle_connections(own: tuple[GatewayProcess, Upstream]) -> None:
    """After SIGHUP the old process keeps idle connections for some seconds, each for one more request; then it ends."""
    gateway, _ = own
    [old] = gateway.worker_pids()
    with gateway.connect() as asking, gateway.connect() as silent:
        for sock in (asking, silent):
            sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
            assert Answer(sock).status == 200
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(gateway.worker_pids()) == 2, "another process")
        time.sleep(1.5 * LAST_REQUEST_S)  # by then a stop would have ended both
        asking.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        assert Answer(asking).fields["connection"] == "close"
        assert receive_all(silent) == b""
        wait_until(lambda: old not in gateway.worker_pids(), "the old process is gone", timeout_s=2)
    assert "did not end" not in gateway.read_log()


@pytest.mark.parametrize("own", ["1"], indirect=True)
def test_stop_ends_visibly_what_takes_too_long(own: tuple[GatewayProcess, Upstream]) -> None:
    """A stream that goes on beyond GRACEFUL_TIMEOUT is broken visibly, at both ends."""
    gateway, upstream = own
    closed: list[float] = []

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b"endless")
        closed.append(peer.wait_closed(timeout_s=10))

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        assert sock.recv(1000)
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        assert not receive_all(sock).endswith(b"0\r\n\r\n")
        assert 0.7 < time.monotonic() - began < 3
    assert gateway.process.wait(timeout=10) == 0
    wait_until(lambda: closed, "the upstream is let go")


def test_reload_loses_no_request(own: tuple[GatewayProcess, Upstream]) -> None:
    """SIGHUP replaces the web process; requests on new connections and a stream in flight do not notice."""
    gateway, upstream = own
    reloaded = threading.Event()

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/stream":
                peer.begin_stream()
                assert reloaded.wait(10)
                peer.send_chunk(b"whole")
                peer.end_stream()
            else:
                peer.answer(b"short")

    upstream.handler = handler
    [old] = gateway.worker_pids()
    with gateway.connect() as stream:
        stream.sendall(b"GET /own/stream HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(lambda: upstream.seen, "the stream is in flight")
        gateway.process.send_signal(signal.SIGHUP)
        count = 0
        while old in gateway.worker_pids() and count < 2000:
            assert gateway.request("GET", "/own/short").body == b"short"
            count += 1
            if len(gateway.worker_pids()) > 1 or old not in gateway.worker_pids():
                reloaded.set()
        assert Answer(stream).body == b"whole"
    wait_until(lambda: gateway.worker_pids() and old not in gateway.worker_pids(), "the old process is gone")
    assert gateway.request("GET", "/own/short").body == b"short"


def test_reload_of_several_loses_no_request(
    gateway: GatewayProcess, upstream: Upstream, start_gateway: Callable[..., GatewayProcess]
) -> None:
    """SIGHUP to three busy web processes costs no call, also where clients keep connections and pause."""
    several = start_gateway(WEB_CONCURRENCY="3")
    stop = threading.Event()
    failures: list[BaseException] = []
    served = 0

    def call(*, keeps: bool, pause_s: float) -> None:
        nonlocal served
        sock: socket.socket | None = None
        with contextlib.ExitStack() as stack:
            while not stop.is_set():
                try:
                    if sock is None:
                        stack.close()
                        sock = stack.enter_context(several.connect())
                    sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}")
                    answer = Answer(sock)
                    assert answer.status == 200
                    served += 1
                    stop.wait(pause_s)
                    if not keeps or answer.fields.get("connection") == "close":
                        sock = None
                except (AssertionError, OSError, http.client.HTTPException) as failure:
                    failures.append(failure)
                    return

    threads = [
        threading.Thread(target=call, kwargs={"keeps": number % 2 == 0, "pause_s": number / 20}) for number in range(6)
    ]
    wait_until(lambda: len(several.worker_pids()) == 3, "three are there")
    for thread in threads:
        thread.start()
    for _ in range(2):
        old = set(several.worker_pids())
        before = served
        several.process.send_signal(signal.SIGHUP)
        wait_until(lambda old=old: not old & set(several.worker_pids()), "all are replaced", timeout_s=30)
        wait_until(lambda before=before: served > before + 50, "the new ones serve")
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_worker_that_is_killed_is_replaced(own: tuple[GatewayProcess, Upstream]) -> None:
    """A web process that dies costs its own requests only: another one serves at once."""
    gateway, upstream = own
    [old] = gateway.worker_pids()
    with gateway.connect() as sock:
        upstream.handler = lambda peer: (peer.read_request(), peer.wait_closed())[0] and None
        sock.sendall(b"GET /own/x HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(lambda: upstream.seen, "it is in flight")
        os.kill(old, signal.SIGKILL)
        assert receive_all(sock) == b""
    wait_until(lambda: gateway.worker_pids() not in ([], [old]), "another process")
    assert gateway.request("GET", "/health").status == 200


def test_a_web_process_that_has_just_begun_can_be_stopped(own: tuple[GatewayProcess, Upstream]) -> None:
    """A stop that comes before the process listens to signals is not lost; it would last as long as for a stream."""
    gateway, _ = own
    [old] = gateway.worker_pids()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: gateway.worker_pids() not in ([], [old]), "another process", pause_s=0.001)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(timeout=8) == 0


def test_limits_are_those_of_the_parser() -> None:
    """The limits that the documentation names are these."""
    assert (http1.MAX_HEAD_BYTES, http1.MAX_HEADERS) == (32 * 1024, 200)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_field_names_that_nobody_sends_leave_nothing_behind(gateway: GatewayProcess) -> None:
    """Names as long as a head may be, a new one in each request, do not stay in memory."""

    def ask(numbers: range) -> None:
        with gateway.connect() as sock:
            for number in numbers:
                sock.sendall(b"GET /none HTTP/1.1\r\nHost: g\r\n%d%b: x\r\n\r\n" % (number, b"x" * 30_000))
                assert Answer(sock).status == 404

    def memory_mb() -> float:
        pages = int(Path(f"/proc/{gateway.worker_pids()[0]}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    ask(range(300))  # what malloc keeps for itself
    before_mb = memory_mb()
    ask(range(300, 700))
    assert memory_mb() < before_mb + 15
