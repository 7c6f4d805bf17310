"""Finds the processes that tests left running: what a test starts, its fixture stops, whatever the test finds."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

PATIENCE_S = 5.0
"""What was told to end may take so long."""
PR_SET_CHILD_SUBREAPER = 36
OF_PYTHON = "multiprocessing.resource_tracker"
"""Lives as long as the process that started it."""


def running() -> dict[int, str]:
    """The command lines of our children, by their ids."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if int(parent) == os.getpid() and state != "Z" and OF_PYTHON not in line:
                found[int(entry.name)] = line
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """Fails the last test when a process lives on at the session's end, and kills it."""
    if sys.platform != "linux":
        yield
        return
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of our children become our children
    before = running().keys()
    yield
    with contextlib.suppress(AssertionError):
        wait_until(lambda: running().keys() <= before, "all that tests started has ended", PATIENCE_S)
    left = {pid: line for pid, line in running().items() if pid not in before}
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    if left:
        pytest.fail(f"tests left processes running: {left}", pytrace=False)
