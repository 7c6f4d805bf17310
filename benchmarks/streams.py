"""The load of event streams: one thread reads many streams at once and tells how late each event came."""

from __future__ import annotations

import re
import select
import socket
import time
from dataclasses import dataclass, field

from benchmarks.contenders import Contender
from benchmarks.loads import LoadError, connect, post, some, without_gc
from benchmarks.processes import cpu_s, rss_kib

OPENED_PER_S = 2000
PATIENCE_S = 30.0
_EVENT = re.compile(rb"due=([0-9]{18}),sent=([0-9]{18})")
_EVENT_END = b"}\n\n"
_BODY_END = b"0\r\n\r\n"


@dataclass
class Seen:
    """What the readers saw. The window is the time in which all streams were open."""

    streams: int
    whole: int = 0
    """Streams that brought all their events and then their end."""
    window_s: float = 0.0
    window_events: int = 0
    window_cpu_s: float = 0.0
    rss_kib: int = 0
    """Of the server, at the end of the window."""
    lateness_ms: list[float] = field(default_factory=list)
    """From the upstream's sending of an event to our having read it."""
    upstream_lateness_ms: list[float] = field(default_factory=list)
    """From the instant at which the upstream should have sent it: shows whether the load itself keeps up."""


class _Reader:
    __slots__ = ("events", "rest", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.events = 0
        self.rest = b""


class _Load:
    """One run; `read` does it all."""

    def __init__(self, server: Contender, count: int, events: int, interval_ms: float, path: str) -> None:
        self.seen = Seen(count)
        self._server = server
        self._events = events
        self._request = post(server, f"{path}?events={events}&interval_ms={interval_ms:g}")
        self._poll = select.epoll()
        self._readers: dict[int, _Reader] = {}
        self._opened = 0
        self._begun = 0
        self._window = ""
        self._began_at = time.monotonic()
        self._deadline = self._began_at + count / OPENED_PER_S + events * interval_ms / 1000 + PATIENCE_S

    def read(self) -> Seen:
        while self._opened < self.seen.streams or self._readers:
            if time.monotonic() > self._deadline:
                raise LoadError(f"{self._server.name}: {len(self._readers)} streams did not end in time")
            self._open_due()
            for number, _ in self._poll.poll(0.002 if self._opened < self.seen.streams else 1.0):
                self._take(self._readers[number])
            if not self._window and self._begun == self.seen.streams:
                self._begin_window()
        self._poll.close()
        return self.seen

    def _open_due(self) -> None:
        due = int((time.monotonic() - self._began_at) * OPENED_PER_S) + 1
        while self._opened < min(due, self.seen.streams):
            sock = connect(self._server)
            sock.sendall(self._request)
            self._readers[sock.fileno()] = _Reader(sock)
            self._poll.register(sock, select.EPOLLIN)
            self._opened += 1

    def _take(self, reader: _Reader) -> None:
        data = reader.sock.recv(65536)
        arrived_ns = time.monotonic_ns()
        reader.rest += data
        found = _EVENT.findall(reader.rest)
        if found:
            self._begun += not reader.events
            reader.events += len(found)
            reader.rest = reader.rest[reader.rest.rfind(_EVENT_END) + len(_EVENT_END) :]
            for due, sent in found:
                sent_ns = int(sent)
                self.seen.lateness_ms.append((arrived_ns - sent_ns) / 1e6)
                self.seen.upstream_lateness_ms.append((sent_ns - int(due)) / 1e6)
        if not data or (reader.events >= self._events and reader.rest.endswith(_BODY_END)):
            self.seen.whole += bool(data) and reader.events == self._events
            self._close(reader)

    def _close(self, reader: _Reader) -> None:
        if self._window == "open":
            self._end_window()
        self._poll.unregister(reader.sock)
        del self._readers[reader.sock.fileno()]
        reader.sock.close()

    def _begin_window(self) -> None:
        self._window = "open"
        self.seen.window_s = -time.monotonic()
        self.seen.window_cpu_s = -cpu_s(self._server.pids)
        self.seen.window_events = -len(self.seen.lateness_ms)

    def _end_window(self) -> None:
        self._window = "over"
        self.seen.window_s += time.monotonic()
        self.seen.window_cpu_s += cpu_s(self._server.pids)
        self.seen.window_events += len(self.seen.lateness_ms)
        self.seen.rss_kib = sum(rss_kib(pid) for pid in self._server.pids)


def read_streams(server: Contender, count: int, events: int, interval_ms: float, path: str = "/stream") -> Seen:
    """Reads `count` event streams of so many events at once. Raises LoadError when they were never all open."""
    with without_gc():
        seen = _Load(server, count, events, interval_ms, path).read()
    if not seen.window_s > 0:
        raise LoadError(f"{server.name}: the {count} streams were never open all at once")
    return seen


def first_event_ms(server: Contender, times: int, path: str = "/stream") -> list[float]:
    """From sending a request to its stream's first event, one after the other on one connection."""
    request = post(server, f"{path}?events=1&interval_ms=0")
    waited = []
    with connect(server) as sock:
        for _ in range(times):
            began = time.perf_counter()
            sock.sendall(request)
            data = b""
            while b",sent=" not in data:
                data += some(sock, server)
            waited.append((time.perf_counter() - began) * 1000)
            while not data.endswith(_BODY_END):
                data += some(sock, server)
    return waited
