"""Calls whose process dies, freezes or cannot reach Redis have one final row, whatever is told of them in the end."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from app.storage.active import interrupted as interrupted_module
from app.storage.active.interrupted import InterruptedCalls
from app.storage.active.stored import id_and_name
from app.storage.connections import ACTIVE, ACTIVE_NEWS, ACTIVE_OF, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import kept, roll_up
from tests.support.own_redis import kill, revive, running_redis
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until
from tests.support.worker_process import spawn_worker

pytestmark = pytest.mark.own_server


def waits(peer: Peer) -> None:
    """Answers what asks for it; all else waits for as long as its client does."""
    while (seen := peer.read_request()) is not None:
        if seen.target.endswith("/waits"):
            peer.wait_closed(60)
            return
        peer.answer()


class Held:
    """A gateway of two web processes, and calls that go on in both."""

    def __init__(self, gateway: GatewayProcess, client: Redis) -> None:
        self.gateway = gateway
        self.client = client
        self._calls = ExitStack()

    def begin(self) -> dict[str, list[str]]:
        """Ids of calls that go on, two or more of each process, by its pid; as soon as Redis was told of all."""
        calls: list[dict[str, Any]] = []
        while sorted(Counter(call["process"] for call in calls).values())[-2:-1] < [2]:
            connection = self._calls.enter_context(
                closing(http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60))
            )
            connection.request("GET", "/up/waits")
            count = len(calls) + 1
            calls = wait_until(lambda count=count: self._going(count), "it goes on")
        wait_until(lambda: len(self.told()) == len(calls), "Redis was told", 2.0)
        found: dict[str, list[str]] = {}
        for call in calls:
            found.setdefault(call["process"].rpartition(":")[2], []).append(call["id"])
        return found

    def _going(self, count: int) -> Any:
        calls = self.gateway.admin("GET", "/api/active").json()["active"]
        return calls if len(calls) == count else None

    def told(self) -> set[str]:
        """Ids of those that Redis knows."""
        processes = [id_and_name(member)[0] for member in self.client.zrange(ACTIVE, 0, -1)]
        return {id.decode() for one in processes for id in self.client.hkeys(ACTIVE_OF + one)}

    def is_silent(self, pid: int) -> int:
        """Twenty seconds have passed: what the worker does then. Returns how many calls count as interrupted."""
        [member] = [one for one in self.client.zrange(ACTIVE, 0, -1) if one.endswith(b":%d" % pid)]
        self.client.zadd(ACTIVE, {member: 1})
        return InterruptedCalls(self.client).book()

    def interrupted(self) -> set[str]:
        """Ids of those that the log calls so."""
        rows = self.gateway.admin("GET", "/api/logs?outcome=interrupted").json().get("logs", [])
        return {row["request_id"] for row in rows}

    def end(self) -> None:
        """The clients leave."""
        self._calls.close()

    def outcomes(self, *ids: str) -> dict[str, str]:
        """Of all calls that waited, as soon as these have a row: one that is final each."""

        def found() -> Any:
            roll_up(self.client)
            rows = [one.row for one in kept(self.client) if one.row.final]
            assert max(Counter(row.request_id for row in rows).values(), default=1) == 1
            known = {row.request_id: row.outcome for row in rows}
            return known if {*ids} <= {*known} else None

        return dict(wait_until(found, "they have a row"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(server: EmbeddedRedis) -> Iterator[GatewayProcess]:
    """Two web processes, and an upstream that waits."""
    upstream = Upstream(waits)
    gateway = GatewayProcess(server.url, {"WEB_CONCURRENCY": "2"}).start()
    gateway.map("/up", upstream.url)
    yield gateway
    gateway.stop()
    upstream.close()


@pytest.fixture
def held(server: EmbeddedRedis, gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    monkeypatch.setattr(interrupted_module, "GRACE_MS", 0)
    with open_redis(server.url) as client:
        wait_until(lambda: client.pubsub_numsub(ACTIVE_NEWS)[0][1] == 2, "both processes serve", 30)
        held = Held(gateway, client)
        yield held
        held.end()
        wait_until(lambda: gateway.admin("GET", "/api/active").json()["count"] == 0, "nothing goes on")


def test_a_killed_process_leaves_one_row_of_each_call(held: Held) -> None:
    """Those in flight are interrupted; those of the other process, and those that had ended, are told as they were."""
    calls = held.begin()
    (victim, lost), (_, others) = sorted(calls.items())
    before = [str(held.gateway.request("GET", "/up/x").field("x-request-id")) for _ in range(5)]
    os.kill(int(victim), signal.SIGKILL)
    assert held.is_silent(int(victim)) == len(lost)
    held.end()
    outcomes = held.outcomes(*lost, *others, *before)
    assert {outcomes[id] for id in lost} == {"interrupted"}
    assert {outcomes[id] for id in others} == {"client_gone"}
    assert {outcomes[id] for id in before} == {"ok"}
    wait_until(lambda: not held.told(), "nothing is left of them", 10)


def test_a_frozen_process_adds_no_second_row(held: Held) -> None:
    """Meanwhile its calls are shown as it last told of them; one that is to be ended is when it goes on."""
    calls = held.begin()
    (victim, lost), (_, others) = sorted(calls.items())
    os.kill(int(victim), signal.SIGSTOP)
    try:
        listed = held.gateway.admin("GET", "/api/active").json()["active"]
        assert {call["id"] for call in listed} == {id for ids in calls.values() for id in ids}
        reply = held.gateway.admin("DELETE", f"/api/active/{lost[0]}")
        assert (reply.status, reply.json()["code"]) == (503, "process_silent")
        assert held.is_silent(int(victim)) == len(lost)
    finally:
        os.kill(int(victim), signal.SIGCONT)
    wait_until(lambda: held.told() & {*lost} == {*lost[1:]}, "it tells of the others again", 10)
    assert held.is_silent(int(victim)) == 0
    held.end()
    outcomes = held.outcomes(*lost, *others)
    assert {outcomes[id] for id in lost} == {"interrupted"}
    assert {outcomes[id] for id in others} == {"client_gone"}
    wait_until(lambda: not held.told(), "their own events have come, too", 10)
    assert held.outcomes(*lost) == outcomes


def test_calls_outlive_redis(held: Held, server: EmbeddedRedis) -> None:
    """Those that ended while it was away are told as they ended, whatever it kept of them."""
    calls = held.begin()
    ids = [id for found in calls.values() for id in found]
    kill(server)
    assert held.gateway.request("GET", "/up/x").status == 200
    held.end()
    revive(server)
    outcomes = held.outcomes(*ids)
    assert {outcomes[id] for id in ids} == {"client_gone"}


@pytest.mark.soak
def test_the_worker_finds_out_within_half_a_minute(
    held: Held, server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is deployed: 20 s after the last sign of life, while the other process goes on."""
    worker = spawn_worker(server.url)
    try:
        calls = held.begin()
        (victim, lost), (_, others) = sorted(calls.items())
        os.kill(int(victim), signal.SIGKILL)
        killed_s = time.monotonic()
        ids = {*lost, *others}  # other tests have left some, too
        found = wait_until(lambda: ids & held.interrupted(), "they are interrupted", 45, 0.2)
        assert found == set(lost)
        assert 14 < time.monotonic() - killed_s < 30
        time.sleep(10)
        assert set(others) == held.told()
    finally:
        worker.kill()
        worker.communicate()
