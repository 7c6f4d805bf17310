"""The admin API of channels: copied, changed many at once, put into an order, rested."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("no_channels_stay")


def post(gateway: GatewayProcess, path: str, **said: Any) -> dict[str, Any]:
    answer: dict[str, Any] = gateway.admin("POST", f"/api/channels{path}", said).json()
    return answer


def show(gateway: GatewayProcess, channel: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = gateway.admin("GET", f"/api/channels/{channel['id']}").json()["channel"]
    return found


def hints(gateway: GatewayProcess, channel: dict[str, Any]) -> list[tuple[str, str]]:
    keys = gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["keys"]
    return [(key["hint"], key["state"]) for key in keys]


@pytest.mark.parametrize(
    ("which", "copied"),
    [("none", []), ("active", [("…-1", "active")]), ("all", [("…-1", "active"), ("…-2", "disabled")])],
)
def test_a_copy_has_all_that_was_said(gateway: GatewayProcess, which: str, copied: list[tuple[str, str]]) -> None:
    """A proxy's password among it; with the keys that are wanted, which stay with the first one, too."""
    source = add_channel(gateway, "a", note="n", priority=7, proxy_url="http://u:pw@127.0.0.1:1", keys="sk-1 sk-2")
    at = f"/api/channels/{source['id']}"
    second = gateway.admin("GET", f"{at}/keys").json()["keys"][1]
    gateway.admin("PUT", f"{at}/keys/{second['id']}", {"enabled": False})
    reply = gateway.admin("POST", f"{at}/copy", {"name": "b", "keys": which})
    copy = reply.json()["channel"]
    assert reply.status == 201
    own = ("id", "name", "keys", "created_at_ms", "updated_at_ms")
    assert {n: v for n, v in copy.items() if n not in own} == {n: v for n, v in source.items() if n not in own}
    assert hints(gateway, copy) == copied
    assert len(hints(gateway, source)) == 2


def test_a_copy_that_cannot_be_is_refused(gateway: GatewayProcess) -> None:
    """It needs a name of its own."""
    source = add_channel(gateway, "a")
    for said, status, field in (
        ({}, 400, "name"),
        ({"name": "A"}, 409, "name"),
        ({"name": "b", "keys": "some"}, 400, "keys"),
        ({"name": "b", "secrets": True}, 400, "secrets"),
    ):
        reply = gateway.admin("POST", f"/api/channels/{source['id']}/copy", said)
        assert (reply.status, reply.json()["field"]) == (status, field)
    assert gateway.admin("POST", "/api/channels/999999/copy", {"name": "b"}).status == 404


def test_many_are_changed_at_once(gateway: GatewayProcess) -> None:
    """Each answer says how many are another now."""
    channels = [add_channel(gateway, name, keys="sk-1") for name in "abc"]
    ids = [channel["id"] for channel in channels]
    assert post(gateway, "/batch", ids=ids[:2], action="disable") == {"success": True, "changed": 2}
    assert post(gateway, "/batch", ids=ids, action="disable")["changed"] == 1
    assert post(gateway, "/batch", ids=ids[1:], action="enable")["changed"] == 2
    assert [show(gateway, channel)["enabled"] for channel in channels] == [False, True, True]
    assert post(gateway, "/batch", ids=ids, action="set_priority", priority=-5)["changed"] == 3
    assert {show(gateway, channel)["priority"] for channel in channels} == {-5}
    post(gateway, f"/{ids[0]}/cooldown", seconds=60)
    assert post(gateway, "/batch", ids=ids, action="clear_cooldowns")["changed"] == 1
    assert show(gateway, channels[0])["resting_until_ms"] is None
    assert post(gateway, "/batch", ids=ids, action="delete")["changed"] == 3
    assert gateway.admin("GET", "/api/channels").json()["count"] == 0


def test_a_batch_is_made_whole_or_not_at_all(gateway: GatewayProcess) -> None:
    """What is wrong with it is told with its place."""
    channel = add_channel(gateway, "a")
    ids = [channel["id"]]
    for said, status, field in (
        ({"ids": [*ids, "999999"], "action": "disable"}, 404, "ids[1]"),
        ({"ids": [*ids, 7], "action": "disable"}, 404, "ids[1]"),
        ({"ids": ids * 2, "action": "disable"}, 400, "ids[1]"),
        ({"ids": [], "action": "disable"}, 400, "ids"),
        ({"ids": ids, "action": "explode"}, 400, "action"),
        ({"ids": ids, "action": "set_priority"}, 400, "priority"),
        ({"ids": ids, "action": "set_priority", "priority": 100_000}, 400, "priority"),
        ({"ids": ids, "action": "disable", "force": True}, 400, "force"),
    ):
        reply = gateway.admin("POST", "/api/channels/batch", said)
        assert (reply.status, reply.json()["field"]) == (status, field), said
    assert show(gateway, channel) == channel


def test_an_order_becomes_priorities(gateway: GatewayProcess) -> None:
    """The first of the ids is tried first; multiples of ten leave room between them."""
    channels = {name: add_channel(gateway, name) for name in "abc"}
    assert post(gateway, "/reorder", ids=[channels[name]["id"] for name in "cab"])["changed"] == 3
    listed = gateway.admin("GET", "/api/channels").json()["channels"]
    assert [(channel["name"], channel["priority"]) for channel in listed] == [("c", 30), ("a", 20), ("b", 10)]
    assert post(gateway, "/reorder", ids=[channels[name]["id"] for name in "cab"])["changed"] == 0


def test_a_channel_or_a_model_of_it_rests_by_hand(gateway: GatewayProcess) -> None:
    """Until then, and by the name that the channel serves the model by; one word ends all of it."""
    models = [{"name": "m", "upstream_name": "real-m"}, {"name": "n"}]
    channel = add_channel(gateway, "a", models=models, keys="sk-1")
    at = f"/{channel['id']}/cooldown"
    before_ms = int(time.time() * 1000)
    rested = post(gateway, at, seconds=600)["channel"]
    assert 0 <= rested["resting_until_ms"] - before_ms - 600_000 < 10_000
    for model in ("m", "real-m"):
        assert list(post(gateway, at, seconds=600, model=model)["channel"]["resting_models"]) == ["m"]
    ended = gateway.admin("DELETE", f"/api/channels{at}").json()["channel"]
    assert (ended["resting_until_ms"], ended["resting_models"]) == (None, {})
    for said, field in (({}, "seconds"), ({"seconds": 60, "model": "x"}, "model"), ({"seconds": 60, "url": ""}, "url")):
        assert post(gateway, at, **said)["field"] == field
