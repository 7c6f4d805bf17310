"""Answered calls are counted, whatever is killed: once each, and none that never was."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.storage.connections import MAPPINGS, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.statistics.ledger import Account, Ledger
from tests.support.callers import Callers
from tests.support.environ import clean_environ
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.own_redis import kill, own_redis, own_server, revive
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

__all__ = ["own_redis", "own_server"]
pytestmark = [pytest.mark.own_server, pytest.mark.soak]
CLIENTS = 6

StartWith = Callable[..., GatewayProcess]


def answer_in_every_framing(peer: Peer) -> None:
    """By length, with the head or behind it; in chunks; without a body; until the connection's end."""
    while (seen := peer.read_request()) is not None:
        match seen.target:
            case "/length":
                peer.answer(b"x" * 100)
            case "/late":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
                peer.send(b"abc")
                time.sleep(0.001)
                peer.send(b"def")
            case "/chunks":
                peer.begin_stream()
                peer.send_chunk(b"data: 1\n\n")
                time.sleep(0.001)
                peer.send_chunk(b"data: 2\n\n")
                peer.end_stream()
            case "/end":
                peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")
                return
            case _:
                peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")


class Load(Callers):
    """Clients that call without a pause and count what they began and what they have whole."""

    def __init__(self, port: int) -> None:
        super().__init__(CLIENTS)
        self._port = port
        self.begun = [0] * CLIENTS
        self.answered = [0] * CLIENTS

    def goes_on(self) -> None:
        """Waits until some more calls are answered."""
        enough = sum(self.answered) + 10
        wait_until(lambda: sum(self.answered) > enough, "calls are answered", 20)

    def call(self, number: int) -> None:
        dice = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self.stopping.is_set():
            try:
                if connection.sock is None:
                    connection.connect()
                self.begun[number] += 1
                connection.request("GET", "/up/" + dice.choice(["length", "late", "chunks", "end", "nothing"]))
                response = connection.getresponse()
                response.read()
                assert response.status in (200, 204)
                self.answered[number] += 1
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.01)
        connection.close()


def counted(client: Redis) -> int:
    """What the statistics say, once everything on the list is rolled up."""
    accounts: list[Account] = []
    ledger = Ledger(client)
    now_ms = time.time_ns() // 1_000_000
    while ledger.roll_up(now_ms):
        pass
    ledger.publish(now_ms, lambda account: accounts.append(account))  # type: ignore[func-returns-value]
    assert accounts[0].dropped == 0
    tallies = accounts[0].windows.total.tallies
    return tallies[None].requests if tallies else 0


@pytest.fixture
def start_with(own_server: EmbeddedRedis, own_redis: Redis, tmp_path: Path) -> Iterator[StartWith]:
    """Starts gateways that share a Redis and a place for journals, with an upstream at `/up`."""
    upstream = Upstream(answer_in_every_framing)
    started: list[GatewayProcess] = []

    def start(**environ: str) -> GatewayProcess:
        gateway = GatewayProcess(own_server.url, {"JOURNAL_DIR": str(tmp_path / "journals"), **environ})
        started.append(gateway)
        own_redis.hset(MAPPINGS, "/up", upstream.url)  # so that each process knows it from its start
        return gateway.start()

    yield start
    for gateway in started:
        gateway.stop()
    upstream.close()


def kill_web_processes(gateway: GatewayProcess, kills: int) -> Load:
    dice = random.Random()
    with Load(gateway.port) as load:
        for _ in range(kills):
            time.sleep(dice.uniform(0.2, 0.5))
            load.goes_on()
            victim = dice.choice(gateway.worker_pids())
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda victim=victim: len(pids := gateway.worker_pids()) == 2 and victim not in pids, "it is replaced"
            )
        load.goes_on()
    return load


def check(load: Load, client: Redis, kills: int) -> None:
    answered, begun, found = sum(load.answered), sum(load.begun), counted(client)
    assert answered > 10 * (kills + 1)
    assert answered <= found <= begun, f"{answered} answered, {found} counted, {begun} begun"


def test_killed_web_processes_lose_no_answered_call(start_with: StartWith, own_redis: Redis) -> None:
    """Under load two web processes are killed one after the other; those that live send what is left."""
    gateway = start_with(WEB_CONCURRENCY="2")
    load = kill_web_processes(gateway, 2)
    assert gateway.stop() == 0
    check(load, own_redis, 2)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_twenty_kills_lose_no_answered_call(start_with: StartWith, own_redis: Redis) -> None:
    """The same for as long as it takes to kill twenty."""
    gateway = start_with(WEB_CONCURRENCY="2")
    load = kill_web_processes(gateway, 20)
    assert gateway.stop() == 0
    check(load, own_redis, 20)


def test_a_gateway_that_is_killed_whole_counts_at_its_next_start(start_with: StartWith, own_redis: Redis) -> None:
    """Master and web processes are killed under load; the next gateway sends what they left."""
    gateway = start_with()
    with Load(gateway.port) as load:
        time.sleep(0.7)
        for pid in [gateway.process.pid, *gateway.worker_pids()]:
            os.kill(pid, signal.SIGKILL)
        gateway.process.wait()
        time.sleep(0.1)
    again = start_with()
    assert again.stop() == 0
    check(load, own_redis, 0)


def test_a_killed_master_loses_no_answered_call(start_with: StartWith, own_redis: Redis) -> None:
    """When only gunicorn's master is killed its web processes end by themselves and send what they have."""
    gateway = start_with()
    (pid,) = gateway.worker_pids()
    with Load(gateway.port) as load:
        time.sleep(0.7)
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait()
        wait_until(lambda: not is_alive(pid), "the web process ends")
    check(load, own_redis, 0)


def test_a_reload_loses_no_answered_call(start_with: StartWith, own_redis: Redis) -> None:
    """Web processes that are replaced in order count all that they answered."""
    gateway = start_with()
    before = gateway.worker_pids()
    with Load(gateway.port) as load:
        time.sleep(0.4)
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(before) & set(gateway.worker_pids()), "they are replaced")
        time.sleep(0.3)
    assert gateway.stop() == 0
    check(load, own_redis, 1)


def test_what_waits_for_redis_outlives_a_kill(
    start_with: StartWith, own_server: EmbeddedRedis, own_redis: Redis
) -> None:
    """Calls answered while Redis is away are counted after a kill, too: the next start sends them."""
    gateway = start_with()
    kill(own_server)
    for _ in range(20):
        assert gateway.request("GET", "/up/length").status == 200
    (pid,) = gateway.worker_pids()
    os.kill(gateway.process.pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    revive(own_server)
    with open_redis(own_server.url) as client:
        assert start_with().stop() == 0
        assert counted(client) == 20


PIECES = """
from gevent import monkey; monkey.patch_all()
import io, sys
from app.config import load_config
from app.gateway import build_gateway
from app.routes import build_flask
gateway = build_gateway(load_config())
gateway.catalog.start()
serve = build_flask(gateway).wsgi_app
for path in ("length", "late", "chunks", "end", "nothing"):
    before = gateway.recorder.waiting
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": "/up/" + path, "SERVER_PROTOCOL": "HTTP/1.1",
               "wsgi.input": io.BytesIO(), "REMOTE_ADDR": "127.0.0.1"}
    fields = []
    pieces = serve(environ, lambda status, headers: fields.extend(headers))
    length = dict(fields).get("Content-Length")
    size = 0
    for piece in pieces:
        size += len(piece)
        if length and size == int(length):
            assert gateway.recorder.waiting == before + 1, path
    assert gateway.recorder.waiting == before + 1, path
    pieces.close()
    assert gateway.recorder.waiting == before + 1, path
print("all")
"""


def test_a_call_stands_in_the_journal_before_its_answer_ends(start_with: StartWith, own_server: EmbeddedRedis) -> None:
    """Before the piece that makes up its length is given to the server, or else before the body's end is told."""
    gateway = start_with()
    environ = clean_environ(REDIS_URL=own_server.url, EGRESS_ALLOW="127.0.0.0/8", **gateway.environ)
    command = [sys.executable, "-c", PIECES]
    done = subprocess.run(command, cwd=ROOT, env=environ, timeout=30, capture_output=True, text=True)
    assert done.stdout == "all\n", done.stderr


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
