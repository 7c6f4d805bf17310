"""The tasks process: there while it is needed, started again when it dies, and gone with its worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from app.config import load_config
from app.core.model import Channel
from app.gateway import Gateway
from app.storage.connections import TASKS, Redis, RedisError
from app.storage.tasks.task import OPEN, Task, TaskState
from tests.support.launched import NEEDS_PROC
from tests.support.waiting import wait_until
from tests.support.worker_process import StartWorker, has_ended, tasks_process
from worker.tasks import keeper

pytestmark = [NEEDS_PROC, pytest.mark.soak]

KEYS = [f"sk-{number:032d}" for number in range(20_000)]


def order(house: Gateway, channel: Channel, keys: Sequence[str] = KEYS) -> Task:
    text = "\n".join(keys).encode()
    pieces = [text[begin : begin + 65536] for begin in range(0, len(text), 65536)]
    return house.tasks.order("import_keys", channel.id, {"format": "text", "field": "text"}, len(keys), pieces)


def ended(house: Gateway, task: Task) -> Task:
    def look() -> Task | None:
        with suppress(RedisError):
            found = house.tasks.get(task.id)
            return found if found.ended_at_ms else None
        return None

    found: Task = wait_until(look, "the task ends", timeout_s=60)
    return found


def stored_keys(house: Gateway, channel: Channel) -> list[str]:
    edits = house.key_edits
    return [key.secret for keys in edits.export(channel.id, edits.ids(channel.id)) for key in keys]


def begun(house: Gateway, task: Task) -> None:
    wait_until(lambda: house.tasks.get(task.id).done, "the task gets on", timeout_s=30, pause_s=0.002)


def test_keys_are_imported_and_none_is_there_twice(house: Gateway, channel: Channel, start_worker: StartWorker) -> None:
    """Those of before and those given twice are told as duplicates."""
    house.key_edits.add(channel.id, KEYS[:10])
    start_worker()
    found = ended(house, order(house, channel, [*KEYS[:3000], *KEYS[:5]]))
    assert (found.state, found.done, found.total) == (TaskState.DONE, 3005, 3005)
    assert found.result == {"added": 2990, "duplicates": 15, "total": 3000}
    assert stored_keys(house, channel) == KEYS[:3000]


def test_a_task_is_done_though_nobody_reads_the_log(
    house: Gateway, channel: Channel, own_redis: Redis, start_worker: StartWorker
) -> None:
    """The tasks process writes where its worker does, a pipe that is full, and has to tell of lost connections."""
    worker = start_worker(LOG_LEVEL="DEBUG")
    writer = os.open(f"/proc/{worker.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while os.write(writer, b"x" * 4096):
            pass
    os.close(writer)
    for begin in range(0, 3000, 1000):
        assert ended(house, order(house, channel, KEYS[begin : begin + 1000])).state is TaskState.DONE
        for client in own_redis.client_list():
            if client["cmd"] == "blpop":
                own_redis.client_kill(client["addr"])


def test_a_killed_tasks_process_is_replaced_and_the_task_goes_on(
    house: Gateway, channel: Channel, start_worker: StartWorker
) -> None:
    """No key is there twice, none is missing, and it is told which were added: all but those that were there."""
    house.key_edits.add(channel.id, KEYS[100:110])
    worker, task = start_worker(), order(house, channel)
    begun(house, task)
    os.kill(tasks_process(worker.pid), signal.SIGKILL)
    found = ended(house, task)
    assert found.result == {"added": 19_990, "duplicates": 10, "total": 20_000}
    assert sorted(stored_keys(house, channel)) == KEYS


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_what_a_stopped_or_killed_worker_leaves_another_takes_up(
    house: Gateway, channel: Channel, start_worker: StartWorker, how: signal.Signals
) -> None:
    """And no process of its lives on."""
    worker, task = start_worker(), order(house, channel)
    begun(house, task)
    pid = tasks_process(worker.pid)
    worker.send_signal(how)
    worker.wait(20)
    wait_until(lambda: has_ended(pid), "the tasks process has ended")
    assert house.tasks.get(task.id).state in OPEN
    start_worker()
    found = ended(house, task)
    assert found.result == {"added": 20_000, "duplicates": 0, "total": 20_000}
    assert sorted(stored_keys(house, channel)) == KEYS


def test_two_workers_do_a_task_once(house: Gateway, channel: Channel, start_worker: StartWorker) -> None:
    for _ in range(2):
        start_worker()
    found = ended(house, order(house, channel))
    assert found.result == {"added": 20_000, "duplicates": 0, "total": 20_000}


def test_a_running_task_is_cancelled_and_tells_what_it_did(
    house: Gateway, channel: Channel, start_worker: StartWorker
) -> None:
    start_worker()
    task = order(house, channel)
    begun(house, task)
    house.tasks.cancel(task.id)
    found = ended(house, task)
    assert found.state is TaskState.CANCELLED
    assert found.result is not None
    assert len(stored_keys(house, channel)) == found.result["added"] < len(KEYS)


def test_no_process_is_there_without_a_task(house: Gateway, start_worker: StartWorker) -> None:
    worker = start_worker()
    assert worker.stderr is not None
    while "ready" not in worker.stderr.readline():
        pass
    wait_until(lambda: house.redis.get("apiproxy:{stats}:rolled_at"), "it has rolled up")
    assert tasks_process(worker.pid) == 0


def test_a_process_that_hangs_is_killed_and_replaced(
    house: Gateway,
    channel: Channel,
    own_redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It lives, and its task says nothing any more."""
    worker = keeper.TasksKeeper(own_redis, house.config, lambda: True)
    task = order(house, channel)

    def look() -> Task:
        worker.look()
        return house.tasks.get(task.id)

    try:
        wait_until(lambda: look().done, "the task gets on", 30)
        os.kill(tasks_process(os.getpid()), signal.SIGSTOP)
        monkeypatch.setattr(keeper, "SILENT_S", 0.2)
        own_redis.hset(TASKS + task.id, "until_ms", 0)  # as it is 8 s later
        wait_until(lambda: look().ended_at_ms, "another does it", 30)
    finally:
        worker.end_process()
    assert house.tasks.get(task.id).result == {"added": 20_000, "duplicates": 0, "total": 20_000}


@pytest.mark.parametrize("keys", [(), ("one key of ours",), ("", "an old key of ours"), ("a new key", "an old one")])
def test_the_process_encrypts_as_its_worker_does(house: Gateway, own_redis: Redis, keys: tuple[str, ...]) -> None:
    """Whatever is written into `.env` after the worker's start: the web processes do not know of that either."""
    config = replace(house.config, encryption_keys=keys)
    environ = keeper.TasksKeeper(own_redis, config, lambda: True).environ
    assert load_config(environ).encryption_keys == keys
    assert load_config(environ).redis_url == house.config.redis_url
    assert environ["ENCRYPTION_KEY"], "an empty value would let a file speak"
