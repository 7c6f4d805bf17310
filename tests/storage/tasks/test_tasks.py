"""Tasks as an operator and a process that does them see them, by the same Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.storage.connections import TASKS, TASKS_ENDED, TASKS_INPUT, Redis
from app.storage.secrets import Secrets
from app.storage.tasks.stored import KEPT_OF_A_KIND, StoredTasks
from app.storage.tasks.task import TaskNotFound, TaskRunning, TaskState
from app.storage.tasks.tasks import Tasks
from tests.support.waiting import wait_until

HOLD_MS = 60_000
SECRETS = Secrets(["a key to encrypt with"], rounds=1)


@pytest.fixture
def tasks(own_redis: Redis) -> Tasks:
    return Tasks(own_redis, SECRETS)


@pytest.fixture
def stored(own_redis: Redis) -> StoredTasks:
    return StoredTasks(own_redis)


def test_an_order_waits_with_what_was_said(tasks: Tasks, stored: StoredTasks) -> None:
    ordered = tasks.order("import_keys", "7", {"note": "mine"}, 12)
    assert (ordered.state, ordered.done, ordered.total, ordered.result) == (TaskState.QUEUED, 0, 12, None)
    assert (ordered.started_at_ms, ordered.ended_at_ms) == (None, None)
    assert tasks.list() == [ordered]
    assert stored.waiting() == [ordered.id]
    claimed = stored.claim(ordered.id, HOLD_MS, 5)
    assert (claimed["kind"], claimed["channel_id"], claimed["arguments"]) == ("import_keys", "7", '{"note":"mine"}')
    running = tasks.get(ordered.id)
    assert running.state is TaskState.RUNNING
    assert running.started_at_ms
    assert not stored.waiting()


def test_of_a_kind_one_is_open_for_a_channel(tasks: Tasks, stored: StoredTasks) -> None:
    """Other channels and other kinds do not wait for it, and it is out of the way when it has ended."""
    first = tasks.order("import_keys", "7", {})
    tasks.order("import_keys", "8", {})
    tasks.order("delete_keys", "7", {})
    with pytest.raises(TaskRunning, match=first.id):
        tasks.order("import_keys", "7", {}, pieces=[b"sk-1"])
    claim = stored.claim(first.id, HOLD_MS, 5)["claim"]
    with pytest.raises(TaskRunning):
        tasks.order("import_keys", "7", {})
    assert stored.finish(first.id, claim, TaskState.DONE, {"done": 1})
    tasks.order("import_keys", "7", {})


def test_one_process_has_a_task_and_who_lost_it_changes_it_no_more(tasks: Tasks, stored: StoredTasks) -> None:
    """A silent process loses it; whoever takes it up begins where the last word was, and is the only one heard."""
    id = tasks.order("import_keys", "7", {}, 10).id
    old = stored.claim(id, 1, 5)
    wait_until(lambda: stored.waiting() == [id], "the claim has ended")
    assert tasks.get(id).state is TaskState.QUEUED
    assert "in the middle" in tasks.get(id).message
    assert stored.tell(id, old["claim"], HOLD_MS, {"done": 4, "place": '{"next":4}'}, got_on=True) == 1
    assert stored.claim(id, HOLD_MS, 5) == {}
    stored.tell(id, old["claim"], 0, {}, got_on=False)
    new = wait_until(lambda: stored.claim(id, HOLD_MS, 5), "another has it")
    assert (new["done"], new["place"]) == ("4", '{"next":4}')
    assert stored.tell(id, old["claim"], HOLD_MS, {"done": 9}, got_on=True) == 0
    assert not stored.finish(id, old["claim"], TaskState.FAILED, {"done": 9})
    assert tasks.get(id).done == 4
    assert stored.finish(id, new["claim"], TaskState.DONE, {"done": 10}, {"added": 10})
    ended = tasks.get(id)
    assert (ended.state, ended.done, ended.result) == (TaskState.DONE, 10, {"added": 10})
    assert ended.ended_at_ms


def test_a_task_that_kills_its_process_again_and_again_fails(tasks: Tasks, stored: StoredTasks) -> None:
    """One that gets on in between may be begun as often as it takes."""
    id = tasks.order("import_keys", "7", {}).id
    for _ in range(2):
        for _ in range(3):
            claim = wait_until(lambda: stored.claim(id, 1, 3), "it is begun")["claim"]
        stored.tell(id, claim, 1, {"done": 1}, got_on=True)
    for _ in range(3):
        wait_until(lambda: stored.claim(id, 1, 3), "it is begun")
    wait_until(lambda: stored.claim(id, 1, 3) == {} and tasks.get(id).state is TaskState.FAILED, "it is given up")
    assert "begun 3 times" in tasks.get(id).message
    assert not stored.waiting()


def test_an_input_is_sealed_while_the_task_is_open_and_gone_then(
    tasks: Tasks, stored: StoredTasks, own_redis: Redis
) -> None:
    """However it ends: by itself, by an operator before or after it began, or because another was in its way."""
    given = [b"sk-canary-1\n", "sealed key 密钥\xff".encode()]
    by_itself = tasks.order("import_keys", "1", {}, pieces=given).id
    assert list(tasks.input(by_itself)) == given
    assert b"canary" not in b"".join(own_redis.lrange(TASKS_INPUT + by_itself, 0, -1))
    assert own_redis.ttl(TASKS_INPUT + by_itself) == -1
    stored.finish(by_itself, stored.claim(by_itself, HOLD_MS, 5)["claim"], TaskState.FAILED, {"done": 0})
    waits = tasks.order("import_keys", "2", {}, pieces=given).id
    assert tasks.cancel(waits).state is TaskState.CANCELLED
    orphan = tasks.order("import_keys", "3", {}, pieces=given).id
    stored.claim(orphan, 1, 5)
    wait_until(lambda: stored.waiting() == [orphan], "its process is taken for dead")
    assert tasks.cancel(orphan).state is TaskState.CANCELLED
    tasks.order("import_keys", "4", {})
    with pytest.raises(TaskRunning):
        tasks.order("import_keys", "4", {}, pieces=given)
    assert own_redis.keys(f"{TASKS_INPUT}*") == []


def test_an_input_whose_task_was_never_ordered_goes_by_itself(tasks: Tasks, own_redis: Redis) -> None:
    """As of a web process that was killed while it took it."""

    def pieces() -> Iterator[bytes]:
        yield b"sk-1\n"
        raise SystemExit

    with pytest.raises(SystemExit):
        tasks.order("import_keys", "1", {}, pieces=pieces())
    [left] = own_redis.keys(f"{TASKS_INPUT}*")
    assert 0 < own_redis.ttl(left) <= 600
    assert tasks.list() == []


def test_one_that_runs_ends_as_its_process_hears_that_it_was_cancelled(tasks: Tasks, stored: StoredTasks) -> None:
    id = tasks.order("import_keys", "7", {}).id
    claim = stored.claim(id, HOLD_MS, 5)["claim"]
    assert tasks.cancel(id).state is TaskState.RUNNING
    assert "cancelled" in tasks.get(id).message
    assert stored.tell(id, claim, HOLD_MS, {"done": 3}, got_on=True) == 2
    stored.finish(id, claim, TaskState.CANCELLED, {"done": 3})
    assert tasks.cancel(id).state is TaskState.CANCELLED
    assert tasks.get(id).done == 3


def test_what_a_stop_leaves_is_claimed_at_once(tasks: Tasks, stored: StoredTasks) -> None:
    id = tasks.order("import_keys", "7", {}).id
    stored.give_back(id, stored.claim(id, HOLD_MS, 5)["claim"])
    assert tasks.get(id).state is TaskState.QUEUED
    assert stored.claim(id, HOLD_MS, 5)


def test_what_a_dead_process_had_is_claimed_at_once(tasks: Tasks, stored: StoredTasks) -> None:
    """And nothing that others have; that it was begun in vain is not forgotten."""
    id, other = tasks.order("import_keys", "7", {}).id, tasks.order("import_keys", "8", {}).id
    stored.claim(id, HOLD_MS, 1, "one")
    stored.claim(other, HOLD_MS, 1, "two")
    stored.abandon("one")
    assert stored.waiting() == [id]
    assert stored.claim(id, HOLD_MS, 1, "three") == {}
    assert tasks.get(id).state is TaskState.FAILED


def test_ended_tasks_are_kept_for_a_day_and_not_without_number(
    tasks: Tasks, stored: StoredTasks, own_redis: Redis
) -> None:
    """The latest of each kind, so that those of the clock do not push out an operator's."""
    mine = tasks.order("import_keys", "7", {}).id
    tasks.cancel(mine)
    for _ in range(KEPT_OF_A_KIND + 5):
        tasks.cancel(tasks.order("check", "", {}).id)
    stored.trim()
    kept = tasks.list()
    assert len(kept) == KEPT_OF_A_KIND + 1
    assert mine in [task.id for task in kept]
    assert [int(task.id) for task in kept] == sorted((int(task.id) for task in kept), reverse=True)
    assert own_redis.llen(TASKS_ENDED) == len(own_redis.keys(f"{TASKS}*")) == len(kept)
    assert 0 < own_redis.ttl(TASKS + mine) <= 24 * 3600


def test_a_long_result_is_told_of_its_task_alone(tasks: Tasks, stored: StoredTasks) -> None:
    """So that a list that is asked for again and again stays short."""
    short, long = {"models": ["m"]}, {"models": ["m" * 100] * 50}
    for result in (short, long):
        id = tasks.order("fetch_models", "", {}).id
        stored.finish(id, stored.claim(id, HOLD_MS, 5)["claim"], TaskState.DONE, {"done": 1}, result)
        assert tasks.get(id).result == result
    assert [task.result for task in tasks.list()] == [None, short]


@pytest.mark.parametrize("id", ["1", "0", "sk-canary", "9" * 30, "٣", ""])
def test_there_is_no_other_task(tasks: Tasks, id: str) -> None:
    with pytest.raises(TaskNotFound) as told:
        tasks.get(id)
    assert "canary" not in str(told.value)
    with pytest.raises(TaskNotFound):
        tasks.cancel(id)


def test_a_task_is_ended_while_redis_is_full(tasks: Tasks, stored: StoredTasks, own_redis: Redis) -> None:
    """Its input may be what fills it: an operator cancels, or its process ends it, and there is room again."""
    waits, runs, ends = (tasks.order("import_keys", channel_id, {}, pieces=[b"sk-1"]).id for channel_id in "789")
    claim, last = (stored.claim(id, HOLD_MS, 5)["claim"] for id in (runs, ends))
    own_redis.config_set("maxmemory", 1)
    try:
        assert tasks.cancel(waits).state is TaskState.CANCELLED
        assert tasks.cancel(runs).message == "it is being cancelled"
        assert stored.finish(ends, last, TaskState.FAILED, {"done": 1})
    finally:
        own_redis.config_set("maxmemory", 0)
    assert stored.tell(runs, claim, HOLD_MS, {}, got_on=False) == 2
    assert (tasks.get(ends).state, tasks.get(ends).done) == (TaskState.FAILED, 1)
    assert not own_redis.exists(TASKS_INPUT + waits, TASKS_INPUT + ends)
