"""Gateways that are started by one command, each in a project directory of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.launched import Launch, Launched, copy_parts


@pytest.fixture
def project() -> Iterator[Path]:
    with own_project() as project:
        yield project


@contextlib.contextmanager
def own_project() -> Iterator[Path]:
    """A copy of what the gateway needs to run, so that it may have a `.env` of its own.

    Its path is short, so that the Redis socket stands in it, by which its process is found.
    """
    with TemporaryDirectory(prefix="gateway", ignore_cleanup_errors=True) as directory:
        project = Path(directory)
        copy_parts(project)
        yield project


@pytest.fixture
def launch(project: Path, tmp_path: Path) -> Iterator[Launch]:
    with launching(project, tmp_path) as launch:
        yield launch


@contextlib.contextmanager
def launching(project: Path, logs: Path) -> Iterator[Launch]:
    """Starts gateways, and leaves nothing of them behind."""
    started: list[Launched] = []

    def start(**environ: str) -> Launched:
        started.append(Launched(project, logs / f"log{len(started)}", **environ))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            for pid in (one.process.pid, *one.processes()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            one.process.wait(10)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A gateway that several tests have one after the other; each leaves it healthy. It stops well in the end.

    With PYTHONSAFEPATH, so its directory is no place to import from but by PYTHONPATH.
    """
    with own_project() as project, launching(project, tmp_path_factory.mktemp("running")) as launch:
        gateway = launch(PYTHONSAFEPATH="1", PYTHONPATH=str(project)).until_healthy()
        yield gateway
        assert gateway.stop() == 0, gateway.said()
