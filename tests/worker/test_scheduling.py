"""How the worker shares a core."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from pathlib import Path

import pytest

from app.storage.connections import STATS_ROLLED_AT, Redis
from tests.support.waiting import wait_until
from tests.support.worker_process import StartWorker
from worker.scheduling import TURN_NS

GET = {"x86_64": 315, "aarch64": 275}
"""The number of `sched_getattr` by machine."""
ATTRIBUTES = "=IIQiIQQQ"
LINUX = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdecimal())


def turn_ns(thread: int) -> int:
    """How long a turn the kernel gives to a thread."""
    size = struct.calcsize(ATTRIBUTES)
    told = ctypes.create_string_buffer(size)
    assert ctypes.CDLL(None).syscall(GET[platform.machine()], thread, told, size, 0) == 0
    return int(struct.unpack(ATTRIBUTES, told.raw)[5])


@pytest.mark.skipif(platform.system() != "Linux" or LINUX < (6, 12), reason="turns are as long as all others' there")
@pytest.mark.skipif(platform.machine() not in GET, reason="nobody has looked up the call's number")
def test_all_threads_of_the_worker_take_long_turns(own_redis: Redis, start_worker: StartWorker) -> None:
    """So a call that comes while one of them works on the same core need not wait for the end of its turn."""
    assert turn_ns(os.getpid()) < TURN_NS
    worker = start_worker()
    wait_until(lambda: own_redis.exists(STATS_ROLLED_AT) == 1, "it works")
    threads = [int(entry.name) for entry in Path(f"/proc/{worker.pid}/task").iterdir()]
    assert len(threads) > 1
    assert {turn_ns(thread) for thread in threads} == {TURN_NS}
