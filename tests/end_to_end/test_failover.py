"""Another server takes over at Redis's address, and the one before lives on as its replica."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.settings import Limits, Settings
from app.storage.catalog.catalog import POLL_S, Catalog
from app.storage.connections import MAPPINGS_UPDATES, Redis, RedisError, open_redis
from app.storage.refusals import REFUSALS, refusal_of
from app.storage.servers import PAUSE_S
from tests.support.environ import clean_environ
from tests.support.failover import BareRedis, Pair, primary_and_replica, promote
from tests.support.gateway import GUNICORN, ROOT, GatewayProcess
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

GONE_OVER_S = 5.0
"""Within so long everything must use the new primary."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with primary_and_replica(tmp_path) as pair:
        yield pair


@dataclass
class Whole:
    gateway: GatewayProcess
    worker: subprocess.Popen[bytes]
    log: Path

    def healthy(self) -> bool:
        return bool(self.gateway.request("GET", "/health").json()["status"] == "ok")

    def adds(self, prefix: str) -> bool:
        body = {"prefix": prefix, "target": "http://127.0.0.1:1"}
        return self.gateway.admin("POST", "/api/mappings", body).status == 201

    def counted(self) -> int:
        return int(self.gateway.request("GET", "/stats").json()["total"])

    def warnings(self) -> list[str]:
        """What was said of itself, not of a change that an operator asked for."""
        call = self.gateway.request("GET", "/up/x").field("x-request-id")
        lines = self.gateway.log_with(str(call)).splitlines() + self.log.read_text().splitlines()
        return [line for line in lines if (" WARNING " in line or " ERROR " in line) and "routes.admin" not in line]


@pytest.fixture
def whole(pair: Pair, tmp_path: Path) -> Iterator[Whole]:
    """A gateway and a worker, with limits that need Redis, and an upstream under /up."""
    url = pair[0].url
    upstream = Upstream()
    gateway = GatewayProcess(url).start()
    log = tmp_path / "worker.log"
    with log.open("wb") as stderr:
        environ = clean_environ(REDIS_URL=url, API_PROXY_REDIS_URL="")
        worker = subprocess.Popen([sys.executable, "-m", "worker"], cwd=ROOT, env=environ, stderr=stderr)
    gateway.map("/up", upstream.url)
    gateway.admin("PUT", "/api/settings", {"max_concurrency": 50, "requests_per_second": 1000})
    whole = Whole(gateway, worker, log)
    wait_until(whole.healthy, "all is well")
    yield whole
    gateway.stop()
    worker.terminate()
    worker.wait(10)
    upstream.close()


def test_everything_goes_over_to_the_new_primary(whole: Whole, pair: Pair) -> None:
    """Changes, counts and the worker go on within seconds, and no connection to the old one is kept."""
    address, old, new = pair
    assert whole.gateway.request("GET", "/up/x").status == 200
    wait_until(lambda: whole.counted() == 1, "the call is counted")
    promote(address, old, new)
    began_s = time.monotonic()
    wait_until(lambda: whole.adds("/after"), "a change is taken")
    assert whole.gateway.request("GET", "/up/x").status == 200
    wait_until(lambda: whole.counted() == 2, "the call is counted by the new one")
    wait_until(lambda: address.open_to(old) == 0, "the old one's connections are let go")
    wait_until(whole.healthy, "all is well again")
    assert time.monotonic() - began_s < GONE_OVER_S
    assert new.client.hexists("apiproxy:mappings", "/after")
    assert whole.worker.poll() is None


@pytest.mark.soak
def test_an_outage_is_said_once(whole: Whole, pair: Pair) -> None:
    """While the address still leads to the replica calls pass, each keeper says once what that means, no one dies."""
    address, old, new = pair
    promote(address, old, new, address_follows=False)
    until_s = time.monotonic() + 4
    while time.monotonic() < until_s:
        assert whole.gateway.request("GET", "/up/x").status == 200
        assert not whole.adds("/never")
        time.sleep(0.1)
    said = whole.warnings()
    assert said
    assert all("READONLY" in line or "read only" in line for line in said), said
    assert len({line.split()[3] for line in said}) == len(said), "\n".join(said)  # the name of who says it
    address.server = new
    began_s = time.monotonic()
    wait_until(lambda: whole.adds("/after"), "a change is taken")
    wait_until(whole.healthy, "all is well again")
    wait_until(lambda: address.open_to(old) == 0, "the old one's connections are let go")
    assert time.monotonic() - began_s < GONE_OVER_S
    assert whole.worker.poll() is None


def test_one_refusal_counts_for_the_whole_process(pair: Pair) -> None:
    """A client that only reads, and so hears of nothing, is led to the new server by another one's refusal."""
    address, old, new = pair
    with open_redis(address.url) as reader, open_redis(address.url) as writer:
        assert reader.get("a") is None
        assert writer.set("a", "old")
        promote(address, old, new)
        assert reader.config_get("port")["port"] == str(old.port)
        with pytest.raises(RedisError, match="read only"):
            writer.set("a", "new")
        wait_until(lambda: writer.set("a", "new"), "the write goes over")
        assert reader.config_get("port")["port"] == str(new.port)
        assert address.open_to(old) == 0


def test_a_change_of_server_that_comes_late_is_followed(pair: Pair) -> None:
    """What was connected anew before the address led elsewhere is given up as well, though nothing refuses then."""
    address, old, new = pair
    with open_redis(address.url) as reader, open_redis(address.url) as writer:
        promote(address, old, new, address_follows=False)
        for _ in range(2):
            with pytest.raises(RedisError, match="read only"):
                writer.set("a", "b")
            reader.get("a")
        address.server = new
        wait_until(lambda: reader.config_get("port")["port"] == str(new.port), "the reader goes over", PAUSE_S + 1)


@pytest.mark.soak
def test_a_process_that_only_reads_goes_over_too(pair: Pair) -> None:
    """Nothing is refused to it, so it asks as a writer does; then its channel and its readings are the new one's."""
    address, old, new = pair
    here = Catalog(open_redis(address.url), Limits(), Settings())
    here.start()
    try:
        wait_until(lambda: address.open_to(old) == 2, "it reads and listens")
        promote(address, old, new)
        wait_until(lambda: address.open_to(old) == 0, "it goes over", POLL_S + GONE_OVER_S)
        wait_until(lambda: new.client.pubsub_numsub(MAPPINGS_UPDATES)[0][1] == 1, "it listens there")
    finally:
        here.stop()


def refusal(client: Redis) -> str | None:
    try:
        client.ping()
    except RedisError as error:
        return refusal_of(error)
    return None


def test_a_changed_password_is_a_refusal(pair: Pair) -> None:
    """When the password was changed the error says so, and with the right one back all goes on."""
    address, old, _ = pair
    with open_redis(address.url.replace("redis://", "redis://:one@")) as client:
        old.client.config_set("requirepass", "one")
        assert client.ping()
        old.client.config_set("requirepass", "two")
        old.client.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: refusal(client) == REFUSALS["WRONGPASS"], "the end of the connection has been noticed")
        old.client.config_set("requirepass", "one")
        assert client.ping()


@pytest.mark.parametrize("command", [["-m", "worker"], ["-m", "app"], GUNICORN[1:]], ids=["worker", "app", "gunicorn"])
def test_a_start_with_a_wrong_password_ends_at_once(tmp_path: Path, command: list[str]) -> None:
    """Waiting does not mend it: the process ends with 1 and one line that says so, without the password."""
    server = BareRedis(tmp_path)
    server.client.config_set("requirepass", "right")
    url = server.url.replace("redis://", "redis://:hush@")
    environ = clean_environ(REDIS_URL=url, API_PROXY_REDIS_URL="", PORT="0")
    began_s = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=25
        )
    finally:
        server.close()
    assert done.returncode == 1
    assert time.monotonic() - began_s < 10
    assert "refuses: the user name or the password is wrong" in done.stderr
    assert "does not answer" not in done.stderr
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr
