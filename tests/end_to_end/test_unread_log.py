"""A log that nobody reads holds up nobody: web process, gunicorn's master, worker, supervisor."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.storage.connections import STATS_ROLLED_AT, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.gateway import ROOT, GatewayProcess, clean_environ, free_port
from tests.support.own_redis import kill, revive
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.soak

CALLS = 3000


class Unread:
    """A pipe that nobody reads before `read_to_end`."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def fill(self) -> None:
        os.set_blocking(self.writer, False)
        try:
            while True:
                os.write(self.writer, b"x" * 4095 + b"\n")
        except BlockingIOError:
            os.set_blocking(self.writer, True)

    def read(self) -> str:
        return os.read(self.reader, 1 << 20).decode(errors="replace")

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def unread() -> Iterator[Unread]:
    pipe = Unread()
    yield pipe
    pipe.close()


@pytest.fixture
def start_unread(redis_url: str, unread: Unread) -> Iterator[Callable[[], GatewayProcess]]:
    """Starts a gateway that logs into the pipe."""
    started: list[GatewayProcess] = []

    def start() -> GatewayProcess:
        started.append(GatewayProcess(redis_url, log_to=unread.writer))
        return started[-1].start()

    yield start
    for process in started:
        process.stop()


def test_a_gateway_whose_log_nobody_reads_goes_on(
    start_unread: Callable[[], GatewayProcess], upstream: Upstream, unread: Unread
) -> None:
    """After thousands of calls it answers calls and /health at once, and whoever reads later finds every line."""
    gateway = start_unread()

    def call_often(_: int) -> set[int]:
        return {gateway.request("GET", "/up/x").status for _ in range(CALLS // 4)}

    with ThreadPoolExecutor(4) as pool:
        assert set().union(*pool.map(call_often, range(4))) == {200}
    began = time.monotonic()
    assert gateway.request("GET", "/up/x").status == 200
    assert gateway.request("GET", "/health").status == 200
    assert time.monotonic() - began < 1
    text = ""
    while text.count(" INFO request: ") < CALLS + 1:  # fewer than its queue holds
        text += unread.read()
    assert all(line.count("request_id=") == 1 for line in text.splitlines() if " INFO request: " in line)


@pytest.mark.own_server
def test_a_gateway_starts_replaces_and_stops_with_a_full_pipe(
    start_unread: Callable[[], GatewayProcess], unread: Unread
) -> None:
    """With no room for a single line gunicorn starts, replaces a killed web process, reloads and stops in time."""
    unread.fill()
    gateway = start_unread()
    (pid,) = gateway.worker_pids()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: gateway.worker_pids() not in ([], [pid]), "another web process begins")
    wait_until(lambda: health(gateway), "it answers")
    before = gateway.worker_pids()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not set(before) & set(gateway.worker_pids()) and health(gateway), "it loads anew")
    began = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - began < 8


def test_a_worker_with_a_full_pipe_goes_on(own_server: EmbeddedRedis, own_redis: object, unread: Unread) -> None:
    """It rolls up, outlives a Redis that dies (which it has much to say about) and ends when told."""
    unread.fill()
    environ = {**clean_environ(), "REDIS_URL": own_server.url, "LOG_LEVEL": "DEBUG"}
    worker = subprocess.Popen([sys.executable, "-m", "worker"], cwd=ROOT, env=environ, stderr=unread.writer)
    try:
        rolled_at = [b""]

        def rolls_up() -> bool:
            with open_redis(own_server.url) as client:
                before, rolled_at[0] = rolled_at[0], client.get(STATS_ROLLED_AT) or b""
            return rolled_at[0] not in (b"", before)

        wait_until(rolls_up, "it rolls up")
        kill(own_server)
        time.sleep(0.5)
        revive(own_server)
        wait_until(rolls_up, "it rolls up again", timeout_s=20)
        worker.terminate()
        assert worker.wait(10) == 0
    finally:
        worker.kill()
        worker.wait()


def test_a_supervisor_with_full_pipes_goes_on(tmp_path: Path, unread: Unread) -> None:
    """`python -m app` starts, starts a killed worker again and ends when told, though nobody takes its banner."""
    unread.fill()
    port = free_port()
    environ = {**clean_environ(), "PORT": str(port), "HOST": "127.0.0.1", "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "app"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=unread.writer, stderr=unread.writer) as gateway:
        try:
            probe = GatewayProcess("")
            probe.port = port
            wait_until(lambda: health(probe).get("worker", {}).get("alive"), "it is healthy", timeout_s=40)
            (worker,) = [pid for pid in children(gateway.pid) if "worker" in command_of(pid)]
            os.kill(worker, signal.SIGKILL)
            wait_until(
                lambda: [pid for pid in children(gateway.pid) if "worker" in command_of(pid) and pid != worker],
                "another worker begins",
            )
            gateway.terminate()
            assert gateway.wait(30) == 0
        finally:
            gateway.kill()


def health(gateway: GatewayProcess) -> dict:
    try:
        return gateway.request("GET", "/health").json()
    except OSError:
        return {}


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> list[str]:
    try:
        return re.split("\0", Path(f"/proc/{pid}/cmdline").read_text())
    except OSError:
        return []
