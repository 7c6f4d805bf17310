"""Orders to try many keys and to ask many upstreams, where no worker takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess, Reply

pytestmark = pytest.mark.usefixtures("no_channels_stay", "no_tasks_stay")


@pytest.fixture
def no_tasks_stay(gateway: GatewayProcess) -> Iterator[None]:
    yield
    for task in gateway.admin("GET", "/api/tasks").json()["tasks"]:
        gateway.admin("DELETE", f"/api/tasks/{task['id']}")


def validate(gateway: GatewayProcess, channel: dict[str, Any], **said: Any) -> Reply:
    return gateway.admin("POST", f"/api/channels/{channel['id']}/keys/batch", {"action": "validate"} | said)


@pytest.mark.parametrize(
    "said", [{"all": True}, {"state": "blacklisted"}, {"state": "active", "concurrency": 50, "timeout_s": 5.5}]
)
def test_a_validation_is_a_task(gateway: GatewayProcess, said: dict[str, Any]) -> None:
    """One at a time for a channel."""
    channel = add_channel(gateway, keys=["sk-1", "sk-2", "sk-3"])
    reply = validate(gateway, channel, **said)
    task = reply.json()["task"]
    assert (reply.status, task["kind"], task["channel_id"]) == (202, "validate_keys", channel["id"])
    assert (task["state"], task["done"]) == ("queued", 0)
    again = validate(gateway, channel, all=True)
    assert (again.status, again.json()["code"]) == (409, "task_running")


def test_keys_are_named_by_their_ids(gateway: GatewayProcess) -> None:
    channel = add_channel(gateway, keys=["sk-1", "sk-2"])
    [first, _] = gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["keys"]
    assert validate(gateway, channel, ids=[first["id"]]).status == 202


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({}, 400, "ids"),
        ({"all": True, "state": "active"}, 400, "ids"),
        ({"all": False}, 400, "all"),
        ({"state": "gone"}, 400, "state"),
        ({"ids": ["999999"]}, 404, "ids[0]"),
        ({"all": True, "concurrency": -1}, 400, "concurrency"),
        ({"all": True, "concurrency": 1000}, 400, "concurrency"),
        ({"all": True, "timeout_s": "soon"}, 400, "timeout_s"),
    ],
)
def test_what_makes_no_sense_is_refused(gateway: GatewayProcess, said: dict[str, Any], status: int, field: str) -> None:
    reply = validate(gateway, add_channel(gateway, keys=["sk-1"]), **said)
    assert (reply.status, reply.json()["field"]) == (status, field)
    tasks = gateway.admin("GET", "/api/tasks").json()["tasks"]
    assert not [task for task in tasks if task["kind"] == "validate_keys" and task["ended_at_ms"] is None]


def test_a_channel_that_names_no_model_says_what_to_do(gateway: GatewayProcess) -> None:
    channel = add_channel(gateway, keys=["sk-1"], models=[{"name": "*"}])
    reply = validate(gateway, channel, all=True).json()
    assert (reply["code"], reply["field"]) == ("invalid", "check_model")
    assert "set its check_model" in reply["error"]
    named = add_channel(gateway, "named", keys=["sk-1"], models=[{"name": "*"}], check_model="m")
    assert validate(gateway, named, all=True).status == 202


def test_models_of_many_channels_are_asked_for_by_a_task(gateway: GatewayProcess) -> None:
    ids = [add_channel(gateway, name)["id"] for name in ("one", "two")]
    reply = gateway.admin("POST", "/api/channels/batch", {"ids": ids, "action": "fetch_models"})
    task = reply.json()["task"]
    assert (reply.status, task["kind"], task["channel_id"], task["total"]) == (202, "fetch_models", "", 2)
    wrong = gateway.admin("POST", "/api/channels/batch", {"ids": ["999"], "action": "fetch_models"})
    assert (wrong.status, wrong.json()["field"]) == (404, "ids[0]")
