"""The loads of pages: one after the other on one connection, and large ones beside other work."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.contenders import Contender
from benchmarks.loads import LoadError, connect, post, some
from benchmarks.processes import cpu_now_ms, cpu_s

BUFFER_BYTES = 1 << 20
PAUSE_S = 0.003
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED_END = b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Fetched:
    """A page that came whole."""

    first_byte_ms: float
    """From the request to the first byte of its body."""
    received: int
    """Bytes, with the head and the framing."""


class Browser:
    """A keep-alive connection on which pages are fetched."""

    def __init__(self, server: Contender) -> None:
        self._server = server
        self._sock = connect(server)
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def stop(self) -> None:
        """Makes a fetch that another thread has begun end."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def fetch(self, target: str) -> Fetched:
        """Takes a page and drops it. Raises LoadError unless it comes whole."""
        request = f"GET {self._server.prefix}{target} HTTP/1.1\r\nHost: bench.example\r\nAccept: text/html\r\n\r\n"
        began = time.perf_counter()
        self._sock.sendall(request.encode())
        data = b""
        while not data.partition(b"\r\n\r\n")[2]:
            piece = self._sock.recv(65536)
            if not piece:
                raise LoadError(f"{self._server.name} broke off the head of {target}")
            data += piece
        first_byte_ms = (time.perf_counter() - began) * 1000
        if not data.startswith(b"HTTP/1.1 200"):
            raise LoadError(f"{self._server.name}: unexpected answer {data[:60]!r} for {target}")
        head, _, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        left = int(length[1]) - len(body) if length else None
        received = len(data) + self._take(body[-len(_CHUNKED_END) :], left)
        return Fetched(first_byte_ms, received)

    def _take(self, tail: bytes, left: int | None) -> int:
        """The rest of a body: so many bytes, or up to the last chunk."""
        taken = 0
        while left > taken if left is not None else not tail.endswith(_CHUNKED_END):
            count = self._sock.recv_into(self._buffer)
            if not count:
                raise LoadError(f"{self._server.name} broke off a page")
            taken += count
            tail = (tail + bytes(self._buffer[max(0, count - len(_CHUNKED_END)) : count]))[-len(_CHUNKED_END) :]
        return taken


@dataclass(frozen=True)
class Visit:
    """Some pages, one after the other."""

    seconds: float
    cpu_s: float


def visit(server: Contender, targets: Iterable[str]) -> Visit:
    with Browser(server) as browser:
        began, used = time.perf_counter(), cpu_s(server.pids)
        for target in targets:
            browser.fetch(target)
        return Visit(time.perf_counter() - began, cpu_s(server.pids) - used)


def first_bytes_ms(server: Contender, target: str, times: int) -> list[float]:
    with Browser(server) as browser:
        return [browser.fetch(target).first_byte_ms for _ in range(times)]


class Waited(NamedTuple):
    """How long small requests wait, one after the other."""

    cpu_ms: list[float]
    """By the serving process's own clock, which stands still while its core runs others' programs."""
    wall_ms: list[float]


def small_waits(server: Contender, times: int) -> Waited:
    request, pid = post(server, "/v1/chat/completions"), server.pids[0]
    waited = Waited([], [])
    with connect(server) as sock:
        for _ in range(times):
            began, used = time.perf_counter(), cpu_now_ms(pid)
            sock.sendall(request)
            data = b""
            while not data.endswith(b"}"):
                data += some(sock, server)
            waited.cpu_ms.append(cpu_now_ms(pid) - used)
            waited.wall_ms.append((time.perf_counter() - began) * 1000)
            time.sleep(PAUSE_S)
    return waited


@contextlib.contextmanager
def meanwhile(server: Contender, target: str) -> Iterator[None]:
    """Fetches a page again and again while the block runs. Raises LoadError when that ends before the block does."""
    over = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError, LoadError):
            while not over.is_set():
                browser.fetch(target)

    with Browser(server) as browser:
        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield
            if not reader.is_alive():
                raise LoadError(f"{server.name} broke off {target}")
        finally:
            over.set()
            browser.stop()
            reader.join()
