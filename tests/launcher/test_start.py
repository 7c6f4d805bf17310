"""`python -m app` starts, tends and restarts everything, and keeps its data."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from app.storage.connections import MAPPINGS, MAPPINGS_VERSION, open_redis
from app.storage.embedded import embedded_url
from tests.support.launched import NEEDS_PROC, Launch, Launched
from tests.support.waiting import wait_until

pytestmark = NEEDS_PROC

ENDED = "ended unexpectedly (killed by SIGKILL); starting it again"


def test_one_command_starts_everything_and_sigterm_ends_all_of_it(launch: Launch) -> None:
    """Redis, worker and web run after the start; SIGTERM ends them with code 0 and leaves no process."""
    gateway = launch(ADMIN_TOKEN="very-secret-word").until_healthy()
    wait_until(lambda: "dashboard" in gateway.said(), "the welcome", 20)
    running = " ".join(gateway.processes().values())
    assert "valkey-server" in running or "redis-server" in running
    assert "-m worker" in running
    assert "gunicorn" in running
    assert gateway.stop() == 0, gateway.said()
    assert gateway.processes() == {}
    said = gateway.said()
    assert f"http://127.0.0.1:{gateway.port}/admin" in said
    assert "ADMIN_TOKEN in the environment" in said
    assert "  way out     direct\n" in said
    assert "very-secret-word" not in said
    assert "they may go on" not in said
    assert "Traceback" not in said
    assert "Warning" not in said


@pytest.mark.soak
def test_data_are_kept_over_a_restart_and_deleted_defaults_stay_away(launch: Launch) -> None:
    """What was in the embedded Redis before a stop is there after the next start; defaults are seeded but once."""
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        assert client.hlen(MAPPINGS) == 21
        client.pipeline().delete(MAPPINGS).incr(MAPPINGS_VERSION).set("mine", "kept").execute()
    assert gateway.stop() == 0
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        assert client.exists(MAPPINGS) == 0
        assert (client.get(MAPPINGS_VERSION), client.get("mine")) == (b"2", b"kept")
    assert gateway.stop() == 0


@NEEDS_PROC
def test_web_processes_go_without_docstrings_and_the_worker_does_not(running: Launched) -> None:
    """Assertions go with docstrings, and one of RQ's takes its job off a stack."""
    optimized = {
        "gunicorn" if "gunicorn" in command else "worker"
        for pid, command in running.processes().items()
        if b"PYTHONOPTIMIZE=2" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    }
    assert optimized == {"gunicorn"}


def test_the_parts_are_found_where_the_directory_is_no_place_to_import_from(running: Launched) -> None:
    """With PYTHONSAFEPATH, `python -m app` that was found by PYTHONPATH finds its worker and web server, too."""
    with running.get("/health") as reply:
        reply.read()
    wait_until(lambda: "Worker ready" in running.said(), "the worker runs", 20)
    assert "No module named" not in running.said()


@pytest.mark.parametrize("word", ["-m worker", "unixsocket"])
def test_a_worker_or_redis_that_dies_is_started_again(running: Launched, word: str) -> None:
    """After kill -9 of the worker or of the embedded Redis there is a new one, and the gateway is healthy."""
    told = running.said().count(ENDED)
    wait_until(lambda: any(word in line for line in running.processes().values()), "it runs")
    old = running.pid_of(word)
    os.kill(old, signal.SIGKILL)
    wait_until(
        lambda: any(word in line and pid != old for pid, line in running.processes().items()),
        "a new one runs",
        20,
    )
    running.until_healthy()
    wait_until(lambda: running.said().count(ENDED) > told, "it is said")


def test_sighup_gives_new_web_processes_and_keeps_serving(running: Launched) -> None:
    """SIGHUP replaces the web processes, and the gateway answers all the while."""
    wait_until(lambda: "Booting worker" in running.said(), "a web process")
    before = running.said().count("Booting worker")
    running.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: running.said().count("Booting worker") == before + 1 and running.health() == 200,
        "a new web process",
        20,
    )


@pytest.mark.soak
def test_ten_launchers_at_one_data_directory_are_one_gateway(launch: Launch) -> None:
    """Of ten that start at once exactly one runs; the others end with 1 and say why; the data are whole."""
    gateways = [launch() for _ in range(10)]
    wait_until(lambda: sum(gateway.process.poll() is None for gateway in gateways) == 1, "one is left", 50)
    winner = next(gateway for gateway in gateways if gateway.process.poll() is None)
    winner.until_healthy()
    for loser in gateways:
        if loser is not winner:
            assert loser.process.returncode == 1
            assert "Another gateway runs on the data in" in loser.said()
    with open_redis(embedded_url(winner.data_dir)) as client:
        assert client.hlen(MAPPINGS) == 21
        assert client.get(MAPPINGS_VERSION) == b"1"
    assert winner.stop() == 0
