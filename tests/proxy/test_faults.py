"""When the upstream fails or the client leaves: what the other side sees, and that everything is let go."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from app.storage.connections import MAPPINGS
from tests.support.gateway import GatewayProcess, begin, error_of, free_port, receive_all
from tests.support.open_sockets import dialling
from tests.support.upstream import Peer, Upstream, leaving_times
from tests.support.waiting import wait_until

LET_GO_S = 0.1
"""How soon after the client has left the upstream must see its connection closed; CI's machines get a little more."""


@pytest.fixture(scope="module")
def impatient(redis_url: str) -> Iterator[GatewayProcess]:
    """A gateway with short timeouts."""
    times = {"CONNECT_TIMEOUT": "0.3", "FIRST_BYTE_TIMEOUT": "0.4", "IDLE_TIMEOUT": "0.4"}
    process = GatewayProcess(redis_url, times).start()
    yield process
    process.stop()


@pytest.fixture
def slow(impatient: GatewayProcess) -> Iterator[Upstream]:
    """An upstream that the impatient gateway reaches under `/slow`."""
    server = Upstream()
    impatient.map("/slow", server.url)
    yield server
    server.close()


def test_refused_connection(gateway: GatewayProcess) -> None:
    """An upstream that nobody listens at is 502 upstream_unreachable."""
    gateway.map("/nobody", f"http://127.0.0.1:{free_port()}")
    assert error_of(gateway.request("POST", "/nobody/x", b"{}")) == (502, "upstream_unreachable")


def test_unknown_name(gateway: GatewayProcess) -> None:
    """A host name that does not resolve is 502 upstream_unreachable."""
    gateway.map("/noname", "http://name.invalid")
    assert error_of(gateway.request("GET", "/noname/x")) == (502, "upstream_unreachable")


def test_name_that_is_none(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """A host that cannot be a name is refused when saved, and listed as rejected when it got into Redis by hand."""
    saved = gateway.admin("POST", "/api/mappings", {"prefix": "/noname2", "target": "https://a..b"})
    assert saved.status == 400
    redis_client.hset(MAPPINGS, "/noname2", "https://a..b")
    gateway.admin("POST", "/api/mappings/reload")
    assert "'a..b' is no host name" in gateway.admin("GET", "/api/mappings").json()["rejected"]["/noname2"]
    redis_client.hdel(MAPPINGS, "/noname2")


def test_silent_connect_times_out(impatient: GatewayProcess) -> None:
    """A connection that is not accepted in time is 502 upstream_unreachable."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        impatient.map("/full", f"http://127.0.0.1:{full.getsockname()[1]}")
        assert error_of(impatient.request("GET", "/full/x")) == (502, "upstream_unreachable")
        for filler in fillers:
            filler.close()


def test_no_first_byte(impatient: GatewayProcess, slow: Upstream) -> None:
    """An upstream that does not begin to answer in time is 504 first_byte_timeout, and its connection is closed."""
    waited = []

    def handler(peer: Peer) -> None:
        peer.read_request()
        waited.append(peer.wait_closed())

    slow.handler = handler
    assert error_of(impatient.request("GET", "/slow/x")) == (504, "first_byte_timeout")


def test_no_first_byte_after_an_upload(impatient: GatewayProcess, slow: Upstream) -> None:
    """The first byte's time begins when the whole body is out, so a slow upload does not use it up."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.wait_closed()

    slow.handler = handler
    with impatient.connect() as sock:
        sock.sendall(b"POST /slow/x HTTP/1.1\r\nHost: g\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
        for _ in range(3):
            time.sleep(0.25)  # together longer than the timeout
            sock.sendall(b"x")
        started = time.monotonic()
        answer = receive_all(sock)
    assert b"504" in answer.split(b"\r\n")[0]
    assert b"first_byte_timeout" in answer
    assert time.monotonic() - started > 0.3


def test_stall_in_the_body_breaks_visibly(impatient: GatewayProcess, slow: Upstream) -> None:
    """An upstream that falls silent in its body breaks the client's body; it never ends cleanly."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b"half")
        peer.wait_closed()

    slow.handler = handler
    with begin(impatient, "/slow/x") as response:
        assert response.read1(100) == b"half"
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_upstream_that_breaks_off_breaks_the_client(
    gateway: GatewayProcess, upstream: Upstream, framing: str, leave: str
) -> None:
    """A body that the upstream does not finish reaches the client as far as it came, and visibly broken."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        if framing == "chunked":
            peer.begin_stream()
            peer.send_chunk(b"half")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        if leave == "reset":
            assert arrived.wait(5)
            peer.reset()

    arrived = threading.Event()
    upstream.handler = handler
    with begin(gateway, "/up/x") as response:
        assert response.read1(100) == b"half"
        arrived.set()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_upstream_that_gives_no_answer(gateway: GatewayProcess, upstream: Upstream, how: str) -> None:
    """A connection that ends before the head is 502 upstream_reset."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        if how == "reset":
            peer.reset()

    upstream.handler = handler
    assert error_of(gateway.request("POST", "/up/x", b"{}")) == (502, "upstream_reset")


def test_garbage_is_an_upstream_fault(gateway: GatewayProcess, upstream: Upstream) -> None:
    """What is no HTTP is 502 upstream_protocol_error."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    upstream.handler = handler
    assert error_of(gateway.request("GET", "/up/x")) == (502, "upstream_protocol_error")


def test_private_target_is_not_dialled(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream, redis_client: redis.Redis
) -> None:
    """Without EGRESS_ALLOW a loopback target that got into Redis by hand is refused when dialled, whatever its name."""
    strict = start_gateway(EGRESS_ALLOW="")
    for host in "127.0.0.1 localhost localhost. 0.0.0.0 [::1] 2130706433 0x7f.1 [::ffff:127.0.0.1]".split():
        redis_client.hset(MAPPINGS, "/private", f"http://{host}:{upstream.port}")
        strict.admin("POST", "/api/mappings/reload")
        assert error_of(strict.request("GET", "/private/x?key=hush")) == (403, "address_refused"), host
    assert not upstream.seen
    log = strict.final_log()
    lines = [line for line in log.splitlines() if "address_refused:" in line]
    assert len(lines) == 8
    assert (
        "WARNING app.proxy.upstream.dialing: address_refused: 127.0.0.1 is not public: its address is loopback"
        in lines[0]
    )
    assert "hush" not in log


# --- the client leaves ---


def nothing(peer: Peer) -> None:
    peer.read_request()


def only_head(peer: Peer) -> None:
    peer.read_head()


def stream_begun(peer: Peer) -> None:
    peer.read_request()
    peer.begin_stream()
    peer.send_chunk(b"data: 1\n\n")


def plain_begun(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")


GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n\r\nbody"
UPLOAD = b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 4000\r\n\r\nbody"
PIPELINED = GET + GET


@pytest.mark.parametrize(
    ("request_bytes", "act", "await_answer"),
    [
        pytest.param(GET, nothing, False, id="waiting for the first byte"),
        pytest.param(POST, nothing, False, id="waiting for the first byte after a body"),
        pytest.param(GET, stream_begun, True, id="in a stream"),
        pytest.param(GET, plain_begun, True, id="in a plain answer"),
        pytest.param(UPLOAD, only_head, False, id="in an upload"),
        pytest.param(PIPELINED, nothing, False, id="with another request in the pipe"),
    ],
)
@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_that_leaves_frees_the_upstream(
    gateway: GatewayProcess,
    upstream: Upstream,
    request_bytes: bytes,
    act: Callable[[Peer], None],
    await_answer: bool,
    how: str,
) -> None:
    """When the client leaves, in whatever phase, the upstream's connection is closed at once."""
    closed_at = leaving_times(upstream, act)
    sock = gateway.connect()
    sock.sendall(request_bytes)
    if await_answer:
        assert sock.recv(100)
    wait_until(lambda: upstream.seen, "the upstream has it")
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    left_at = time.monotonic()
    sock.close()
    wait_until(lambda: closed_at, "the upstream is let go", pause_s=0.005)
    assert closed_at[0] - left_at < LET_GO_S + 0.1


@pytest.mark.timing
def test_client_that_leaves_while_connecting(impatient: GatewayProcess) -> None:
    """A client that leaves while we connect ends the attempt: the web process holds no such connection any more."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        patient = GatewayProcess(impatient.redis_url, {"CONNECT_TIMEOUT": "30"}).start()
        try:
            patient.map("/full", f"http://127.0.0.1:{port}")
            pid = patient.worker_pids()[0]
            with patient.connect() as sock:
                sock.sendall(b"GET /full/x HTTP/1.1\r\nHost: g\r\n\r\n")
                wait_until(lambda: dialling(pid, port) == 1, "it connects")
            wait_until(lambda: dialling(pid, port) == 0, "it connects no more", timeout_s=1)
        finally:
            patient.stop()
            for filler in fillers:
                filler.close()


@pytest.mark.timing
def test_client_that_leaves_in_a_blocked_upload(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A client that is killed while the upstream takes no more of its body is noticed although its bytes wait unread.

    A reset says so: a FIN would have to wait behind the bytes that the full window keeps at the client.
    """
    go_on = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_head()
        assert go_on.wait(10)

    upstream.handler = handler
    sock = gateway.connect()
    sock.settimeout(1)
    sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 900000000\r\n\r\n")
    with pytest.raises(TimeoutError):
        sock.sendall(b"x" * 500_000_000)
    pid = gateway.worker_pids()[0]
    assert dialling(pid, upstream.port) == 1
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
    wait_until(lambda: dialling(pid, upstream.port) == 0, "the upstream is let go", timeout_s=1)
    go_on.set()


def test_aborted_upload_never_looks_complete(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A chunked upload that the client breaks off reaches the upstream as broken off."""
    sock = gateway.connect()
    sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
    wait_until(lambda: upstream.seen, "the upstream has its head")
    sock.close()
    wait_until(lambda: upstream.failures, "the upstream sees it broken off")
    assert isinstance(upstream.failures[0], ConnectionError)
