"""Long calls under kills: whatever a client has of its call when a web process dies, the call has one final row."""

from __future__ import annotations

import http.client
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from app.storage.active import interrupted as interrupted_module
from app.storage.active.interrupted import InterruptedCalls
from app.storage.connections import ACTIVE, ACTIVE_NEWS, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.callers import Callers
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import kept, roll_up
from tests.support.own_redis import running_redis
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.own_server, pytest.mark.soak]
CLIENTS = 40
LONGEST_S = 3.0


def takes_its_time(peer: Peer) -> None:
    """Begins to answer at once, and ends as late as the path says."""
    while (seen := peer.read_request()) is not None:
        peer.begin_stream()
        peer.send_chunk(b"begun")
        time.sleep(float(seen.target.rpartition("/")[2]))
        peer.send_chunk(b"done")
        peer.end_stream()


class Seen(NamedTuple):
    id: str
    took_s: float
    is_whole: bool


class Load(Callers):
    """Clients whose calls take from nothing to `LONGEST_S`."""

    def __init__(self, port: int) -> None:
        super().__init__(CLIENTS)
        self._port = port
        self.seen: list[Seen] = []

    def call(self, number: int) -> None:
        dice = random.Random(number)
        while not self.stopping.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            began_s, id, is_whole = time.monotonic(), "", False
            try:
                connection.request("GET", f"/up/{dice.uniform(0, LONGEST_S):.3f}")
                response = connection.getresponse()
                id = response.headers["x-gateway-request-id"]
                is_whole = response.read() == b"begundone"
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
            connection.close()
            if id:
                self.seen.append(Seen(id, time.monotonic() - began_s, is_whole))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
def client(server: EmbeddedRedis) -> Iterator[Redis]:
    with open_redis(server.url) as client:
        yield client


@pytest.fixture
def gateway(server: EmbeddedRedis, client: Redis) -> Iterator[GatewayProcess]:
    upstream = Upstream(takes_its_time)
    gateway = GatewayProcess(server.url, {"WEB_CONCURRENCY": "2"}).start()
    gateway.map("/up", upstream.url)
    both_serve(client)
    yield gateway
    gateway.stop()
    upstream.close()


def both_serve(client: Redis) -> None:
    wait_until(lambda: client.pubsub_numsub(ACTIVE_NEWS)[0][1] == 2, "both processes serve", 30)


def journals(gateway: GatewayProcess) -> set[str]:
    return {path.name for path in Path(f"/tmp/gateway-test-{gateway.port}-journals").rglob("*.journal")}


def test_each_call_has_one_final_row(gateway: GatewayProcess, client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a client has whole went well; those that were in flight for a second when it broke are interrupted."""
    monkeypatch.setattr(interrupted_module, "GRACE_MS", 0)
    dice, calls = random.Random(), InterruptedCalls(client)
    with Load(gateway.port) as load:
        for _ in range(4):
            time.sleep(dice.uniform(2.0, 4.0))
            victim, before = dice.choice(gateway.worker_pids()), journals(gateway)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda victim=victim: victim not in gateway.worker_pids(), "it has ended")
            both_serve(client)
            wait_until(  # long before it counts as silent
                lambda before=before: len(now := journals(gateway)) == 2 and now - before, "what it left is sent", 20
            )
            roll_up(client)
            for member in client.zrange(ACTIVE, 0, -1):
                if member.endswith(b":%d" % victim):  # it has been silent for long enough
                    client.zadd(ACTIVE, {member: 1})
            calls.book()
    wait_until(lambda: gateway.admin("GET", "/api/active").json()["count"] == 0, "nothing goes on")
    assert gateway.stop() == 0
    roll_up(client)
    rows = [one.row for one in kept(client) if one.row.final]
    counts, outcomes = Counter(row.request_id for row in rows), {row.request_id: row.outcome for row in rows}
    assert max(counts.values()) == 1
    whole = [one for one in load.seen if one.is_whole]
    broken = [one for one in load.seen if not one.is_whole and one.took_s >= 1]
    assert len(whole) > 50
    assert len(broken) > 5
    assert {one.id: outcomes.get(one.id) for one in whole if outcomes.get(one.id) != "ok"} == {}
    assert {one.id: outcomes.get(one.id) for one in broken if outcomes.get(one.id) != "interrupted"} == {}
