"""Real worker processes on a Redis of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.storage.embedded import EmbeddedRedis
from tests.support.environ import clean_environ
from tests.support.own_redis import own_redis, own_server

__all__ = ["own_redis", "own_server", "start_worker"]

ROOT = Path(__file__).resolve().parents[2]
StartWorker = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_worker(own_server: EmbeddedRedis) -> Iterator[StartWorker]:
    """Starts `python -m worker`; kills what is left of them in the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(**environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            cwd=ROOT,
            env=clean_environ(**{"API_PROXY_REDIS_URL": own_server.url, "LOG_LEVEL": "INFO"} | environ),
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
