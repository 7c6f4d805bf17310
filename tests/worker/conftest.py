"""Real worker processes on a Redis of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from app.storage.embedded import EmbeddedRedis
from tests.support.own_redis import own_redis, own_server
from tests.support.waiting import wait_until
from tests.support.worker_process import StartWorker, has_ended, spawn_worker, tasks_process

__all__ = ["own_redis", "own_server", "start_worker"]


@pytest.fixture
def start_worker(own_server: EmbeddedRedis) -> Iterator[StartWorker]:
    """Starts `python -m worker`; kills what is left of them in the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(**environ: str) -> subprocess.Popen[str]:
        process = spawn_worker(own_server.url, **environ)
        processes.append(process)
        return process

    yield start
    for process in processes:
        of_tasks = tasks_process(process.pid)
        process.kill()
        process.wait()
        wait_until(partial(has_ended, of_tasks), "its tasks process has ended")
        if process.stderr is not None:
            process.stderr.close()
