"""Peers that vanish: what the kernel asks them, on connections to clients and to upstreams."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable

import pytest

from app.config import ConfigError, load_config
from app.gateway import build_gateway
from app.tcp_keepalive import TcpKeepalive
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
KEEPALIVE_TIMER = 2
TCP_RTO_MAX_MS = 44


def timer_of(pid: int, *, local: int = 0, remote: int = 0) -> tuple[int, float]:
    """The kind of timer and the seconds left that a process's TCP connection from or to that port has."""
    with open(f"/proc/{pid}/net/tcp") as table:
        for line in table.readlines()[1:]:
            columns = line.split()
            ports = [int(columns[place].split(":")[1], 16) for place in (1, 2)]
            if columns[3] == "01" and (ports[0] == local or ports[1] == remote):
                kind, ticks = (int(part, 16) for part in columns[5].split(":"))
                return kind, ticks / TICKS_A_SECOND
    raise AssertionError("there is no such connection")


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="only Linux shows its timers")
@pytest.mark.parametrize(("idle_s", "kind"), [(1234, KEEPALIVE_TIMER), (0, 0)])
def test_clients_and_upstreams_are_asked_whether_they_live(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream, idle_s: int, kind: int
) -> None:
    """After TCP_KEEPALIVE_IDLE seconds of silence the kernel probes both peers of a call; with 0 neither."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b"begun")
        peer.wait_closed()

    upstream.handler = handler
    own = start_gateway(TCP_KEEPALIVE_IDLE=str(idle_s))
    with own.connect() as client:
        client.sendall(b"GET /up/x HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while b"begun" not in received:
            received += client.recv(999)
        pid = own.worker_pids()[0]
        for found, left_s in (timer_of(pid, local=own.port), timer_of(pid, remote=upstream.port)):
            assert found == kind
            assert idle_s - 60 < left_s <= idle_s


def test_what_a_socket_accepts_has_the_options_of_the_listening_one() -> None:
    """Options set once on a listening socket hold for each connection, without a system call there."""
    keepalive = TcpKeepalive(idle_s=41, interval_s=7, count=5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        keepalive.set_on(listener)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                options = keepalive.options()
                assert {option: accepted.getsockopt(socket.IPPROTO_TCP, option) for option in options} == options
                assert sorted(options.values()) == [5, 7, 41]
                if sys.platform != "linux":
                    return
                with contextlib.suppress(OSError):  # Linux before 6.15 does not know it
                    assert accepted.getsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS) == 7_000


def test_redis_is_asked_as_the_deployment_says() -> None:
    """What holds for clients and upstreams holds for a web process's connections to Redis."""
    gateway = build_gateway(load_config({"REDIS_URL": "redis://127.0.0.1:1", "TCP_KEEPALIVE_IDLE": "41"}))
    options = gateway.redis.connection_pool.connection_kwargs
    assert options["socket_keepalive"]
    assert 41 in options["socket_keepalive_options"].values()


def test_a_peer_that_vanished_is_noticed_within_a_minute() -> None:
    """By default silence, probes and patience together take at most 60 seconds."""
    keepalive = load_config({}).tcp_keepalive
    assert keepalive.idle_s + keepalive.interval_s * keepalive.count <= 60


@pytest.mark.parametrize(
    ("name", "value"),
    [("TCP_KEEPALIVE_IDLE", "32768"), ("TCP_KEEPALIVE_INTERVAL", "0"), ("TCP_KEEPALIVE_COUNT", "128")],
)
def test_what_no_kernel_takes_stops_the_start(name: str, value: str) -> None:
    """A value that setsockopt would refuse is a ConfigError that names its variable."""
    with pytest.raises(ConfigError, match=name):
        load_config({name: value})


def test_a_unix_socket_is_left_alone() -> None:
    """There is no TCP on a Unix socket, and so nothing to set."""
    with socket.socket(socket.AF_UNIX) as sock:
        TcpKeepalive().set_on(sock)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_who_lives_has_not_vanished() -> None:
    """A peer that acknowledges, one that takes nothing, and a socket that is closed are no peers that vanished."""
    keepalive = TcpKeepalive(idle_s=1, interval_s=1, count=1)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        assert not keepalive.has_vanished(sock)
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.sendall(b"x" * 100_000_000)
        assert not keepalive.has_vanished(sock)
    assert not keepalive.has_vanished(sock)
