"""Real worker processes on a Redis of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from app.storage.embedded import EmbeddedRedis
from tests.support.own_redis import own_redis, own_server
from tests.support.worker_process import StartWorker, spawn_worker

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
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
