"""Connections to upstreams: names, certificates, sessions, and how many are kept."""

from __future__ import annotations

import _socket
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from app.core.network.egress import EgressPolicy
from app.core.routing import parse_mapping
from app.proxy.upstream.dialing import MAX_TLS_SESSIONS, Dialer, OwnAddress
from app.proxy.upstream.resolving import Resolver
from tests.support.gateway import GatewayProcess, error_of
from tests.support.open_sockets import dialling
from tests.support.tls import TlsUpstream
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

# --- names ---


@pytest.fixture
def slow_name(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A resolver that thinks for a second about names that begin with `slow`, and knows others. What it was asked."""
    asked: list[bytes] = []
    system = _socket.getaddrinfo

    def answer(host: Any, port: int, *arguments: Any, **options: Any) -> list[Any]:
        asked.append(host)
        if host.startswith(b"slow"):
            time.sleep(1)
            raise socket.gaierror(socket.EAI_AGAIN, "its servers are silent")
        return system("127.0.0.1", port, *arguments, **options)

    monkeypatch.setattr(_socket, "getaddrinfo", answer)
    return asked


@pytest.mark.timing
def test_a_name_that_hangs_holds_up_no_other(slow_name: list[bytes]) -> None:
    """While a hundred calls wait for one name the loop runs on and other names are found at once."""
    resolver = Resolver()
    waiting = [gevent.spawn(failure_of, resolver, "slow.test") for _ in range(100)]
    gevent.sleep(0.05)
    began = time.monotonic()
    assert resolver.addresses("quick.test", 80)[0][4] == ("127.0.0.1", 80)
    assert time.monotonic() - began < 0.5
    gevent.joinall(waiting, timeout=5)
    assert {greenlet.value for greenlet in waiting} == {socket.EAI_AGAIN}
    assert slow_name.count(b"slow.test") == 1


@pytest.mark.timing
def test_many_names_that_hang_hold_up_no_other(slow_name: list[bytes]) -> None:
    """While fifty names hang another is found at once."""
    resolver = Resolver()
    waiting = [gevent.spawn(failure_of, resolver, f"slow{number}.test") for number in range(50)]
    gevent.sleep(0.05)
    began = time.monotonic()
    assert resolver.addresses("quick.test", 80)[0][4] == ("127.0.0.1", 80)
    assert time.monotonic() - began < 0.5
    gevent.joinall(waiting, timeout=5)


def test_who_gives_up_a_name_takes_it_from_nobody(slow_name: list[bytes]) -> None:
    """A client that leaves while a name is looked up does not end the lookup of others; later it is asked for anew."""
    resolver = Resolver()
    leaves, stays = (gevent.spawn(failure_of, resolver, "slow.test") for _ in range(2))
    gevent.sleep(0.05)
    leaves.kill()
    assert stays.get(timeout=5) == socket.EAI_AGAIN
    assert failure_of(resolver, "slow.test") == socket.EAI_AGAIN
    assert slow_name.count(b"slow.test") == 2


def failure_of(resolver: Resolver, host: str) -> int | None:
    try:
        resolver.addresses(host, 80)
    except socket.gaierror as error:
        return error.errno
    return None


# --- TLS ---


def test_a_certificate_that_nobody_vouches_for_is_refused(gateway: GatewayProcess, secured: TlsUpstream) -> None:
    """An upstream that cannot prove who it is gets no byte of a request: 502 upstream_unreachable."""
    gateway.map("/untrusted", f"https://localhost:{secured.port}")
    reply = gateway.request("POST", "/untrusted/x", b"{}", {"Authorization": "Bearer sk"})
    assert error_of(reply) == (502, "upstream_unreachable")
    assert "certificate" in reply.json()["error"]["message"]
    assert secured.seen == []


def test_a_certificate_of_another_name_is_refused(trusting: GatewayProcess, secured: TlsUpstream) -> None:
    """A certificate that is good, but not for this host, is no proof."""
    trusting.map("/misnamed", f"https://127.0.0.2:{secured.port}")
    assert error_of(trusting.request("GET", "/misnamed/x")) == (502, "upstream_unreachable")
    assert secured.seen == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(trusting: GatewayProcess, secured: TlsUpstream, version: ssl.TLSVersion) -> None:
    """A second connection to an upstream continues the TLS session of the first, which spares most of a handshake."""
    secured.context.maximum_version = version
    resumed = []
    closed = []

    def handler(peer: Peer) -> None:
        resumed.append(peer.sock.session_reused)  # type: ignore[attr-defined]
        peer.read_request()
        peer.answer()
        peer.sock.close()
        closed.append(peer.number)

    secured.handler = handler
    for number in (1, 2, 3):
        assert trusting.request("GET", f"/tls/{number}").status == 200
        wait_until(lambda number=number: number in closed, "the connection is closed")
    assert resumed == [False, True, True]


def test_sessions_of_the_latest_upstreams_are_kept() -> None:
    """However many upstreams there are, only so many sessions are kept, and those last used stay."""
    dialer = Dialer(EgressPolicy(), OwnAddress("127.0.0.1", 0))
    upstreams = [parse_mapping("/x", f"https://{number}.test").upstream for number in range(MAX_TLS_SESSIONS + 10)]
    for upstream in upstreams:
        dialer.keep_tls_session(upstream, SimpleNamespace(session=upstream.host))
        dialer.keep_tls_session(upstreams[0], SimpleNamespace(session="first"))
    assert len(dialer._tls_sessions) == MAX_TLS_SESSIONS
    assert {upstreams[0].host, upstreams[-1].host} < {host for host, _ in dialer._tls_sessions}


# --- how many are kept ---


def at_once(gateway: GatewayProcess, upstream: Upstream, count: int) -> None:
    """So many calls at the same time, each on a connection of its own."""
    gathered = threading.Barrier(count)

    def handler(peer: Peer) -> None:
        peer.read_request()
        gathered.wait(5)
        peer.answer()
        peer.wait_closed(timeout_s=60)

    upstream.handler = handler
    threads = [threading.Thread(target=gateway.request, args=("GET", "/up/x")) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert upstream.connections == count


@pytest.mark.parametrize("kept", [0, 2])
def test_so_many_idle_connections_are_kept(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream, kept: int
) -> None:
    """Of connections that idle POOL_MAX_IDLE are kept for each upstream."""
    own = start_gateway(POOL_MAX_IDLE=str(kept))
    at_once(own, upstream, 5)
    other = Upstream()
    own.map("/other", other.url)
    assert own.request("GET", "/other/x").status == 200
    pid = own.worker_pids()[0]
    wait_until(lambda: dialling(pid, upstream.port) == kept, f"{kept} are kept")
    assert dialling(pid, other.port) == min(kept, 1)
    other.close()


def test_an_idle_connection_is_not_kept_for_ever(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream
) -> None:
    """After POOL_IDLE_TIMEOUT an idle connection is closed, although nobody asks for it."""
    own = start_gateway(POOL_IDLE_TIMEOUT="0.5")
    at_once(own, upstream, 2)
    pid = own.worker_pids()[0]
    assert dialling(pid, upstream.port) == 2
    wait_until(lambda: dialling(pid, upstream.port) == 0, "both are closed", timeout_s=2)


def test_those_idle_for_longest_make_room_for_others(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Of idle connections to all upstreams POOL_MAX_IDLE_TOTAL are kept, those that were used last."""
    own = start_gateway(POOL_MAX_IDLE_TOTAL="3")
    upstreams = [Upstream() for _ in range(5)]
    for number, upstream in enumerate(upstreams):
        own.map(f"/total{number}", upstream.url)
    for number in (0, 1, 2, 0, 3, 4):  # so that it is the use that counts, not the age
        assert own.request("GET", f"/total{number}/x").status == 200
    pid = own.worker_pids()[0]
    kept = [1, 0, 0, 1, 1]
    wait_until(lambda: [dialling(pid, upstream.port) for upstream in upstreams] == kept, "three are kept")
    assert upstreams[0].connections == 1
    for upstream in upstreams:
        upstream.close()


@pytest.mark.soak
@pytest.mark.timing
def test_a_connection_that_is_never_idle_ends_too(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream
) -> None:
    """After POOL_MAX_AGE a connection serves no further call, so that a name that moves is followed under traffic."""
    own = start_gateway(POOL_MAX_AGE="0.4")
    began = time.monotonic()
    served: dict[int, list[float]] = {}
    while time.monotonic() < began + 1.5:
        asked = time.monotonic()
        assert own.request("GET", "/up/x").status == 200
        served.setdefault(upstream.seen[-1].connection, []).append(asked)
    assert len(served) >= 3
    assert all(len(times) > 1 for times in list(served.values())[:-1])
    assert max(times[-1] - times[0] for times in served.values()) < 0.6
    wait_until(lambda: dialling(own.worker_pids()[0], upstream.port) <= 1, "the old ones are closed")


@pytest.mark.parametrize(
    ("field", "again"),
    [
        ("timeout=0", False),
        ("timeout=1", False),
        ("max=5, Timeout = 1", False),
        ("timeout=5, max=100", True),
        ("max=100", True),
        ("timeout=never", True),
    ],
)
def test_an_upstream_says_how_long_it_keeps_a_connection(
    gateway: GatewayProcess, upstream: Upstream, field: str, again: bool
) -> None:
    """With `Keep-Alive: timeout=N` a connection is used again until a second before N is over."""

    def handler(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(fields=f"Keep-Alive: {field}\r\n")

    upstream.handler = handler
    for _ in range(2):
        assert gateway.request("GET", "/up/x").status == 200
    assert upstream.connections == (1 if again else 2)


def test_a_connection_is_left_alone_before_its_upstream_lets_go(gateway: GatewayProcess, upstream: Upstream) -> None:
    """With `Keep-Alive: timeout=2` it is used again within a second, and after that no more."""

    def handler(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(fields="Keep-Alive: timeout=2\r\n")

    upstream.handler = handler
    for pause_s, connections in ((0, 1), (0, 1), (1.1, 2)):
        time.sleep(pause_s)
        assert gateway.request("GET", "/up/x").status == 200
        assert upstream.connections == connections
