"""A web process that stops, is replaced or dies: what becomes of connections and requests."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.servers.connection import LAST_REQUEST_S
from tests.support.gateway import GUNICORN, ROOT, SERVERS, GatewayProcess, receive_all
from tests.support.http1_reading import with_field
from tests.support.raw_answers import Answer
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until


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
    except (ConnectionRefusedError, ConnectionResetError):  # reset: it was still in the queue when the gateway stopped
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


@pytest.mark.soak
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
    assert "did not end" not in gateway.final_log()


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


@pytest.mark.soak
def test_reload_of_several_loses_no_request(
    gateway: GatewayProcess, upstream: Upstream, start_gateway: Callable[..., GatewayProcess]
) -> None:
    """SIGHUP to two busy web processes costs no call, also where clients keep connections and pause."""
    several = start_gateway(WEB_CONCURRENCY="2")
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
    wait_until(lambda: len(several.worker_pids()) == 2, "both are there")
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


SLOW_TO_BEGIN = """
import time

__file__ = "{ours}"
exec(open(__file__).read())
begin = post_fork

def post_fork(server, worker):
    time.sleep(0.5)  # as on a busy machine
    begin(server, worker)
"""


def test_a_web_process_that_has_just_begun_can_be_stopped(
    start_gateway: Callable[..., GatewayProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that comes before the process listens to signals is not lost; it would last as long as for a stream."""
    settings = tmp_path / "slow.conf.py"
    settings.write_text(SLOW_TO_BEGIN.format(ours=ROOT / "gunicorn.conf.py"))
    command = [str(settings) if part == "gunicorn.conf.py" else part for part in GUNICORN]
    monkeypatch.setitem(SERVERS, "slow to begin", command)
    gateway = start_gateway("slow to begin", GRACEFUL_TIMEOUT="20")
    [old] = gateway.worker_pids()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: gateway.worker_pids() not in ([], [old]), "another process", pause_s=0.001)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(timeout=15) == 0
