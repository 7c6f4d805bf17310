"""The admin API of tasks, where no worker takes them: what is ordered, told and cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.storage.connections import CHANNEL_KEYS_LAST_ID, TASKS, Redis
from app.storage.secrets import Secrets
from app.storage.tasks.tasks import Tasks
from tests.support.channels import add_channel, said_of_channel
from tests.support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("no_channels_stay", "no_tasks_stay")

KEYS = [f"sk-canary-{number:04d}" for number in range(1001)]


@pytest.fixture
def no_tasks_stay(gateway: GatewayProcess) -> Iterator[None]:
    yield
    for task in gateway.admin("GET", "/api/tasks").json()["tasks"]:
        gateway.admin("DELETE", f"/api/tasks/{task['id']}")


def import_keys(gateway: GatewayProcess, channel: dict[str, Any], keys: object) -> Any:
    return gateway.admin("POST", f"/api/channels/{channel['id']}/keys", {"keys": keys})


def test_above_a_thousand_keys_are_added_by_a_task(gateway: GatewayProcess) -> None:
    """It is told at once, found among all, and cancelled; it stays to be seen then."""
    channel = add_channel(gateway)
    assert import_keys(gateway, channel, KEYS[:1000]).json() == {
        "success": True,
        "added": 1000,
        "duplicates": 0,
        "total": 1000,
    }
    reply = import_keys(gateway, channel, KEYS)
    task = reply.json()["task"]
    assert (reply.status, reply.json()) == (202, {"success": True, "task": task})
    assert task == {
        "id": task["id"],
        "kind": "import_keys",
        "channel_id": channel["id"],
        "state": "queued",
        "done": 0,
        "total": 1001,
        "message": "",
        "result": None,
        "started_at_ms": None,
        "ended_at_ms": None,
    }
    assert gateway.admin("GET", f"/api/tasks/{task['id']}").json() == {"success": True, "task": task}
    assert task in gateway.admin("GET", "/api/tasks").json()["tasks"]
    cancelled = gateway.admin("DELETE", f"/api/tasks/{task['id']}").json()["task"]
    assert cancelled == task | {"state": "cancelled", "ended_at_ms": cancelled["ended_at_ms"]}
    assert gateway.admin("DELETE", f"/api/tasks/{task['id']}").json()["task"] == cancelled
    assert cancelled in gateway.admin("GET", "/api/tasks").json()["tasks"]


def test_a_second_import_for_a_channel_is_refused_while_one_waits(gateway: GatewayProcess) -> None:
    """With a code, and with the task that is in its way; few keys and other channels are taken meanwhile."""
    channel = add_channel(gateway)
    task = import_keys(gateway, channel, KEYS).json()["task"]
    refused = import_keys(gateway, channel, KEYS)
    assert (refused.status, refused.json()["code"]) == (409, "task_running")
    assert f"task {task['id']} " in refused.json()["error"]
    assert import_keys(gateway, channel, KEYS[:2]).status == 200
    assert import_keys(gateway, add_channel(gateway, "two"), KEYS).status == 202


def test_a_channel_comes_with_a_task_for_its_many_keys(gateway: GatewayProcess) -> None:
    reply = gateway.admin("POST", "/api/channels", said_of_channel("one", keys="\n".join(KEYS)))
    assert reply.status == 201
    task, channel = reply.json()["task"], reply.json()["channel"]
    assert (task["kind"], task["channel_id"], task["total"]) == ("import_keys", channel["id"], 1001)
    few = gateway.admin("POST", "/api/channels", said_of_channel("two", keys=KEYS[:1000])).json()
    assert few["channel"]["keys"]["total"] == 1000
    assert "task" not in few


def test_above_a_thousand_keys_are_changed_by_a_task(gateway: GatewayProcess, redis_client: Redis) -> None:
    """All of them, those in a state, or those that are named, which wait with the task where the list is long."""
    channel = add_channel(gateway, keys=KEYS[:1000])
    path = f"/api/channels/{channel['id']}/keys"
    import_keys(gateway, channel, ["sk-one-more"])
    last_id = int(redis_client.get(CHANNEL_KEYS_LAST_ID) or 0)
    for said in ({"all": True}, {"state": "active"}):
        reply = gateway.admin("POST", f"{path}/batch", {"action": "disable"} | said)
        assert (reply.status, reply.json()["task"]["kind"]) == (202, "disable_keys")
        ordered = json.loads(redis_client.hget(TASKS + reply.json()["task"]["id"], "arguments") or b"")
        assert ordered["last_id"] == last_id, "what comes later is not meant"
        gateway.admin("DELETE", f"/api/tasks/{reply.json()['task']['id']}")
    assert gateway.admin("POST", f"{path}/batch", {"action": "delete", "state": "disabled"}).json()["changed"] == 0
    ids = [str(number) for number in range(20_000)]
    task = gateway.admin("POST", f"{path}/batch", {"action": "delete", "ids": ids}).json()["task"]
    assert task["kind"] == "delete_keys"
    assert json.loads(b"".join(Tasks(redis_client, Secrets()).input(task["id"]))) == ids
    for wrong in ({"ids": ids, "all": True}, {"ids": ids[:3], "state": "active"}, {}):
        refused = gateway.admin("POST", f"{path}/batch", {"action": "delete"} | wrong)
        assert (refused.status, refused.json()["field"]) == (400, "ids")
    refused = gateway.admin("POST", f"{path}/batch", {"action": "delete", "state": ""})
    assert (refused.status, refused.json()["field"]) == (400, "state")


MANY = [f"sk-long-{number:06d}" for number in range(30_000)]
TEXT = "\n".join(MANY)
AS_FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="k.txt"\r\n\r\n%s\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("type", "body", "input"),
    [
        ("application/json", json.dumps({"text": TEXT}).encode(), json.dumps(TEXT).encode()),
        ("application/json", b"\xef\xbb\xbf" + json.dumps({"keys": MANY}, indent=1).encode(), None),
        ("multipart/form-data; boundary=b", AS_FILE % TEXT.encode(), TEXT.encode()),
        ("text/plain", TEXT.encode(), TEXT.encode()),
    ],
)
def test_a_long_text_waits_for_its_task_as_it_came(
    gateway: GatewayProcess, redis_client: Redis, type: str, body: bytes, input: bytes | None
) -> None:
    """Nobody reads it before: how many keys there are is told when it has begun."""
    channel = add_channel(gateway)
    fields = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": type}
    reply = gateway.request("POST", f"/api/channels/{channel['id']}/keys", body, fields)
    assert reply.status == 202
    assert reply.json()["task"]["total"] == 0
    waiting = b"".join(Tasks(redis_client, Secrets()).input(reply.json()["task"]["id"]))
    assert waiting == input if input is not None else json.loads(waiting) == MANY


def test_a_long_text_with_few_keys_is_read_at_once(gateway: GatewayProcess) -> None:
    """As long ones are, such as accounts of services."""
    channel, keys = add_channel(gateway), ["k" * 5000 + str(number) for number in range(50)]
    assert import_keys(gateway, channel, keys).json()["added"] == 50
    assert import_keys(gateway, channel, "\n".join(keys)).json()["duplicates"] == 50


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"keys": [%s], "more": 1}', "unknown_field"),
        ('{"keys": [%s]', "bad_json"),
        ('{"keys": [%s], "text": "sk-1"}', "invalid"),
        ('{"keys": [%s]} more', "bad_json"),
    ],
)
def test_a_long_body_that_cannot_be_is_refused_at_once(gateway: GatewayProcess, body: str, code: str) -> None:
    channel = add_channel(gateway)
    fields = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "application/json"}
    said = body % ",".join(f'"{key}"' for key in MANY)
    reply = gateway.request("POST", f"/api/channels/{channel['id']}/keys", said, fields)
    assert (reply.status, reply.json()["code"]) == (400, code)


def test_a_channel_comes_with_a_long_text_of_keys(gateway: GatewayProcess, redis_client: Redis) -> None:
    reply = gateway.admin("POST", "/api/channels", said_of_channel("long", keys=MANY, note="mine"))
    assert (reply.status, reply.json()["channel"]["note"]) == (201, "mine")
    waiting = b"".join(Tasks(redis_client, Secrets()).input(reply.json()["task"]["id"]))
    assert json.loads(waiting) == MANY


def test_there_is_no_other_task(gateway: GatewayProcess) -> None:
    for method in ("GET", "DELETE"):
        reply = gateway.admin(method, "/api/tasks/987654321")
        assert (reply.status, reply.json()["code"]) == (404, "not_found")
    assert gateway.request("GET", "/api/tasks").status == 401
