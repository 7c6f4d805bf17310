"""An upstream that answers keys as a test says, and tasks that are done in the test's own process.

Nothing is patched there: what a task asks are gevent's sockets, and what it waits for beside them holds up its thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from app.config import load_config
from app.core.model import Channel
from app.gateway import Gateway, build_gateway
from app.storage.catalog import channels
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.tasks.stored import StoredTasks
from app.storage.tasks.task import Task, TaskState
from tests.support.channel_story import GOOD, Answer, fails
from tests.support.channels import said_of_channel
from tests.support.upstream import Peer, Upstream
from worker.tasks.kinds import KINDS
from worker.tasks.running import HOLD_MS, Running

Trying = Callable[..., Gateway]
INVALID = fails(401, "invalid_api_key")


class KeyedUpstream(Upstream):
    """Answers each key as was said of it, any other well."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.tried: list[str] = []
        """Keys, in the order in which they came."""
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        super().__init__(handler=self._answer)

    def _answer(self, peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            key = (seen.field("authorization") or "").removeprefix("Bearer ")
            with self._lock:
                self.tried.append(key)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                self.answers.get(key, GOOD)(peer)
            finally:
                with self._lock:
                    self._at_once -= 1


def hold(event: threading.Event) -> Answer:
    """A good answer, once the event is set."""

    def answer(peer: Peer) -> None:
        event.wait(60)
        GOOD(peer)

    return answer


def hours_of_others() -> str:
    """A minute of the day that is half a day away."""
    begin = (time.time_ns() // 60_000_000_000 + 720) % 1440
    end = (begin + 1) % 1440
    return f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02} UTC"


def add_keyed(house: Gateway, upstream: Upstream, keys: list[str], **said: Any) -> Channel:
    """A channel with these keys; the first has the id 1 on an empty Redis."""
    known = said_of_channel(**({"name": "one", "urls": [{"url": upstream.url}]} | said))
    channel = channels.add(house.catalog, known, lambda channel: None)
    house.key_edits.add(channel.id, keys)
    return channel


def claimed(house: Gateway, task: Task) -> Running:
    """The task, as the process that does it has it."""
    stored = StoredTasks(house.redis)
    return Running(stored, house, task.id, stored.claim(task.id, HOLD_MS, 5))


def do(house: Gateway, kind: str, channel_id: str = "", **arguments: Any) -> tuple[Running, Mapping[str, Any]]:
    """A task that is ordered and done at once, and its result."""
    running = claimed(house, house.tasks.order(kind, channel_id, arguments))
    result = KINDS[kind](running)
    running.finish(TaskState.DONE, result)
    return running, result


@pytest.fixture
def keyed() -> Iterator[KeyedUpstream]:
    upstream = KeyedUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def trying(own_server: EmbeddedRedis, own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trying]:
    """Begins what the tasks process has, with environment variables of its own."""
    clients: list[Redis] = []
    started: list[Gateway] = []

    def opened(url: str, **options: Any) -> Redis:
        clients.append(open_redis(url, **options))
        return clients[-1]

    def start(**environ: str) -> Gateway:
        usual = {"REDIS_URL": own_server.url, "ENABLE_STATS": "false", "EGRESS_ALLOW": "127.0.0.1"}
        gateway = build_gateway(load_config(usual | environ))
        gateway.catalog.on_change = lambda snapshot: None  # what keeps keys and health begins here
        gateway.catalog.load()
        gateway.choosing.pools.start()
        gateway.health_keeper.start()
        started.append(gateway)
        return gateway

    monkeypatch.setattr("app.gateway.open_redis", opened)
    yield start
    for gateway in started:
        gateway.health_keeper.stop()
        gateway.choosing.pools.stop()
        gateway.engine.transport.close()
    for client in clients:
        client.close()
