"""A channel with 100,000 keys among 100 channels: what is done to all of them makes no event of any stream late."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import GatewayProcess, Reply
from tests.support.own_redis import running_redis
from tests.support.stream_watch import Load, Seen, streaming_upstream, streams
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until
from tests.support.worker_process import spawn_worker

TOKEN = "a-token-of-ours-0123456789"
CHANNELS = 100
MANY = 100_000
STREAMS = 200
EACH_S = 0.1
"""Between two events of a stream."""
QUIET_S = 5.0
"""Before anything is done."""
LATE_MS = 20.0
KEYS = [f"sk-proj-{number:092}" for number in range(MANY)]
DEAD = int(os.environ.get("DEAD_KEYS", "4000"))
"""Keys that their upstream knows no more. 100,000 of them take six minutes."""
VALIDATION_S = DEAD / 400
FOR_S = 86.0 + VALIDATION_S
pytestmark = [pytest.mark.own_server, pytest.mark.soak, pytest.mark.timeout(FOR_S + 310)]

GONE = b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}'


@pytest.fixture
def gateway_and_load(tmp_path: Path) -> Iterator[tuple[GatewayProcess, Load]]:
    """With channels whose upstream sends streams, the first of them without a key, and one whose upstream knows no key;
    and a worker."""
    with (
        running_redis(tmp_path) as server,
        streaming_upstream() as (url, upstream),
        closing(Upstream(handler=know_no_key)) as other,
    ):
        environ = {"AUTH_KEY": TOKEN, "ENCRYPTION_KEY": "of the test", "PYTHONWARNINGS": "default"}
        gateway = GatewayProcess(server.url, environ).start()
        allowed = {"EGRESS_ALLOW": "127.0.0.0/8", "ENCRYPTION_KEY": "of the test", "LOG_LEVEL": "ERROR"}
        worker = spawn_worker(server.url, **allowed)
        try:
            for number in range(CHANNELS):
                keys = [f"sk-{number}-{key:020}" for key in range(10)] if number else []
                said = {"name": f"channel {number}", "dialects": ["openai"], "urls": [{"url": url}], "keys": keys}
                reply = gateway.admin("POST", "/api/channels", said | {"models": [{"name": "m"}]})
                assert reply.status == 201, reply.body
            said = {"name": "dead", "dialects": ["openai"], "urls": [{"url": other.url}], "models": [{"name": "dead"}]}
            assert gateway.admin("POST", "/api/channels", said).status == 201
            [web] = gateway.worker_pids()
            yield gateway, Load(gateway.port, TOKEN, (upstream, web), STREAMS, EACH_S, FOR_S)
        finally:
            worker.terminate()
            worker.communicate(timeout=20)
            gateway.stop()


def know_no_key(peer: Peer) -> None:
    while peer.read_request():
        peer.answer(GONE, "401 Unauthorized")


def done(gateway: GatewayProcess, reply: Reply) -> dict[str, Any]:
    """The result of the task that was ordered."""
    assert reply.status == 202, reply.body
    number = reply.json()["task"]["id"]

    def ended() -> dict[str, Any] | None:
        task: dict[str, Any] = gateway.admin("GET", f"/api/tasks/{number}").json()["task"]
        return task if task["ended_at_ms"] else None

    task: dict[str, Any] = wait_until(ended, "the task ends", timeout_s=120 + 2 * VALIDATION_S, pause_s=0.2)
    assert task["state"] == "done", task
    return dict(task["result"])


def test_nothing_that_is_done_to_100_000_keys_makes_an_event_of_200_streams_late(
    gateway_and_load: tuple[GatewayProcess, Load],
) -> None:
    """Imports, deletions, lists, exports and validations, one after the other, for as long as the streams last."""
    gateway, load = gateway_and_load
    channels = gateway.admin("GET", "/api/channels?limit=500").json()["channels"]
    ids = {channel["name"]: channel["id"] for channel in channels}
    at, dead = f"/api/channels/{ids['channel 0']}/keys", f"/api/channels/{ids['dead']}/keys"
    body, few = {"text": "\n".join(KEYS)}, {"text": "\n".join(f"sk-dead-{number:040}" for number in range(DEAD))}
    spans: list[tuple[str, float]] = []

    def begin(what: str) -> None:
        spans.append((what, time.monotonic()))

    with streams(load) as watching:
        time.sleep(4.0)
        begin("quiet")
        time.sleep(QUIET_S)
        while not watching.done() and time.monotonic() - spans[0][1] < FOR_S - 30:
            begin("import")
            assert done(gateway, gateway.admin("POST", at, body))["added"] == MANY
            begin("lists")
            assert gateway.admin("GET", f"{at}?limit=500&q=0099").json()["count"] > 0
            assert gateway.admin("GET", f"{at}?q={KEYS[77]}").json()["count"] == 1
            begin("export")
            assert gateway.admin("GET", f"{at}/export").body.count(b"\n") == MANY
            begin("change of one")
            key = gateway.admin("GET", f"{at}?limit=1").json()["keys"][0]["id"]
            for number in range(20):
                assert gateway.admin("PUT", f"{at}/{key}", {"note": f"note {number}"}).status == 200
            begin("deletion")
            deleted = done(gateway, gateway.admin("POST", f"{at}/batch", {"all": True, "action": "delete"}))
            assert deleted["changed"] == MANY
            begin("validation")
            done(gateway, gateway.admin("POST", dead, few))
            done(gateway, gateway.admin("POST", f"{dead}/batch", {"all": True, "action": "validate"}))
            assert gateway.admin("GET", f"{dead}?state=blacklisted").json()["count"] == DEAD
            begin("restoring")
            restored = done(gateway, gateway.admin("POST", f"{dead}/batch", {"all": True, "action": "restore"}))
            assert restored["changed"] == DEAD
        begin("end")
        watched = watching.result()
    assert watched.whole == STREAMS
    worst = worst_ms(spans, watched.events)
    assert max(worst.values()) < LATE_MS, worst


def worst_ms(spans: list[tuple[str, float]], events: list[Seen]) -> dict[str, float]:
    """How late the latest event was while each was done."""
    worst = {what: 0.0 for what, _ in spans[:-1]}
    for (what, from_s), (_, to_s) in pairwise(spans):
        worst[what] = max([worst[what], *(event.late_ms for event in events if from_s <= event.at_s < to_s)])
    return worst
