"""Validations and tries by the clock in real processes: killed, cancelled, with two workers, beside the roll-up."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter

import pytest

from app.core.channels.keys import KeyState
from app.core.choosing.standing import Full
from app.gateway import Gateway
from app.storage.connections import STATS_ROLLED_AT, TASKS
from app.storage.tasks.task import Task, TaskState
from tests.support.launched import NEEDS_PROC
from tests.support.tried_keys import INVALID, KeyedUpstream, Trying, add_keyed, do, hold
from tests.support.waiting import wait_until
from tests.support.worker_process import StartWorker, tasks_process
from worker.checks.clock import REVALIDATE

pytestmark = [NEEDS_PROC, pytest.mark.soak]

KEYS = [f"sk-{number:04d}" for number in range(1, 1001)]
REACHES_US = {"EGRESS_ALLOW": "127.0.0.1"}


def ended(house: Gateway, task: Task) -> Task:
    def look() -> Task | None:
        found = house.tasks.get(task.id)
        return found if found.ended_at_ms else None

    found: Task = wait_until(look, "the task ends", timeout_s=50)
    return found


def test_a_killed_validation_goes_on_where_it_was(
    house: Gateway, keyed: KeyedUpstream, start_worker: StartWorker
) -> None:
    """All keys are told of, as if nothing had been; only the last moments' keys are tried twice."""
    over = threading.Event()
    channel = add_keyed(house, keyed, KEYS)
    keyed.answers = dict.fromkeys(KEYS[::20], INVALID) | {KEYS[699]: hold(over)}
    task = house.tasks.order("validate_keys", channel.id, {})
    worker = start_worker(**REACHES_US)

    def is_saved() -> bool:
        return b'"after":699,' in (house.redis.hget(TASKS + task.id, "place") or b"")

    wait_until(is_saved, "all keys before the one that hangs are through, and it is saved", timeout_s=40)
    wait_until(lambda: house.tasks.get(task.id).done == 999, "so are all others", timeout_s=40)
    os.kill(tasks_process(worker.pid), signal.SIGKILL)
    over.set()
    found = ended(house, task)
    assert (found.state, found.done, found.total) == (TaskState.DONE, 1000, 1000)
    assert found.result == {"tried": 1000, "outcomes": {"ok": 950, "invalid_key": 50}}
    tries = Counter(keyed.tried)
    assert all(tries[key] == 1 for key in KEYS[:699]), "they were through"
    assert set(tries) == set(KEYS)


def test_a_cancelled_validation_stops_within_a_second_and_roll_ups_go_on_meanwhile(
    house: Gateway, keyed: KeyedUpstream, start_worker: StartWorker
) -> None:
    """Though its upstream does not answer: what is under way is broken off, and no key is to blame."""
    over = threading.Event()
    channel = add_keyed(house, keyed, KEYS)
    keyed.answers = dict.fromkeys(KEYS, hold(over))
    task = house.tasks.order("validate_keys", channel.id, {"concurrency": 50, "timeout_s": 100})
    start_worker(**REACHES_US)
    wait_until(lambda: len(keyed.tried) == 50, "fifty keys are tried", timeout_s=40)
    rolled = {house.redis.get(STATS_ROLLED_AT)}
    wait_until(lambda: rolled.add(house.redis.get(STATS_ROLLED_AT)) or len(rolled) > 1, "roll-ups go on", timeout_s=30)
    began_s = time.monotonic()
    house.tasks.cancel(task.id)
    found = ended(house, task)
    took_s = time.monotonic() - began_s
    over.set()
    assert (found.state, found.done) == (TaskState.CANCELLED, 0)
    assert len(keyed.tried) == 50
    assert house.key_edits.ids(channel.id, [KeyState.ACTIVE]) == [str(number) for number in range(1, 1001)]
    assert took_s < 3, "a second, and what a busy machine adds"


def test_two_workers_try_a_blacklisted_key_once(
    trying: Trying, keyed: KeyedUpstream, start_worker: StartWorker
) -> None:
    """Whichever holds the lease; and what came of it is known to other processes."""
    house = trying()
    channel = add_keyed(house, keyed, KEYS[:40])
    keyed.answers = dict.fromkeys(KEYS[:40], INVALID)
    do(house, "validate_keys", channel.id, concurrency=5)
    keyed.tried.clear()
    keyed.answers = {KEYS[0]: INVALID}
    workers = [start_worker(**REACHES_US, REVALIDATE_INTERVAL_S="4") for _ in range(2)]
    wait_until(
        lambda: house.key_edits.ids(channel.id, [KeyState.BLACKLISTED]) == ["1"],
        "this process hears that all but one work again",
        timeout_s=40,
    )
    tried = Counter(keyed.tried)
    assert set(tried) == set(KEYS[:40])
    assert all(tried[key] == 1 for key in KEYS[1:40])
    assert keyed.most_at_once <= 8
    assert sum(tasks_process(worker.pid) > 0 for worker in workers) == 1
    assert {task.kind for task in house.tasks.list()} == {"validate_keys", REVALIDATE}


def test_limits_of_a_channel_hold_over_all_processes(
    trying: Trying, keyed: KeyedUpstream, start_worker: StartWorker
) -> None:
    """What a validation takes of a channel's attempts a minute others lack; it waits for more."""
    house = trying()
    channel = add_keyed(house, keyed, KEYS[:5], requests_per_minute=3)
    task = house.tasks.order("validate_keys", channel.id, {})
    start_worker(**REACHES_US)
    wait_until(lambda: house.tasks.get(task.id).done == 3, "three are tried", timeout_s=40)
    house.engine.tokens.start()
    try:
        assert isinstance(house.choosing.limits.take_channel(channel), Full)
    finally:
        house.engine.tokens.stop()
    assert len(keyed.tried) == 3
    assert house.tasks.get(task.id).state is TaskState.RUNNING
