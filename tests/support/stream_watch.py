"""Many event streams of calls to channels, and how late each event came.

Upstream and reader are processes of their own, so that what a test does beside them makes no event late. Nor does a
busy machine: the kernel tells how long each process of an event's way was ready and had no core (its run delay).
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tests.support.gateway import ROOT, free_port
from tests.support.waiting import wait_until

PATH = "/v1/chat/completions"
SAMPLE_S = 0.005
_SENT = re.compile(rb'"sent":"([0-9]{18})"')


class Seen(NamedTuple):
    """An event. Times as time.monotonic tells them."""

    at_s: float
    late_ms: float
    """From the upstream's sending to our having read it, without the time in which a process of its way had no core."""


class Load(NamedTuple):
    """So many streams of calls for the model `m`."""

    port: int
    token: str
    pids: tuple[int, ...]
    """The processes through which an event goes, beside the reader."""
    count: int
    interval_s: float
    for_s: float


class Watched(NamedTuple):
    events: list[Seen]
    whole: int
    """Streams that brought all their events and their end."""


@contextmanager
def streaming_upstream() -> Iterator[tuple[str, int]]:
    """URL and process of one that sends streams as the query of a call says."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.upstream", str(port)], cwd=ROOT)
    try:
        wait_until(lambda: _listens(port), "the upstream listens", timeout_s=20)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def streams(load: Load) -> Iterator[Future[Watched]]:
    """Begins them."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool.submit(_watch, load)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _watch(load: Load) -> Watched:
    poll, socks, delays = select.epoll(), _begun(load), _Delays((*load.pids, os.getpid()))
    for number in socks:
        poll.register(number, select.EPOLLIN)
    read: list[tuple[float, float]] = []
    whole, ends_s = 0, time.monotonic() + load.for_s + 30
    while socks and time.monotonic() < ends_s:
        for number, _ in poll.poll(SAMPLE_S):
            data = socks[number].recv(65536)
            at_s = time.monotonic()
            read += [(at_s, int(sent) / 1e9) for sent in _SENT.findall(data)]
            if not data or data.endswith(b"0\r\n\r\n"):
                whole += bool(data)
                poll.unregister(number)
                socks.pop(number).close()
        delays.sample()
    events = [Seen(at_s, (at_s - sent_s - delays.between_s(sent_s, at_s)) * 1000) for at_s, sent_s in read]
    return Watched(events, whole)


def _begun(load: Load) -> dict[int, socket.socket]:
    body = b'{"model": "m", "stream": true}'
    target = f"{PATH}?events={round(load.for_s / load.interval_s)}&interval_ms={load.interval_s * 1000:g}"
    head = f"POST {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {load.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    socks = {}
    for _ in range(load.count):
        sock = socket.create_connection(("127.0.0.1", load.port), 10)
        sock.sendall(head.encode() + body)
        socks[sock.fileno()] = sock
        time.sleep(0.005)
    return socks


class _Delays:
    """How long processes have lacked a core, sampled."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._files = [Path(f"/proc/{pid}/schedstat") for pid in pids]
        self._at_s: list[float] = []
        self._delay_s: list[float] = []
        self.sample()

    def sample(self) -> None:
        if not self._at_s or time.monotonic() - self._at_s[-1] > SAMPLE_S:
            self._delay_s.append(sum(int(file.read_text().split()[1]) for file in self._files) / 1e9)
            self._at_s.append(time.monotonic())

    def between_s(self, from_s: float, to_s: float) -> float:
        first = max(0, bisect_right(self._at_s, from_s) - 1)
        last = min(len(self._at_s) - 1, bisect_left(self._at_s, to_s))
        return self._delay_s[last] - self._delay_s[first]
