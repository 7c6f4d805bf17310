"""What app/servers/uwsgi.py does itself under uWSGI; the rest is in the tests that `make test-servers` runs there."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.gateway import SERVERS, GatewayProcess, receive_all
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not Path(SERVERS["uwsgi"][0]).exists(), reason="uWSGI is not installed; `make test-servers` installs it"
)


@pytest.fixture(scope="module")
def under_uwsgi(redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url, server="uwsgi").start()
    yield process
    process.stop()


@pytest.fixture
def upstream(under_uwsgi: GatewayProcess) -> Iterator[Upstream]:
    server = Upstream()
    under_uwsgi.map("/up", server.url)
    yield server
    server.close()


def stream_until(go_on: threading.Event, end: bytes, upstream: Upstream) -> None:
    """Makes the upstream begin a stream, and end it as told when `go_on` is set."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b"begun")
        assert go_on.wait(10)
        peer.send(end)

    upstream.handler = handler


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nTransfer_Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: \r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_what_could_be_read_two_ways_is_refused(under_uwsgi: GatewayProcess, upstream: Upstream, fields: str) -> None:
    """A body whose length is told twice or oddly, which uWSGI lets through, is 400 and reaches no upstream."""
    answer = under_uwsgi.raw(f"POST /up/x HTTP/1.1\r\nHost: g\r\n{fields}\r\n0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert not upstream.seen


@pytest.mark.parametrize(
    "head",
    [
        "GET /up/x HTTP/1.1\r\n",
        "GET /up/x HTTP/1.1\r\nHost: g\r\nHost: h\r\n",
        "GET /up/x HTTP/1.1\r\nHost: g\r\nX-A : b\r\n",
        "GET /up/x HTTP/1.1\r\nHost: g\r\nX-A: b\r\n folded\r\n",
        "GET /up/x HTTP/1.1\r\nHost: g\r\nX-A: b\nX-B: c\r\n",
        "GET /up/x HTTP/1.1\r\nHost: g\r\nX-A: b\0c\r\n",
        "GET /up/x\nX-A:b HTTP/1.1\r\nHost: g\r\n",
        "GET /up/\tx HTTP/1.1\r\nHost: g\r\n",
    ],
)
def test_bad_heads_are_refused(under_uwsgi: GatewayProcess, upstream: Upstream, head: str) -> None:
    """A head that uWSGI suffers and RFC 9112 does not is 400 and reaches no upstream."""
    assert under_uwsgi.raw(f"{head}\r\n".encode()).startswith(b"HTTP/1.1 400 ")
    assert not upstream.seen


def test_other_expectations_and_versions_are_refused(under_uwsgi: GatewayProcess, upstream: Upstream) -> None:
    """An expectation other than 100-continue is 417, a version other than 1.0 and 1.1 is 505."""
    expecting = under_uwsgi.raw(b"POST /up/x HTTP/1.1\r\nHost: g\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n")
    assert expecting.startswith(b"HTTP/1.1 417 ")
    assert under_uwsgi.raw(b"GET /up/x HTTP/3.0\r\nHost: g\r\n\r\n").startswith(b"HTTP/1.1 505 ")
    assert not upstream.seen


@pytest.mark.parametrize("size", ["4 ", "-4", "4;x=y", "4\n", "F" * 16, "F" * 15 + "D"])
def test_bad_chunks_are_refused(under_uwsgi: GatewayProcess, upstream: Upstream, size: str) -> None:
    """A chunk size that is no plain number, or would be a negative one, is 400.

    uWSGI stops reading one at the first letter above F; nothing can be smuggled by that, as the connection ends.
    """
    head = "POST /up/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert under_uwsgi.raw(f"{head}{size}\r\nbody\r\n0\r\n\r\n".encode()).startswith(b"HTTP/1.1 400 ")


def test_nothing_follows_an_answer(under_uwsgi: GatewayProcess, upstream: Upstream) -> None:
    """A connection serves one request; a second one in the pipe is not even read."""
    request = b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n\r\nbody"
    answer = under_uwsgi.raw(request + request)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert [seen.body for seen in upstream.seen] == [b"body"]


@pytest.mark.parametrize("colon", [b":", b": ", b":     "])
def test_bodies_arrive_whatever_the_blanks(under_uwsgi: GatewayProcess, upstream: Upstream, colon: bytes) -> None:
    """Part of the body with the head, part later: all of it arrives, however long the blanks make the head."""
    fields = b"".join(b"X-%d%sv\r\n" % (number, colon) for number in range(20))
    with under_uwsgi.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\n" + fields + b"Content-Length: 50000\r\n\r\n" + b"a" * 20_000)
        time.sleep(0.1)
        sock.sendall(b"b" * 30_000)
        assert receive_all(sock).startswith(b"HTTP/1.1 200 ")
    assert upstream.seen[-1].body == b"a" * 20_000 + b"b" * 30_000


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""], ids=["whole", "broken"])
def test_bodies_that_only_the_end_delimits(under_uwsgi: GatewayProcess, upstream: Upstream, end: bytes) -> None:
    """To a client of HTTP/1.0 a whole body ends by closing, a broken one by a reset."""
    go_on = threading.Event()
    stream_until(go_on, end, upstream)
    with under_uwsgi.connect() as sock:
        sock.sendall(b"GET /up/x HTTP/1.0\r\nHost: g\r\n\r\n")
        answer = b""
        while not answer.endswith(b"begun"):
            answer += sock.recv(1000)
        go_on.set()
        if end:
            assert sock.recv(1000) == b""
        else:
            with pytest.raises(ConnectionResetError):
                sock.recv(1000)


@pytest.mark.parametrize("patience", [10, 1])
def test_streams_in_flight_at_the_stop(start_gateway: Callable[..., GatewayProcess], patience: int) -> None:
    """SIGTERM lets a stream end within GRACEFUL_TIMEOUT; after that it is cut, visibly. Its target is in no log."""
    upstream = Upstream()
    go_on = threading.Event()
    stream_until(go_on, b"0\r\n\r\n", upstream)
    process = start_gateway("uwsgi", GRACEFUL_TIMEOUT=str(patience))
    process.map("/stopped", upstream.url)
    client = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    client.request("GET", "/stopped/x?key=CANARY")
    with client.getresponse() as response:
        assert response.read1(100) == b"begun"
        process.process.send_signal(signal.SIGTERM)
        if patience == 10:
            time.sleep(1)
            go_on.set()
            assert response.read() == b""
        else:
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                response.read()
    go_on.set()
    assert "CANARY" not in process.final_log()
    assert process.stop() == 0
    upstream.close()


@pytest.mark.parametrize(
    "body", [b"Content-Length: 9000\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n8\r\n"]
)
def test_a_call_that_is_ended_before_its_body_has_come_leaves_nothing_behind(
    under_uwsgi: GatewayProcess, upstream: Upstream, body: bytes
) -> None:
    """Whoever waits for the rest of the body is let go before uWSGI closes the client's connection."""

    def handler(peer: Peer) -> None:
        seen = peer.read_head()
        assert seen is not None
        if seen.target == "/long":
            peer.begin_stream()
            with suppress(OSError):
                peer.send_chunk(b"x" * 50_000_000)  # more than fits between
        else:
            peer.wait_closed(20)

    upstream.handler = handler
    before = under_uwsgi.worker_pids()
    for _ in range(3):
        for request in (b"POST /up/waits HTTP/1.1\r\nHost: g\r\n" + body, b"GET /up/long HTTP/1.1\r\nHost: g\r\n\r\n"):
            with under_uwsgi.connect() as sock:
                sock.sendall(request)
                end_the_call(under_uwsgi)
    assert under_uwsgi.worker_pids() == before


def end_the_call(gateway: GatewayProcess) -> None:
    """The only one that goes on, as soon as nothing of it moves."""
    seen: list[tuple[str, int]] = [("", -1)]

    def stands_still() -> bool:
        calls = gateway.admin("GET", "/api/active").json()["active"]
        seen.append((calls[0]["id"], calls[0]["bytes"]) if calls else ("", -1))
        return bool(calls) and seen[-1] == seen[-2]

    wait_until(stands_still, "it stands still", pause_s=0.1)
    assert gateway.admin("DELETE", f"/api/active/{seen[-1][0]}").status == 200
    wait_until(lambda: gateway.admin("GET", "/api/active").json()["count"] == 0, "it has ended")


def test_a_stop_while_processes_begin_is_obeyed(redis_url: str) -> None:
    """One answers, and others are on the way."""
    for _ in range(3):
        gateway = GatewayProcess(redis_url, {"WEB_CONCURRENCY": "4"}, server="uwsgi").start()
        try:
            gateway.process.terminate()
            assert gateway.process.wait(10) == 0
        finally:
            gateway.stop()
