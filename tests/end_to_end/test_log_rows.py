"""Each answered call has exactly one final row, whatever is killed, and has it soon."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.storage.connections import STATS_EVENTS, Redis, RedisError
from app.storage.embedded import EmbeddedRedis
from tests.support.api_calls import BEARER, TOKEN, Accounts
from tests.support.callers import Callers
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import Log, roll_up
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until
from tests.support.worker_process import spawn_worker

pytestmark = [pytest.mark.own_server, pytest.mark.soak]
CLIENTS = 3
THERE_S = 5.0
"""Within so long of its end a call has its row."""


def answer(peer: Peer) -> None:
    """Every third call is refused at first, so that it has two attempts."""
    while (seen := peer.read_request()) is not None:
        if b"third" in seen.body and seen.field("authorization") == "Bearer sk-first-0001":
            peer.answer(b"{}", "408 Later")
        else:
            peer.answer(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')


class Load(Callers):
    """Clients that call without a pause, and note the ids of the calls that they have whole."""

    def __init__(self, port: int) -> None:
        super().__init__(CLIENTS)
        self._port = port
        self.answered: list[str] = []

    def call(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        number = 0
        while not self.stopping.is_set():
            number += 1
            body = json.dumps({"model": "m", "user": "third" if number % 3 == 0 else "other"})
            try:
                connection.request("POST", "/v1/chat/completions", body, BEARER)
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                self.answered.append(response.headers["x-gateway-request-id"])
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.02)
            time.sleep(0.005)
        connection.close()


@pytest.fixture
def gateway(own_server: EmbeddedRedis, own_redis: Redis, tmp_path: Path) -> Iterator[GatewayProcess]:
    """Two web processes, and a channel with two keys."""
    upstream = Upstream(answer)
    environ = {"JOURNAL_DIR": str(tmp_path / "journals"), "AUTH_KEY": TOKEN, "WEB_CONCURRENCY": "2"}
    gateway = GatewayProcess(own_server.url, environ).start()
    keys = ["sk-first-0001", "sk-second-0002"]
    accounts = Accounts(gateway, upstream)
    accounts.clear()  # what the database had of the test before was restored into the empty Redis
    accounts.add("one", keys, key_strategy="sequential")
    gateway.admin("PUT", "/api/settings", {"cooldown_min_s": 1})
    asked = ("POST", "/v1/chat/completions", '{"model": "m"}', BEARER)
    wait_until(lambda: all(gateway.request(*asked).status == 200 for _ in range(20)), "all processes know the keys")
    yield gateway
    gateway.stop()
    upstream.close()


def check(gateway: GatewayProcess, client: Redis, load: Load) -> None:
    log = Log(gateway, client)
    log.catch_up()
    rows = log.rows()
    log.database.close()
    final = Counter(one.row.request_id for one in rows if one.row.final)
    assert len(load.answered) > 50
    assert {id: final[id] for id in load.answered if final[id] != 1} == {}
    numbers: dict[str, list[int]] = {}
    for one in reversed(rows):
        numbers.setdefault(one.row.request_id, []).append(one.row.attempt)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    assert max(map(len, numbers.values())) == 2


def test_killed_web_processes_leave_one_final_row_of_each_call(gateway: GatewayProcess, own_redis: Redis) -> None:
    """Under load web processes are killed; those that live, and the next start, send what is left."""
    with Load(gateway.port) as load:
        for _ in range(2):
            time.sleep(random.uniform(0.3, 0.6))
            victim = random.choice(gateway.worker_pids())
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda victim=victim: len(pids := gateway.worker_pids()) == 2 and victim not in pids, "it is replaced"
            )
        time.sleep(0.3)
    assert gateway.stop() == 0
    roll_up(own_redis)
    check(gateway, own_redis, load)


def test_a_killed_worker_leaves_one_final_row_of_each_call(
    gateway: GatewayProcess, own_server: EmbeddedRedis, own_redis: Redis
) -> None:
    """It is killed again and again while it books; none is lost, none is there twice."""
    workers = [spawn_worker(own_server.url)]
    try:
        with Load(gateway.port) as load:
            for _ in range(3):
                time.sleep(random.uniform(0.8, 1.6))
                workers[-1].kill()
                workers.append(spawn_worker(own_server.url))
            time.sleep(0.3)
        assert gateway.stop() == 0
        roll_up_beside(own_redis)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    check(gateway, own_redis, load)


def roll_up_beside(client: Redis) -> None:
    """Until nothing waits, whoever does it."""

    def is_done() -> bool:
        with suppress(RedisError):  # overtaken by the worker
            roll_up(client)
        return client.llen(STATS_EVENTS) == 0

    wait_until(is_done, "all is booked")


def test_a_call_has_its_row_within_seconds(
    gateway: GatewayProcess, own_server: EmbeddedRedis, own_redis: Redis
) -> None:
    """With a worker as it is deployed."""
    worker = spawn_worker(own_server.url)
    try:
        wait_until(lambda: not gateway.request("GET", "/stats").json()["stale"], "the worker is up", 20)
        reply = gateway.request("POST", "/v1/chat/completions", '{"model": "m"}', BEARER)
        path = f"/api/logs/{reply.field('x-gateway-request-id')}"
        wait_until(lambda: gateway.admin("GET", path).status == 200, "the call has its row", THERE_S)
    finally:
        worker.kill()
        worker.communicate()
