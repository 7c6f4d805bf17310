"""An import of many keys lives through kills: no key is there twice, and none is lost that was told as added."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import kill, own_redis, own_server, revive
from tests.support.waiting import wait_until
from tests.support.worker_process import has_ended, spawn_worker, tasks_process

__all__ = ["own_redis", "own_server"]
pytestmark = [pytest.mark.own_server, pytest.mark.soak]

WORDS = "a key that encrypts what the import leaves in Redis"


class Scene:
    """A gateway and a worker, and what may be killed of them."""

    def __init__(self, server: EmbeddedRedis) -> None:
        self.server = server
        self.gateway = GatewayProcess(server.url, {"ENCRYPTION_KEY": WORDS}).start()
        self.worker = self._spawn()

    def _spawn(self) -> subprocess.Popen[str]:
        return spawn_worker(self.server.url, ENCRYPTION_KEY=WORDS, LOG_LEVEL="ERROR")

    def kill(self, what: str) -> None:
        match what:
            case "tasks":
                if pid := tasks_process(self.worker.pid):
                    os.kill(pid, signal.SIGKILL)
            case "web":
                for pid in self.gateway.worker_pids():
                    os.kill(pid, signal.SIGKILL)
            case "worker":
                self._end_worker()
                self.worker = self._spawn()
            case "redis":
                kill(self.server)
                revive(self.server)

    def get(self, path: str) -> Any:
        """As soon as there is an answer again."""

        def look() -> Any:
            with suppress(OSError):
                reply = self.gateway.admin("GET", path)
                return reply if reply.status == 200 else None
            return None

        return wait_until(look, f"{path} is answered", timeout_s=30)

    def has(self, channel_id: str, count: int) -> bool:
        """As a web process knows it, that may just have begun."""
        return int(self.get(f"/api/channels/{channel_id}").json()["channel"]["keys"]["total"]) >= count

    def _end_worker(self) -> None:
        pid = tasks_process(self.worker.pid)
        self.worker.kill()
        self.worker.wait()
        wait_until(lambda: has_ended(pid), "its tasks process has ended")
        assert self.worker.stderr is not None
        self.worker.stderr.close()

    def stop(self) -> None:
        self._end_worker()
        self.gateway.stop()


@pytest.fixture
def scene(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Scene]:
    scene = Scene(own_server)
    yield scene
    scene.stop()


def live_through(scene: Scene, kills: list[str], count: int) -> None:
    """The kills hit an import of so many keys, each some time after the one before."""
    dice = random.Random(count)
    keys = [f"sk-{number:032d}" for number in range(count)]
    channel = add_channel(scene.gateway, keys=keys[:100])["id"]
    reply = scene.gateway.admin("POST", f"/api/channels/{channel}/keys", {"text": "\n".join([*keys, *keys[-50:]])})
    assert reply.status == 202, reply.body
    path = f"/api/tasks/{reply.json()['task']['id']}"
    wait_until(lambda: scene.get(path).json()["task"]["done"], "the import has begun", timeout_s=30)
    for what in kills:
        time.sleep(dice.uniform(0.0, 0.3))
        told = scene.get(path).json()["task"]["done"]
        scene.kill(what)
        wait_until(partial(scene.has, channel, min(told, count)), f"the {told} told before {what}'s end are there", 60)
    task = wait_until(lambda: _ended(scene.get(path).json()["task"]), "the import ends", timeout_s=90)
    assert (task["state"], task["result"]) == (
        "done",
        {"added": count - 100, "duplicates": 150, "total": count},
    )
    assert sorted(scene.get(f"/api/channels/{channel}/keys/export").body.decode().split()) == keys


def _ended(task: dict[str, Any]) -> dict[str, Any] | None:
    return task if task["ended_at_ms"] else None


def test_an_import_lives_through_a_kill_of_each(scene: Scene, own_redis: Redis) -> None:
    """And nothing of what was imported is left in Redis in plain text, nor its input at all."""
    live_through(scene, ["tasks", "web", "redis"], 12_000)
    assert own_redis.keys("apiproxy:{tasks}:input:*") == []


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_an_import_lives_through_many_kills(scene: Scene) -> None:
    dice = random.Random(7)
    live_through(scene, dice.choices(["tasks", "web", "redis", "worker"], k=24), 100_000)
