"""`python -m worker` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
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
