"""Processes under measurement: starting and ending them, the cores they run on, what the kernel says they used.

Every child gets SIGTERM when this process dies, however it dies, and is in a group of its own, so that a Ctrl-C reaches
this process alone and the end is in order. Linux only: the accounting is /proc's.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app import IS_COMPILED
from app.storage.embedded import end, spawn

CHECKOUT = Path(__file__).resolve().parent.parent
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
END_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Cores:
    """Where the server under test runs, and where everything else does."""

    server: frozenset[int]
    load: frozenset[int]

    @classmethod
    def split(cls) -> Cores:
        """The first core for the server, the others for load and upstream; with one core they share it."""
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(others or [first]))


def pin(pid: int, cores: Iterable[int]) -> None:
    """Keeps every thread of a process on these cores."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), cores)


@contextlib.contextmanager
def running(
    command: Sequence[str],
    cores: Iterable[int],
    *,
    env: dict[str, str] | None = None,
    quiet: bool = True,
    checkout: Path = CHECKOUT,
) -> Iterator[subprocess.Popen[bytes]]:
    """A child for the time of the block, on these cores from its first instruction."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # a child inherits it
    try:
        process = spawn(command, env=env, cwd=checkout, quiet=quiet)
    finally:
        os.sched_setaffinity(0, ours)
    try:
        yield process
    finally:
        end(process, END_PATIENCE_S)


@contextlib.contextmanager
def awake(cores: Iterable[int]) -> Iterator[None]:
    """Keeps these cores from falling asleep, by work that gives way to any other (SCHED_IDLE).

    To wake a core is billed to whoever sends to it: a server that answers more seldom, and whose load sleeps in
    between, would pay for that with what is no work of its own.
    """
    with contextlib.ExitStack() as spinning:
        for core in cores:
            process = spinning.enter_context(running([sys.executable, "-c", "while True: pass"], [core]))
            os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
        yield


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of these processes so far, in seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def cpu_now_ms(pid: int) -> float:
    """What the process has used so far, as finely as the kernel accounts (clock_getcpuclockid of Linux)."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e6


def rss_kib(pid: int) -> int:
    """Resident memory now."""
    return _status_kib(pid, "VmRSS")


def peak_rss_kib(pid: int) -> int:
    """The most resident memory since `reset_peak`."""
    return _status_kib(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_kib(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(f"no {name} in the status of process {pid}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], patience_s: float = 20.0) -> None:
    """Returns when something listens there. Raises RuntimeError when it ends or takes too long."""

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    wait_until(listens, f"port {port} is open", process, patience_s)


def wait_until(
    condition: Callable[[], bool], what: str, process: subprocess.Popen[bytes], patience_s: float = 20.0
) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"not so within {patience_s:g} s, or the process ended: {what}")
        time.sleep(0.02)


def raise_file_limit() -> int:
    """As many open files as the system allows, for us and our children. Returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "hot_path": "compiled" if IS_COMPILED else "interpreted",
    }
