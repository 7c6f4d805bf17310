"""`python -m worker` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support.environ import clean_environ

ROOT = Path(__file__).resolve().parents[2]
StartWorker = Callable[..., subprocess.Popen[str]]
"""Starts a worker, with environment variables of its own; it ends with the test."""


def spawn_worker(redis_url: str, **environ: str) -> subprocess.Popen[str]:
    """A worker whose standard error is a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "worker"],
        cwd=ROOT,
        env=clean_environ(**{"API_PROXY_REDIS_URL": redis_url, "LOG_LEVEL": "INFO"} | environ),
        stderr=subprocess.PIPE,
        text=True,
    )


def tasks_process(worker_pid: int) -> int:
    """The id of a worker's tasks process; 0: there is none."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if _state(entry)[1] == worker_pid and b"worker.tasks\0" in (entry / "cmdline").read_bytes():
                return int(entry.name)
    return 0


def children_of(pid: int) -> list[int]:
    """Ids of the processes that a process started, and whose parent it still is."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if _state(entry)[1] == pid:
                found.append(int(entry.name))
    return found


def has_ended(pid: int) -> bool:
    with suppress(OSError):
        return _state(Path(f"/proc/{pid}"))[0] == "Z"
    return True


def _state(entry: Path) -> tuple[str, int]:
    """Of a process, and its parent's id."""
    state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
    return state, int(parent)
