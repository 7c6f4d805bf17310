"""Statistics equal the request log by whatever they are told apart, also where workers are killed while they write."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.request_log.rows import LogRow
from app.core.statistics.sums.question import BY
from app.storage.connections import LOG_WAITING, STATS_EVENTS, Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.added_up import added_up, told
from tests.support.api_calls import BEARER, TOKEN, Accounts
from tests.support.callers import Callers
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until
from tests.support.worker_process import spawn_worker

pytestmark = [pytest.mark.soak, pytest.mark.own_server, pytest.mark.timeout(180)]

GOOD = b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}'
KILLS, CLIENTS = 6, 4


def answer(peer: Peer) -> None:
    """The first account is slow down, now and then; some calls fail everywhere."""
    while (seen := peer.read_request()) is not None:
        if b"bad" in seen.body:
            peer.answer(b'{"error": {"message": "boom"}}', "500 Oh")
        elif seen.field("authorization") == "Bearer sk-first-0001" and random.random() < 0.3:
            peer.answer(b"{}", "408 Later")
        else:
            peer.answer(GOOD)


@pytest.fixture
def gateway(own_server: EmbeddedRedis, tmp_path: Path) -> Iterator[GatewayProcess]:
    upstream = Upstream(answer)
    environ = {"JOURNAL_DIR": str(tmp_path / "journals"), "AUTH_KEY": TOKEN, "WEB_CONCURRENCY": "2"}
    gateway = GatewayProcess(own_server.url, environ).start()
    accounts = Accounts(gateway, upstream)
    models = [{"name": name} for name in ("m", "M", "other")]
    accounts.add("first", ["sk-first-0001"], priority=1, models=models)
    accounts.add("second", ["sk-second-0002"], models=models)
    gateway.map("/up", upstream.url)
    gateway.admin("PUT", "/api/settings", {"cooldown_min_s": 1})
    yield gateway
    gateway.stop()
    upstream.close()


class Load(Callers):
    """Clients that call without a pause, channels and a mapping."""

    def __init__(self, gateway: GatewayProcess) -> None:
        super().__init__(CLIENTS)
        self._gateway = gateway

    def call(self, number: int) -> None:
        chosen = random.Random(number)
        while not self.stopping.wait(0.01):
            model = chosen.choice(("m", "M", "other", "nobody-has-it"))
            body = f'{{"model": "{model}", "user": "{chosen.choice(("good", "good", "bad"))}"}}'
            path = chosen.choice(("/v1/chat/completions", "/v1/chat/completions", "/up/x"))
            headers = BEARER if chosen.random() < 0.9 else {"Authorization": "Bearer nobody"}
            self._gateway.request("POST", path, body, headers)


def test_statistics_equal_the_log_after_kills(
    gateway: GatewayProcess, own_server: EmbeddedRedis, own_redis: Redis
) -> None:
    """Of totals and of each row, by each thing that rows are told apart by, and by two at once."""
    workers = [spawn_worker(own_server.url)]
    try:
        with Load(gateway):
            for _ in range(KILLS):
                time.sleep(random.uniform(1.5, 2.5))
                workers[-1].kill()
                workers.append(spawn_worker(own_server.url))
        wait_until(lambda: is_all_written(gateway, own_redis), "all is written", 60)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    rows = log_of(gateway)
    assert len(rows) > 200
    for by in (*((one,) for one in BY if one != "key"), ("channel", "key"), ("channel", "model"), ("token", "mapping")):
        answer = gateway.admin("GET", f"/api/stats?range=24h&limit=500&by={','.join(by)}").json()
        wanted = {group: sum for group, sum in added_up(rows, by).items() if sum["requests"] or sum["attempts"]}
        fields = [BY[one][0] for one in by]
        assert {tuple(row[field] for field in fields): told(row) for row in answer["rows"]} == wanted
        (whole,) = added_up(rows, ()).values()
        assert told(answer["totals"]) == whole


def is_all_written(gateway: GatewayProcess, client: Redis) -> bool:
    waits = client.llen(STATS_EVENTS), client.llen(LOG_WAITING)
    count = gateway.admin("GET", "/api/logs/count").json().get("count")
    time.sleep(1.0)
    return waits == (0, 0) and count == gateway.admin("GET", "/api/logs/count").json().get("count")


def log_of(gateway: GatewayProcess) -> list[LogRow]:
    """All rows, as the API tells them."""
    found: list[LogRow] = []
    after = ""
    while True:
        answer = gateway.admin("GET", f"/api/logs?limit=500&after={after}").json()
        found += [_row(one) for one in answer["logs"]]
        after = answer["next"]
        if not after:
            return found


def _row(answer: dict[str, Any]) -> LogRow:
    usage = answer["usage"]
    counts = [usage[name] for name in ("input", "cached", "cache_write_5m", "cache_write_1h", "output", "reasoning")]
    known = {name: answer[name] or "" for name in ("token_id", "mapping", "channel_id", "key_id", "dialect", "model")}
    nano = None if answer["cost_usd"] is None else round(float(answer["cost_usd"]) * 1e9)
    return LogRow(
        answer["at_ms"],
        answer["request_id"],
        answer["attempt"],
        answer["final"],
        **known,
        outcome=answer["outcome"],
        usage=counts,
        cost_nano=nano,
    )
