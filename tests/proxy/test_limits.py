"""Limits of one upstream: each case has its own status and code."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from app.storage.connections import SLOTS
from tests.support.gateway import GatewayProcess, begin, error_of, receive_all
from tests.support.open_sockets import dialling
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

# --- the whole call's time ---


def test_a_call_may_not_take_longer_than_its_total(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """An upstream that has not begun to answer when the whole time is over is 504 total_timeout."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.wait_closed()

    upstream.handler = handler
    limit(total_timeout=0.3)
    started = time.monotonic()
    assert error_of(gateway.request("GET", "/up/x")) == (504, "total_timeout")
    assert time.monotonic() - started < 2


def test_a_stream_ends_visibly_when_the_total_is_over(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A stream that goes on and on is broken when the whole time is over."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        for _ in range(100):
            peer.send_chunk(b"data: x\n\n")
            time.sleep(0.05)

    upstream.handler = handler
    limit(total_timeout=0.4)
    with begin(gateway, "/up/x") as response, pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()


def test_a_call_within_its_total_is_left_alone(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A total that is not used up leaves no timer behind that could hit the connection's next call."""
    limit(total_timeout=0.3)
    assert gateway.request("GET", "/up/x").status == 200
    limit()
    time.sleep(0.4)  # past the first call's total
    assert gateway.request("GET", "/up/x").status == 200
    assert upstream.connections == 1


# --- the body's size ---


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
def test_a_body_may_not_be_longer_than_allowed(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None], size: int, status: int
) -> None:
    """A body that says it is too long is refused before the upstream hears of it."""
    limit(max_body_bytes=100)
    reply = gateway.request("POST", "/up/x", b"x" * size)
    assert reply.status == status
    if status == 413:
        assert error_of(reply) == (413, "body_too_large")
        assert not upstream.seen


def test_a_body_of_unknown_length_is_counted(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A chunked body is refused as soon as it is too long, and never reaches the upstream as complete."""
    limit(max_body_bytes=100)
    with gateway.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n")
        sock.sendall(b"32\r\n" + b"x" * 50 + b"\r\n")
        wait_until(lambda: upstream.seen, "what is allowed is on its way")
        sock.sendall(b"33\r\n" + b"x" * 51 + b"\r\n")
        response = http.client.HTTPResponse(sock)
        response.begin()
        assert response.status == 413
        assert b"body_too_large" in response.read()
    assert all(not seen.body for seen in upstream.seen)


# --- how many at once ---


class Gate:
    """An upstream that holds every call until it is let go."""

    def __init__(self, upstream: Upstream) -> None:
        self.open = threading.Event()
        upstream.handler = self._handle

    def _handle(self, peer: Peer) -> None:
        while peer.read_request() is not None:
            assert self.open.wait(20)
            peer.answer(b"ok")


@contextlib.contextmanager
def calls_in_flight(gateway: GatewayProcess, upstream: Upstream, count: int) -> Iterator[list[socket.socket]]:
    """So many calls that the upstream has seen and not answered."""
    before = len(upstream.seen)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(gateway.connect()) for _ in range(count)]
        for sock in sockets:
            sock.sendall(b"GET /up/held HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(lambda: len(upstream.seen) == before + count, f"{count} calls are in flight")
        yield sockets


@pytest.mark.timing
def test_no_more_calls_at_once_than_allowed(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """When all places are taken the next call is 429 upstream_busy at once, with Retry-After; later there is room."""
    gate = Gate(upstream)
    limit(max_concurrency=3)
    with calls_in_flight(gateway, upstream, 3) as sockets:
        started = time.monotonic()
        reply = gateway.request("GET", "/up/one-more")
        assert time.monotonic() - started < 1
        assert error_of(reply) == (429, "upstream_busy")
        assert "/up has 3 calls in flight" in reply.json()["error"]["message"]
        assert reply.field("retry-after") == "1"
        gate.open.set()
        for sock in sockets:
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    assert gateway.request("GET", "/up/now").status == 200


def test_every_way_a_call_ends_frees_its_place(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """Answers, errors, broken bodies and clients that leave all give their place back."""

    def handler(peer: Peer) -> None:
        seen = peer.read_request()
        if seen is None or seen.target == "/reset":
            return
        if seen.target == "/broken":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        elif seen.target == "/hang":
            peer.wait_closed()
        elif seen.target == "/garbage":
            peer.send(b"garbage\r\n\r\n")
        else:
            peer.answer(b"ok", "500 Oops")

    upstream.handler = handler
    limit(max_concurrency=1, first_byte_timeout=0.3)
    for target in ("/ok", "/reset", "/broken", "/hang", "/garbage", "/leave", "/stream"):
        with gateway.connect() as sock:
            sock.sendall(f"GET /up{target.replace('leave', 'hang')} HTTP/1.1\r\nHost: g\r\n\r\n".encode())
            if target != "/leave":
                assert sock.recv(1000)
        wait_until(lambda: gateway.request("GET", "/up/free").status == 500, f"the place of {target} is free")


def test_a_call_may_wait_for_a_place(gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]) -> None:
    """With queue_timeout a call waits for a place, and is refused only when none came free in that time."""
    gate = Gate(upstream)
    limit(max_concurrency=1, queue_timeout=0.3)
    with calls_in_flight(gateway, upstream, 1):
        started = time.monotonic()
        assert error_of(gateway.request("GET", "/up/waits")) == (429, "upstream_busy")
        assert 0.25 < time.monotonic() - started < 2
        threading.Timer(0.1, gate.open.set).start()
        assert gateway.request("GET", "/up/waits").status == 200


def test_a_client_that_leaves_the_queue_is_not_served(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A call whose client has left while it waited for a place never reaches the upstream, and takes no place."""
    gate = Gate(upstream)
    limit(max_concurrency=1, queue_timeout=30)
    with calls_in_flight(gateway, upstream, 1):
        with gateway.connect() as sock:
            sock.sendall(b"GET /up/left HTTP/1.1\r\nHost: g\r\n\r\n")
            assert gateway.request("GET", "/health").status == 200  # the gateway has taken up what came before
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b""
        gate.open.set()
    wait_until(lambda: gateway.request("GET", "/up/next").status == 200, "the place is free")
    assert all(seen.target != "/left" for seen in upstream.seen)


def test_the_limit_holds_over_processes(
    start_gateway: Callable[..., GatewayProcess],
    upstream: Upstream,
    limit: Callable[..., None],
    redis_client: redis.Redis,
) -> None:
    """Four web processes together let through no more than allowed.

    One that is killed costs its own calls only, and its places come back when its lease expires, not before.
    """
    held: set[int] = set()
    most = 0

    def hold(peer: Peer) -> None:
        nonlocal most
        peer.read_request()
        held.add(peer.number)
        most = max(most, len(held))
        peer.wait_closed(timeout_s=60)
        held.discard(peer.number)

    upstream.handler = hold
    limit(max_concurrency=5)
    several = start_gateway(WEB_CONCURRENCY="4")
    with contextlib.ExitStack() as stack:

        def knock() -> socket.socket | None:
            """A call that is in flight; None when it was refused."""
            before = len(held)
            sock = stack.enter_context(several.connect())
            sock.sendall(b"GET /up/x HTTP/1.1\r\nHost: g\r\n\r\n")
            wait_until(lambda: len(held) > before or is_readable(sock), "the call is answered or in flight")
            if not is_readable(sock):
                return sock
            assert sock.recv(100).startswith(b"HTTP/1.1 429 ")
            return None

        def knock_until_full() -> list[socket.socket]:
            calls = []
            while len(held) < 5:
                calls += [sock for sock in [knock()] if sock]
                time.sleep(0.05)
            return calls

        calls = knock_until_full()
        assert [knock() for _ in range(12)] == [None] * 12
        load = {pid: dialling(pid, upstream.port) for pid in several.worker_pids()}
        killed = max(load, key=load.__getitem__)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(held) == 5 - load[killed], "the killed one's calls are gone")
        assert sum(is_readable(sock) for sock in calls) == load[killed]
        at_death = redis_client.hgetall(SLOTS + "/up")

        def silent() -> list[tuple[bytes, bytes]]:
            """The leases that nobody has touched since the death, though everybody is asked for a place."""
            assert knock() is None
            return sorted(at_death.items() & redis_client.hgetall(SLOTS + "/up").items())

        wait_until(lambda: len(silent()) == 1, "one lease is nobody's")
        [(owner, lease)] = silent()
        redis_client.hset(SLOTS + "/up", owner, b" ".join([*lease.split()[:2], b"0"]))  # as if ten seconds had passed
        knock_until_full()
        assert most == 5


def is_readable(sock: socket.socket) -> bool:
    """True when something has come on it, or its end."""
    return bool(select.select([sock], [], [], 0)[0])


# --- how many each second ---


def test_no_more_calls_each_second_than_allowed(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """A burst passes, then calls are 429 rate_limited with Retry-After, then they pass again."""
    limit(requests_per_second=2, burst=3)
    statuses = [gateway.request("GET", "/up/x").status for _ in range(5)]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    refused = gateway.request("GET", "/up/x")
    if refused.status == 429:
        assert error_of(refused) == (429, "rate_limited")
        assert refused.json()["error"]["message"] == "/up takes 2 calls a second; try again in 1 s"
        assert refused.field("retry-after") == "1"
    wait_until(lambda: gateway.request("GET", "/up/x").status == 200, "a token is due", timeout_s=2)


def test_all_mappings_together_have_a_rate_too(
    gateway: GatewayProcess, upstream: Upstream, limit: Callable[..., None]
) -> None:
    """The global rate counts calls of all mappings; the gateway's own pages are not among them."""
    gateway.map("/up2", upstream.url)
    gateway.admin("PUT", "/api/settings", {"global_requests_per_second": 1, "global_burst": 2})
    try:
        statuses = [gateway.request("GET", f"/{prefix}/x").status for prefix in ("up", "up2", "up", "up2")]
        assert sorted(statuses) == [200, 200, 429, 429]
        assert gateway.request("GET", "/health").status == 200
    finally:
        gateway.admin("PUT", "/api/settings", {"global_requests_per_second": None, "global_burst": None})


# --- nobody starves another ---

HANGING_CALLS = 300


@pytest.mark.timing
@pytest.mark.parametrize("where", ["at its answer", "at its connections", "at its queue"])
def test_a_hanging_upstream_slows_no_other(gateway: GatewayProcess, upstream: Upstream, where: str) -> None:
    """With hundreds of calls hanging on one upstream, another's slowest calls are as quick as before, and as cheap."""

    def figures() -> tuple[float, float]:
        """The p99 of the other upstream's calls, and what one costs the gateway's process; in ms."""
        times = []
        spent_ms = cpu_ms(gateway)
        for _ in range(200):
            started = time.perf_counter()
            assert gateway.request("GET", "/up/x").status == 200
            times.append((time.perf_counter() - started) * 1000)
        return sorted(times)[197], (cpu_ms(gateway) - spent_ms) / 200

    with hanging_upstream(gateway, where) as hangs:
        figures()
        p99_before, cpu_before = figures()
        with contextlib.ExitStack() as stack:
            for _ in range(HANGING_CALLS):
                sock = stack.enter_context(gateway.connect())
                sock.sendall(b"GET /hanging/x HTTP/1.1\r\nHost: g\r\n\r\n")
            wait_until(hangs, f"{HANGING_CALLS} calls hang")
            p99, cpu = map(min, figures(), figures())  # what slows calls for good slows both rounds
    assert p99 < 3 * p99_before + 20, f"p99 was {p99_before:.1f} ms, with the hanging upstream {p99:.1f} ms"
    assert cpu < 1.5 * cpu_before + 0.1, f"a call cost {cpu_before:.2f} ms, with the hanging upstream {cpu:.2f} ms"


@contextlib.contextmanager
def hanging_upstream(gateway: GatewayProcess, where: str) -> Iterator[Callable[[], bool]]:
    """An upstream under `/hanging` that keeps all its calls waiting. Gives what tells whether all do."""
    if where == "at its connections":
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            gateway.map("/hanging", f"http://127.0.0.1:{port}")
            yield lambda: dialling(gateway.worker_pids()[0], port) == HANGING_CALLS
        return
    hanging = Upstream()
    gate = Gate(hanging)
    gateway.map("/hanging", hanging.url)
    places = 1 if where == "at its queue" else HANGING_CALLS
    options = {"max_concurrency": places, "queue_timeout": 60}
    assert gateway.admin("PUT", "/api/mappings/hanging", {"options": options}).status == 200
    try:
        yield lambda: len(hanging.seen) == places
    finally:
        gate.open.set()
        hanging.close()
        gateway.admin("PUT", "/api/mappings/hanging", {"options": {}})


def cpu_ms(gateway: GatewayProcess) -> float:
    """What the gateway's process has cost so far."""
    tasks = Path(f"/proc/{gateway.worker_pids()[0]}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6
