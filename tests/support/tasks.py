"""Tasks in the test's own process: ordered as a web process does it, done as the tasks process does. For a conftest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.config import load_config
from app.core.model import Channel
from app.gateway import Gateway, build_gateway
from app.storage.catalog import channels
from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from app.storage.tasks.task import Task
from tests.support.channels import said_of_channel
from tests.support.waiting import wait_until
from worker.tasks.runner import Runner

Run = Callable[[Task], Task]
"""Does a task as the tasks process does, and returns what is told of it then."""


@pytest.fixture
def house(own_server: EmbeddedRedis, own_redis: Redis) -> Gateway:
    """What a web process has, on the emptied server; nothing of it is started."""
    gateway = build_gateway(load_config({"REDIS_URL": own_server.url, "ENABLE_STATS": "false"}))
    gateway.catalog.on_change = lambda snapshot: None  # its keepers would write back what the next test's Redis lacks
    gateway.catalog.load()
    return gateway


@pytest.fixture
def channel(house: Gateway) -> Channel:
    return channels.add(house.catalog, said_of_channel("one"), lambda channel: None)


@pytest.fixture
def run(house: Gateway) -> Run:
    runner = Runner(house, "")

    def run(task: Task) -> Task:
        runner.begin(task.id)
        wait_until(lambda: runner.is_idle, "the task has come to an end", timeout_s=30)
        return house.tasks.get(task.id)

    return run
