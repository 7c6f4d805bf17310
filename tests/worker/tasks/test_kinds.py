"""What tasks do to the keys of a channel, run in the test's own process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.channels.keys import KeyState
from app.core.model import Channel
from app.core.settings import Limits, Settings
from app.gateway import Gateway
from app.storage.catalog import channels
from app.storage.catalog.catalog import Catalog
from app.storage.connections import TASKS, TASKS_INPUT, Redis
from app.storage.keys.edits import Added
from app.storage.secrets import Secrets
from app.storage.tasks.stored import StoredTasks
from app.storage.tasks.task import TaskState
from app.storage.tasks.tasks import Tasks
from tests.support.tasks import Run
from worker.tasks import key_batches
from worker.tasks.runner import BEGINNINGS
from worker.tasks.running import Running

KEYS = [f"sk-{number:04d}" for number in range(2500)]


@pytest.fixture
def ids(house: Gateway, channel: Channel) -> list[str]:
    """Of KEYS, which the channel has; the first two are disabled, the third rests."""
    house.key_edits.add(channel.id, KEYS)
    ids = list(house.key_edits.ids(channel.id))
    house.key_edits.enable(channel.id, ids[:2], False)
    house.choosing.health.rest(channel.id, 0, 1 << 50, key_id=ids[2])
    return ids


def states(house: Gateway, channel: Channel) -> dict[str, int]:
    return {state.value: len(house.key_edits.ids(channel.id, [state])) for state in KeyState}


@pytest.mark.parametrize(
    ("kind", "arguments", "changed", "after"),
    [
        ("disable_keys", {}, 2498, {"disabled": 2500}),
        ("enable_keys", {"state": "disabled"}, 2, {"active": 2499, "resting": 1}),
        ("restore_keys", {}, 1, {"active": 2498, "disabled": 2}),
        ("delete_keys", {"state": "active"}, 2497, {"disabled": 2, "resting": 1}),
        ("delete_keys", {"ids": ["1", "3", "3", "99999", "no id"]}, 2, {"active": 2497, "disabled": 1}),
    ],
)
def test_keys_are_changed_by_state_or_id(
    house: Gateway,
    channel: Channel,
    ids: list[str],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    arguments: dict[str, Any],
    changed: int,
    after: dict[str, int],
) -> None:
    """Told is how many are another now."""
    monkeypatch.setattr(key_batches, "STORED_S", 0.1)  # nobody keeps what is observed here
    ended = run(house.tasks.order(kind, channel.id, arguments))
    assert (ended.state, ended.result) == (TaskState.DONE, {"changed": changed})
    assert ended.done == ended.total
    assert {state: count for state, count in states(house, channel).items() if count} == after


def test_ids_may_come_as_an_input_of_their_own(house: Gateway, channel: Channel, ids: list[str], run: Run) -> None:
    given = json.dumps(ids[:2000]).encode()
    ended = run(house.tasks.order("delete_keys", channel.id, {}, pieces=[given[:5], given[5:]]))
    assert (ended.result, ended.total) == ({"changed": 2000}, 2000)
    assert list(house.key_edits.ids(channel.id)) == ids[2000:]
    wrong = run(house.tasks.order("delete_keys", channel.id, {}, pieces=[b'{"a":1}']))
    assert wrong.state is TaskState.FAILED
    assert "ids must be a list" in wrong.message
    assert list(house.key_edits.ids(channel.id)) == ids[2000:]


@pytest.mark.parametrize("said", [{}, {"state": "active"}])
def test_keys_that_came_after_the_order_are_not_meant(
    house: Gateway, channel: Channel, ids: list[str], run: Run, said: dict[str, Any]
) -> None:
    """Whoever orders that all go, and then adds others, has the others; also where the task begins later."""
    task = house.tasks.order("delete_keys", channel.id, said | {"last_id": int(ids[-1])})
    house.key_edits.add(channel.id, ["sk-new"])
    assert run(task).state is TaskState.DONE
    kept = house.key_edits.ids(channel.id)
    assert house.key_edits.reveal(channel.id, kept[-1]) == "sk-new"
    assert len(kept) == (4 if said else 1)


def test_what_a_killed_process_did_counts(
    house: Gateway, channel: Channel, ids: list[str], run: Run, own_redis: Redis
) -> None:
    """It had told of the 500 keys before, and had begun with 1,000 more, of which it deleted some."""
    task = house.tasks.order("delete_keys", channel.id, {})
    house.key_edits.delete(channel.id, ids[:700])
    place = {"changed": 500, "total": 2500, "doubt": ids[500:1500]}
    own_redis.hset(TASKS + task.id, mapping={"place": json.dumps(place), "done": 500})
    ended = run(task)
    assert (ended.result, ended.done, ended.total) == ({"changed": 2500}, 2500, 2500)


def test_what_a_killed_import_added_counts_as_added(
    house: Gateway, channel: Channel, ids: list[str], run: Run, own_redis: Redis
) -> None:
    """It had begun with the second 2,000 keys, and added some; others were there before it began."""
    keys = [f"sk-new-{number:04d}" for number in range(3000)]
    house.key_edits.add(channel.id, [*keys[:2000], *keys[2500:2505]])
    last_id = int(house.key_edits.ids(channel.id)[-1])
    house.key_edits.add(channel.id, keys[2000:2300])
    task = house.tasks.order("import_keys", channel.id, {"format": "text", "field": "text"}, 3000, _lines(keys))
    own_redis.hset(TASKS + task.id, "place", json.dumps({"next": 2000, "added": 1990, "last_id": last_id}))
    ended = run(task)
    assert ended.result == {"added": 1990 + 995, "duplicates": 15, "total": 5500}


@pytest.mark.parametrize(
    ("format", "input", "says"),
    [
        ("file", b"sk-1\nsk-\xff", "file must be a text"),
        ("json", b'["sk-1", 2]', "number 2 of file cannot be a key"),
        ("json", b'"\\ud800', "file is no JSON"),
        ("file", b"key\n", "file holds no key"),
    ],
)
def test_an_import_that_cannot_be_fails_and_says_why(
    house: Gateway, channel: Channel, run: Run, format: str, input: bytes, says: str
) -> None:
    """No key is added, and none is shown."""
    task = house.tasks.order("import_keys", channel.id, {"format": format, "field": "file"}, pieces=[input])
    ended = run(task)
    assert (ended.state, ended.result) == (TaskState.FAILED, None)
    assert says in ended.message
    assert "sk-" not in ended.message
    assert not house.key_edits.ids(channel.id)


def test_a_task_of_a_channel_that_was_deleted_fails(house: Gateway, channel: Channel, run: Run) -> None:
    task = house.tasks.order("import_keys", channel.id, {"format": "text", "field": "text"}, pieces=_lines(KEYS))
    channels.delete(house.catalog, [channel.id])
    ended = run(task)
    assert ended.state is TaskState.FAILED
    assert "was deleted" in ended.message
    assert not house.key_edits.ids(channel.id)


def test_keys_that_came_to_a_channel_while_it_was_deleted_go_again(
    house: Gateway, channel: Channel, run: Run, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another process, of which this one has not heard yet."""
    task = house.tasks.order("import_keys", channel.id, {"format": "text", "field": "text"}, pieces=_lines(KEYS))
    add, elsewhere = house.key_edits.add, Catalog(own_redis, Limits(), Settings())
    elsewhere.load()

    def deleted_meanwhile(channel_id: str, secrets: list[str]) -> Added:
        added = add(channel_id, secrets)
        channels.delete(elsewhere, [channel.id])
        return added

    monkeypatch.setattr(house.key_edits, "add", deleted_meanwhile)
    assert run(task).state is TaskState.FAILED
    assert not house.key_edits.ids(channel.id)


def test_an_input_that_was_encrypted_with_a_key_of_others_is_told(
    house: Gateway, channel: Channel, run: Run, own_redis: Redis
) -> None:
    """As where a web process and the worker have not the same ENCRYPTION_KEY."""
    of_web = Tasks(own_redis, Secrets(["another key"], rounds=1))
    task = of_web.order("import_keys", channel.id, {"format": "text", "field": "text"}, pieces=_lines(KEYS))
    ended = run(task)
    assert ended.state is TaskState.FAILED
    assert "ENCRYPTION_KEY" in ended.message
    assert own_redis.keys(f"{TASKS_INPUT}*") == []


def test_one_that_never_gets_on_is_given_up(house: Gateway, channel: Channel, own_redis: Redis) -> None:
    """Its process dies at the same place each time, after it has told that."""
    stored, begun = StoredTasks(own_redis), 0
    id = house.tasks.order("import_keys", channel.id, {}).id
    while fields := stored.claim(id, 0, BEGINNINGS):
        running = Running(stored, house, id, fields)
        running.keep()
        running.save({"next": 0})
        stored.tell(id, fields["claim"], 0, {}, got_on=False)
        begun += 1
    assert begun == BEGINNINGS + 1
    assert house.tasks.get(id).state is TaskState.FAILED


def test_a_task_that_another_version_ordered_fails(house: Gateway, run: Run) -> None:
    ended = run(house.tasks.order("paint_keys", "", {}))
    assert (ended.state, ended.message) == (TaskState.FAILED, "this version knows no task 'paint_keys'")


def _lines(keys: list[str]) -> list[bytes]:
    return ["\n".join(keys).encode()]
