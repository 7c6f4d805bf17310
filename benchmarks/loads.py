"""The loads of requests and of bytes: wrk for small requests, generators of our own for a steady rate and for bulk.

The generators run in this process, in one thread on raw sockets. `streams.py` has the load of event streams.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Contender, need
from benchmarks.processes import cpu_s
from benchmarks.upstream import SEND_BYTES, drop, send_zeros

PATIENCE_S = 30
_FIELDS = "Host: bench.example\r\nContent-Type: application/json\r\nAccept: */*\r\nUser-Agent: OpenAI/Python 1.99.1\r\n"
BODY = b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Why is the sky blue?"}]}'


def _fields(server: Contender) -> str:
    return f"{_FIELDS}Authorization: Bearer {server.token}\r\n"


class LoadError(RuntimeError):
    """The load did not get what it asked for, so its figures would mean nothing."""


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


# --- small requests ---


@dataclass(frozen=True)
class Burst:
    """What wrk saw, and what the server's processes used meanwhile."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_s: float
    side_cpu_s: dict[str, float]


def wrk(server: Contender, seconds: float, connections: int = 32) -> Burst:
    """As many small POSTs as the server answers on so many connections. Raises LoadError when one fails."""
    script = Path(__file__).with_name("small_post.lua")
    url = f"http://127.0.0.1:{server.port}{server.prefix}/v1/chat/completions"
    command = [need("wrk"), "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), url]
    before = cpu_s(server.pids), {name: cpu_s([pid]) for name, pid in server.side_pids.items()}
    environ = os.environ | {"WRK_TOKEN": server.token}
    output = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, check=True, env=environ
    ).stdout
    told = json.loads(output.splitlines()[-1])
    if told["failed"] or not told["requests"]:
        raise LoadError(f"{server.name}: {told['failed']} of {told['requests']} requests failed")
    side = {name: cpu_s([pid]) - before[1][name] for name, pid in server.side_pids.items()}
    used = cpu_s(server.pids) - before[0]
    return Burst(told["requests"], told["seconds"], told["p50_ms"], told["p99_ms"], used, side)


@contextlib.contextmanager
def without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def connect(server: Contender) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def post(server: Contender, target: str, body: bytes = BODY) -> bytes:
    head = f"POST {server.prefix}{target} HTTP/1.1\r\n{_fields(server)}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def steady(server: Contender, per_second: int, seconds: float) -> list[float]:
    """Latencies in ms of small POSTs that begin at fixed instants, whatever became of those before (open loop).

    Counted from the instant at which a request was due, so a server that stalls does not hide it by slowing us down.
    """
    request = post(server, "/v1/chat/completions")
    latencies: list[float] = []
    idle: list[socket.socket] = []
    due_at: dict[socket.socket, float] = {}
    begin = time.perf_counter() + 0.05
    total = int(per_second * seconds)
    started = 0
    with without_gc():
        while len(latencies) < total:
            now = time.perf_counter()
            next_due = begin + started / per_second if started < total else now + 5.0
            if now >= next_due:
                sock = idle.pop() if idle else connect(server)
                due_at[sock] = next_due
                sock.send(request)
                started += 1
                continue
            readable = select.select(list(due_at), [], [], next_due - now)[0]
            if not readable and started == total:
                raise LoadError(f"{server.name}: {len(due_at)} requests were not answered")
            for sock in readable:
                data = sock.recv(65536)
                if data.endswith(b"}"):
                    latencies.append((time.perf_counter() - due_at.pop(sock)) * 1000)
                    idle.append(sock)
                elif not data.startswith(b"HTTP/1.1 200"):
                    raise LoadError(f"{server.name}: unexpected answer {data[:60]!r}")
    for sock in idle:
        sock.close()
    return latencies


# --- bulk ---


def some(sock: socket.socket, server: Contender) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise LoadError(f"{server.name} closed the connection too early")
    return data


@dataclass(frozen=True)
class Transfer:
    mb_per_s: float
    cpu_s: float


def download(server: Contender, size: int) -> Transfer:
    """Takes so many bytes and drops them. Raises LoadError unless all came."""

    def move(sock: socket.socket) -> None:
        sock.sendall(f"GET {server.prefix}/bulk?bytes={size} HTTP/1.1\r\n{_fields(server)}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += some(sock, server)
        head, _, begin = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise LoadError(f"{server.name}: unexpected answer {head[:60]!r}")
        left = size - len(begin)
        while left > 0 and (count := drop(sock, left)):
            left -= count
        if left:
            raise LoadError(f"{server.name}: {left} bytes of the download are missing")

    return _timed(server, size, move)


def upload(server: Contender, size: int) -> Transfer:
    """Sends so many bytes. Raises LoadError unless the upstream says that all came."""
    zeros = os.memfd_create("zeros")
    os.ftruncate(zeros, SEND_BYTES)

    def move(sock: socket.socket) -> None:
        head = f"POST {server.prefix}/sink HTTP/1.1\r\n{_fields(server)}Content-Length: {size}\r\n\r\n"
        sock.sendall(head.encode())
        send_zeros(sock, zeros, size)
        answer = b""
        while b"}" not in answer:
            answer += some(sock, server)
        if b'{"left":0}' not in answer:
            raise LoadError(f"{server.name}: the upstream did not get the whole upload")

    try:
        return _timed(server, size, move)
    finally:
        os.close(zeros)


def _timed(server: Contender, size: int, move: Callable[[socket.socket], None]) -> Transfer:
    with connect(server) as sock:
        sock.settimeout(None)  # a timeout of Python's would make it non-blocking, which sendfile does not wait on
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", PATIENCE_S, 0))
        began, used = time.perf_counter(), cpu_s(server.pids)
        move(sock)
        return Transfer(size / 1e6 / (time.perf_counter() - began), cpu_s(server.pids) - used)
