"""A whole gateway ends: in which order, what becomes of streams, and that no process stays."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.storage.connections import open_redis
from app.storage.embedded import embedded_url
from tests.support.channels import said_of_channel
from tests.support.gateway import free_port
from tests.support.launched import NEEDS_PROC, Launch, Launched, processes_about, project_environ
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

pytestmark = [NEEDS_PROC, pytest.mark.soak]


def test_the_stop_goes_web_then_worker_then_redis(launch: Launch) -> None:
    """When the worker ends the web is gone, and when Redis ends the worker is gone."""
    gateway = launch().until_healthy()
    wait_until(lambda: any("-m worker" in line for line in gateway.processes().values()), "the worker runs")
    gateway.process.send_signal(signal.SIGTERM)
    order: list[frozenset[str]] = []
    while gateway.process.poll() is None:
        lines = " ".join(gateway.processes().values())
        alive = frozenset(word for word in ("gunicorn", "-m worker", "unixsocket") if word in lines)
        if not order or order[-1] != alive:
            order.append(alive)
    for alive in order:
        if "gunicorn" in alive:
            assert alive >= {"-m worker", "unixsocket"}
        if "-m worker" in alive:
            assert "unixsocket" in alive


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_task_in_the_middle_goes_on_at_the_next_start(launch: Launch, how: signal.Signals) -> None:
    """And its process ends with the others, whether all are stopped or their launcher is killed."""
    gateway = launch(ADMIN_TOKEN="t").until_healthy()
    channel = _admin(gateway, "POST", "/api/channels", said_of_channel("one"))["channel"]["id"]
    keys = {"text": "\n".join(f"sk-{number}" for number in range(30_000))}
    path = f"/api/tasks/{_admin(gateway, 'POST', f'/api/channels/{channel}/keys', keys)['task']['id']}"
    wait_until(lambda: _admin(gateway, "GET", path)["task"]["done"], "the import has begun", 30)
    gateway.stop(how)
    wait_until(lambda: gateway.processes() == {}, "all have ended", 20)
    again = launch(ADMIN_TOKEN="t").until_healthy()
    task = wait_until(lambda: _ended(_admin(again, "GET", path)["task"]), "the import ends", 40)
    assert task["result"] == {"added": 30_000, "duplicates": 0, "total": 30_000}


def _admin(gateway: Launched, method: str, path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    with contextlib.closing(connection):
        fields = {"Authorization": "Bearer t", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), fields)
        return json.loads(connection.getresponse().read())


def _ended(task: dict[str, Any]) -> dict[str, Any] | None:
    return task if task["ended_at_ms"] else None


def test_a_stream_in_flight_ends_whole(launch: Launch) -> None:
    """A stream that runs at SIGTERM is delivered to its end, and no new client is served."""
    told_to_stop = threading.Event()

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target != "/stream":
                peer.answer(b"mapped")
                continue
            peer.begin_stream()
            for number in range(5):
                peer.send_chunk(b"data: %d\n\n" % number)
                if number == 1:
                    assert told_to_stop.wait(20)
            peer.end_stream()

    upstream = Upstream(handler)
    gateway = launch(EGRESS_ALLOW="127.0.0.1").until_healthy()
    gateway.map("/up", upstream.url)
    with gateway.get("/up/stream") as reply:
        assert reply.readline() == b"data: 0\n"
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.health() is None, "new clients are refused")
        assert gateway.process.poll() is None
        told_to_stop.set()
        assert reply.read() == b"\n" + b"".join(b"data: %d\n\n" % number for number in range(1, 5))
    assert gateway.process.wait(40) == 0
    assert gateway.processes() == {}
    upstream.close()


def test_a_stream_that_does_not_end_is_cut_after_its_time(launch: Launch) -> None:
    """A stream may go on for GRACEFUL_TIMEOUT, is then broken visibly, and is counted all the same."""

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target != "/stream":
                peer.answer(b"mapped")
                continue
            peer.begin_stream()
            peer.send_chunk(b"first\n")
            peer.wait_closed(60)

    upstream = Upstream(handler)
    gateway = launch(EGRESS_ALLOW="127.0.0.1", GRACEFUL_TIMEOUT="2").until_healthy()
    gateway.map("/up", upstream.url)
    with gateway.get("/up/stream") as reply:
        assert reply.readline() == b"first\n"
        gateway.process.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
        assert 1.5 < time.monotonic() - asked_at < 4.5
    assert gateway.process.wait(20) == 0
    assert gateway.processes() == {}
    again = launch(EGRESS_ALLOW="127.0.0.1").until_healthy()
    with again.get("/stats") as reply:
        assert json.loads(reply.read())["endpoints"]["/up"]["count"] == 2  # one told that the mapping had arrived
    upstream.close()


def test_a_second_signal_cuts_the_streams_short(launch: Launch) -> None:
    """A stream that never ends holds the stop up until it is asked for again."""

    def handler(peer: Peer) -> None:
        if (seen := peer.read_request()) is not None and seen.target == "/stream":
            peer.begin_stream()
            peer.send_chunk(b"first\n")
            peer.wait_closed(60)
        peer.answer(b"mapped")

    upstream = Upstream(handler)
    gateway = launch(EGRESS_ALLOW="127.0.0.1", GRACEFUL_TIMEOUT="50").until_healthy()
    gateway.map("/up", upstream.url)
    with gateway.get("/up/stream") as reply:
        assert reply.readline() == b"first\n"
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.health() is None, "new clients are refused")
        wait_until(lambda: "calls in flight: 1; they may go on for 50 s" in gateway.said(), "it says what it waits for")
        wait_until(
            lambda: "Ctrl-C (or SIGTERM) once more cuts the calls in flight" in gateway.said(), "it says what would do"
        )
        assert gateway.stop(signal.SIGINT) == 0
        assert gateway.processes() == {}
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
    upstream.close()


def test_a_stop_while_redis_is_awaited_is_obeyed_at_once(launch: Launch) -> None:
    """SIGTERM ends a start that still waits for Redis, with code 0."""
    gateway = launch(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", REDIS_PATIENCE="600")
    wait_until(lambda: "trying for" in gateway.said(), "it waits")
    assert gateway.stop() == 0


def test_no_process_survives_a_kill_of_the_launcher(launch: Launch) -> None:
    """After kill -9 of `python -m app` its children end by themselves, and the next start has the data."""
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        client.set("kept", "yes")
    gateway.stop(signal.SIGKILL)
    wait_until(lambda: not gateway.processes(), "no process is left", 20)
    again = launch().until_healthy()
    with open_redis(embedded_url(again.data_dir)) as client:
        assert client.get("kept") == b"yes"


def test_the_death_of_the_web_server_ends_everything_with_1(launch: Launch) -> None:
    """When gunicorn dies the whole gateway ends with 1 and a line that says so, and leaves no process."""
    gateway = launch().until_healthy()
    os.kill(gateway.pid_of("gunicorn"), signal.SIGKILL)
    assert gateway.process.wait(40) == 1
    wait_until(lambda: not gateway.processes(), "no process is left", 20)
    assert "the web server ended unexpectedly" in gateway.said()


def test_closing_the_terminal_stops_the_gateway(project: Path, tmp_path: Path) -> None:
    """A hang-up of the terminal that it was started in ends the gateway, and leaves no process."""
    environ = project_environ(project)
    leader, follower = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=project,
        env=environ,
        stdin=follower,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(follower)
    try:
        wait_until(
            lambda: any("gunicorn" in line for _, line in processes_about(environ["DATA_DIR"])),
            "the web server",
        )
        os.close(leader)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 0
        assert not list(processes_about(environ["DATA_DIR"]))
    finally:
        process.kill()
        process.wait(10)
