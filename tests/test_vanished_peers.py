"""Peers that vanish without a word, behind a wire of our own that is cut: a network namespace and a pair of devices."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None,
        reason="needs Linux, root and iproute2",
    ),
]

FAST = {"TCP_KEEPALIVE_IDLE": "2", "TCP_KEEPALIVE_INTERVAL": "1", "TCP_KEEPALIVE_COUNT": "2"}
"""Noticed after 4 s where nothing is on its way, and within 3 + 5 s where something is."""
NOTICED_S = 10.0
TCP_RTO_MAX_MS = 44
ASK = """import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"GET /up/x HTTP/1.1\\r\\nHost: g\\r\\n\\r\\n")
while True:
    print(s.recv(99), flush=True)
"""
ASK_AND_TAKE_NOTHING = """import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"GET /up/x HTTP/1.1\\r\\nHost: g\\r\\n\\r\\n")
time.sleep(999)
"""
SERVE = """import socket
l = socket.create_server(("", 8099))
print("up", flush=True)
s, _ = l.accept()
while s.recv(9999):
    s.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
"""


@dataclass
class Wire:
    """From here to a network namespace."""

    name: str
    here: str
    there: str

    @contextlib.contextmanager
    def running_there(self, code: str, *arguments: str) -> Iterator[Callable[[], str]]:
        """A program at the other end; gives what reads a line that it prints."""
        command = ["ip", "netns", "exec", self.name, sys.executable, "-c", code, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline
            finally:
                process.kill()

    def cut(self) -> None:
        ip(f"link set {self.name} down")


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


@pytest.fixture
def wire() -> Iterator[Wire]:
    number = os.getpid() % 250
    wire = Wire(f"gw{number}", f"198.18.{number}.1", f"198.18.{number}.2")  # RFC 2544's, which nobody else uses
    try:
        ip(f"netns add {wire.name}")
        ip(f"link add {wire.name} type veth peer name eth0 netns {wire.name}")
        ip(f"address add {wire.here}/24 dev {wire.name}")
        ip(f"link set {wire.name} up")
        ip(f"-n {wire.name} address add {wire.there}/24 dev eth0")
        ip(f"-n {wire.name} link set eth0 up")
        yield wire
    except subprocess.CalledProcessError:
        pytest.skip("no network namespaces here")
    finally:
        subprocess.run(["ip", "netns", "del", wire.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", wire.name], check=False, capture_output=True)


def streaming(upstream: Upstream, goes_on: Callable[[Peer], bool]) -> list[float]:
    """Has it stream for as long as that says or it is let go; gives when it was."""
    ended: list[float] = []

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        with contextlib.suppress(OSError):
            while goes_on(peer):
                pass
        ended.append(time.monotonic())

    upstream.handler = handler
    return ended


def cut_and_wait(wire: Wire, ended: list[float]) -> None:
    """Until the upstream is let go, which is soon, but not at once."""
    assert not ended
    wire.cut()
    began = time.monotonic()
    wait_until(lambda: ended, "the upstream is let go", timeout_s=NOTICED_S)
    assert ended[0] - began > 1


@pytest.mark.parametrize("pause_s", [60.0, 0.2], ids=["of a silent call", "of a call that streams"])
def test_a_client_that_vanished_ends_its_call(
    start_gateway: Callable[..., GatewayProcess], wire: Wire, upstream: Upstream, pause_s: float
) -> None:
    """The upstream is let go soon after the wire to the client was cut, whether something was on its way or not."""

    def send_and_look(peer: Peer) -> bool:
        peer.send_chunk(b"data: x\n\n")
        peer.sock.settimeout(pause_s)
        try:
            return peer.sock.recv(1) != b""
        except TimeoutError:
            return True

    own = start_gateway(HOST="0.0.0.0", **FAST)
    ended = streaming(upstream, send_and_look)
    with wire.running_there(ASK, wire.here, str(own.port)) as line:
        assert "200 OK" in line()
        cut_and_wait(wire, ended)


def test_a_client_that_vanished_as_it_took_nothing_ends_its_call(
    start_gateway: Callable[..., GatewayProcess], wire: Wire, upstream: Upstream
) -> None:
    """Nothing was on its way to it, as it had no room; it is missed all the same, and not after CLIENT_TIMEOUT only."""
    with socket.socket() as sock:
        try:
            sock.getsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS)
        except OSError:
            pytest.skip("Linux before 6.15 asks ever more rarely whether there is room")
    sent: list[float] = []

    def send(peer: Peer) -> bool:
        peer.send_chunk(b"x" * 65536)
        sent.append(time.monotonic())
        return True

    own = start_gateway(HOST="0.0.0.0", **FAST)
    ended = streaming(upstream, send)
    with wire.running_there(ASK_AND_TAKE_NOTHING, wire.here, str(own.port)):
        wait_until(lambda: sent and time.monotonic() - sent[-1] > 4, "there is room no more", timeout_s=20)
        cut_and_wait(wire, ended)


def test_an_upstream_that_vanished_ends_the_call(start_gateway: Callable[..., GatewayProcess], wire: Wire) -> None:
    """A call to an upstream that is gone ends soon, also when it went out on a connection that was kept."""
    own = start_gateway(EGRESS_ALLOW=f"{wire.there}/32,127.0.0.0/8", **FAST)
    with wire.running_there(SERVE) as line:
        assert line() == "up\n"
        own.map("/away", f"http://{wire.there}:8099")
        assert own.request("GET", "/away/x").body == b"ok"
        wire.cut()
        began = time.monotonic()
        with own.connect() as sock:
            sock.settimeout(NOTICED_S + 5)
            sock.sendall(b"POST /away/x HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}")
            assert b" 502 " in sock.recv(999)
        assert time.monotonic() - began < NOTICED_S


def test_a_client_that_takes_nothing_for_a_while_is_no_vanished_one(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream
) -> None:
    """A client that lives and does not read has CLIENT_TIMEOUT, however short the keepalive."""
    own = start_gateway(CLIENT_TIMEOUT="60", **FAST)
    body = b"x" * 40_000_000
    upstream.handler = lambda peer: (peer.read_request(), peer.answer(body))[0] and None
    with own.connect() as sock:
        sock.sendall(b"GET /up/x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
        time.sleep(1.5 * NOTICED_S)
        received = 0
        while piece := sock.recv(1 << 20):
            received += len(piece)
    assert received > len(body)
