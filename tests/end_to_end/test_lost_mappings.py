"""A Redis that lost what it knew, whole or in part, is no word of the operator."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.defaults import DEFAULT_MAPPINGS
from app.storage.catalog.seeding import seed
from app.storage.connections import MAPPINGS, MAPPINGS_UPDATES, MAPPINGS_VERSION
from tests.support.failover import BareRedis
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.soak


@dataclass
class House:
    """Two web processes and a Redis without a disk."""

    redis: BareRedis
    gateway: GatewayProcess

    def serves(self) -> bool:
        return self.gateway.request("GET", "/up/x").status == 200

    def health(self) -> dict[str, object]:
        found: dict[str, object] = self.gateway.request("GET", "/health").json()
        return found

    def stored(self) -> dict[bytes, bytes]:
        return self.redis.client.hgetall(MAPPINGS)

    def version(self) -> int:
        return int(self.redis.client.get(MAPPINGS_VERSION) or 0)

    def all_read(self) -> None:
        """Both processes have read what is stored: one may answer all requests that come one by one.

        Who reads at the second word is done with what it read at the first.
        """
        for _ in range(2):
            readers: set[str] = set()
            with self.redis.client.monitor() as monitor:
                self.redis.client.publish(MAPPINGS_UPDATES, "look")
                while len(readers) < 2:
                    told = monitor.next_command()
                    if told["command"] == f"HGETALL {MAPPINGS}":
                        readers.add(told["client_port"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    redis = BareRedis(tmp_path_factory.mktemp("redis"))
    upstream = Upstream()
    gateway = GatewayProcess(redis.url, {"WEB_CONCURRENCY": "2", "ENABLE_STATS": "false"}).start()
    gateway.map("/up", upstream.url)
    yield House(redis, gateway)
    gateway.stop()
    upstream.close()
    redis.close()


@pytest.fixture
def house(built: House) -> House:
    """The house, with all that both processes know in Redis."""
    numbers = built.redis.client.pubsub_numsub
    wait_until(lambda: numbers(MAPPINGS_UPDATES)[0][1] == 2, "both listen", timeout_s=30)
    built.all_read()
    wait_until(lambda: all(built.health()["version"] == built.version() for _ in range(8)), "both know the same")
    assert built.health()["status"] == "ok", built.health()
    return built


def test_a_redis_that_comes_back_empty_gets_the_mappings_back(house: House) -> None:
    """No call fails, before or after; the catalogue stands in Redis again, newer than before, and one line says so."""
    before, version = house.stored(), house.version()
    said_before = house.gateway.log_with().count("written back")
    house.redis.kill()
    assert house.serves()
    wait_until(lambda: house.health()["status"] == "degraded", "it is seen")
    assert house.health()["reasons"] == ["Redis does not answer"]
    house.redis.dump.unlink(missing_ok=True)
    house.redis.start()
    while house.stored() != before:
        reply = house.gateway.request("GET", "/up/x")
        assert reply.status == 200, (reply.body, house.health())
    assert house.version() > version
    wait_until(lambda: house.health()["status"] == "ok", "all is well")
    old = set(house.gateway.worker_pids())
    house.gateway.process.send_signal(signal.SIGHUP)  # who ends has written all that it said
    wait_until(lambda: not old & set(house.gateway.worker_pids()), "both are replaced", timeout_s=30)
    assert house.gateway.log_with().count("written back") - said_before == 1


def test_an_evicted_hash_is_written_back(house: House) -> None:
    """The version is kept and the hash gone: a web process that then starts anew serves the mappings too."""
    before = house.stored()
    house.redis.client.delete(MAPPINGS)
    dead = house.gateway.worker_pids()[0]
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: len(pids := house.gateway.worker_pids()) == 2 and dead not in pids, "another one starts")
    wait_until(lambda: house.stored() == before, "it is written back")
    wait_until(lambda: all(house.serves() for _ in range(20)), "both serve it")


def test_a_gateway_that_starts_beside_a_loss_seeds_nothing(house: House) -> None:
    """Other machines know the catalogue, so the one that starts gets it from them instead of the defaults."""
    before = house.stored()
    house.redis.client.flushall()
    other = GatewayProcess(house.redis.url, {"ENABLE_STATS": "false"})
    try:
        other.start()
        wait_until(lambda: other.request("GET", "/up/x").status == 200, "it serves what the others know")
        assert "seeded" not in other.final_log()
    finally:
        other.stop()
    assert house.stored() == before


def test_an_operator_empties_it_with_a_new_version(house: House) -> None:
    """DEL with INCR of the version is his word, and what he then writes back stands."""
    before = house.stored()
    with house.redis.client.pipeline() as pipe:
        pipe.delete(MAPPINGS).incr(MAPPINGS_VERSION).execute()
    wait_until(lambda: house.health()["mappings"] == 0, "it is empty")
    assert not house.stored()
    with house.redis.client.pipeline() as pipe:
        pipe.hset(MAPPINGS, mapping=before).incr(MAPPINGS_VERSION).execute()
    wait_until(lambda: all(house.serves() for _ in range(20)), "it is full again")


def test_a_restored_backup_waits_for_the_operator(house: House) -> None:
    """An older state is served by nobody, and /health says why, until reload takes it in all processes."""
    house.redis.client.save()
    house.gateway.admin("POST", "/api/mappings", {"prefix": "/later", "target": "http://127.0.0.1:1"})
    version = house.version()
    house.all_read()
    house.redis.kill()
    house.redis.start()  # it reads the older file
    assert house.version() < version
    wait_until(lambda: all("older state" in str(house.health()["reasons"]) for _ in range(8)), "both see it")
    for _ in range(8):
        assert house.gateway.request("GET", "/later/x").status == 502
        assert house.serves()
    assert house.health()["status"] == "degraded"
    assert b"/later" not in house.stored()
    assert house.gateway.admin("POST", "/api/mappings/reload").status == 200
    wait_until(
        lambda: all(house.gateway.request("GET", "/later/x").status == 404 for _ in range(8)), "both have taken it"
    )
    assert house.version() > version
    assert house.serves()
    wait_until(lambda: all(house.health()["status"] == "ok" for _ in range(8)), "all is well")


def test_a_start_after_a_loss_serves_the_defaults_and_says_so(tmp_path: Path) -> None:
    """The version is kept, the hash gone, nobody knows it: something is served, and /health says so until reload."""
    redis = BareRedis(tmp_path)
    gateway = GatewayProcess(redis.url, {"ENABLE_STATS": "false"})
    try:
        seed(redis.client, {"/mine": "https://mine.example"})
        redis.client.delete(MAPPINGS)
        gateway.start()
        health = gateway.request("GET", "/health").json()
        assert (health["status"], health["mappings"]) == ("degraded", len(DEFAULT_MAPPINGS))
        [reason] = health["reasons"]
        assert reason.startswith("Redis lost the mappings while no gateway ran")
        assert gateway.admin("POST", "/api/mappings/reload").status == 200
        assert gateway.request("GET", "/health").json()["status"] == "ok"
        assert gateway.final_log().count("Redis lost the mappings") == 1
    finally:
        gateway.stop()
        redis.close()
