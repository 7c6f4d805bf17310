"""Gateways that are started by one command, each in a project directory of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.launched import Launched, copy_parts


@pytest.fixture
def project() -> Iterator[Path]:
    """A copy of what the gateway needs to run, so that it may have a `.env` of its own.

    Its path is short, so that the Redis socket stands in it, by which its process is found.
    """
    with TemporaryDirectory(prefix="gateway", ignore_cleanup_errors=True) as directory:
        project = Path(directory)
        copy_parts(project)
        yield project


@pytest.fixture
def launch(project: Path, tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts gateways, and leaves nothing of them behind."""
    started: list[Launched] = []

    def start(**environ: str) -> Launched:
        started.append(Launched(project, tmp_path / f"log{len(started)}", **environ))
        return started[-1]

    yield start
    for one in started:
        for pid in (one.process.pid, *one.processes()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        one.process.wait(10)
