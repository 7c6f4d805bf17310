"""The admin API of a channel's keys; and that none of their texts gets anywhere but where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from app.core.channels.keys import StoredKey
from app.storage.keys.form import Known
from app.storage.keys.stored import StoredKeys
from app.storage.secrets import Secrets
from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("no_channels_stay")

CANARY = "sk-canary-7d1f3b5a9c"


def keys_of(gateway: GatewayProcess, channel: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    reply = gateway.admin("GET", f"/api/channels/{channel['id']}/keys{query}")
    assert reply.status == 200, reply.body
    keys: list[dict[str, Any]] = reply.json()["keys"]
    return keys


def at(channel: dict[str, Any], key: dict[str, Any] | None = None) -> str:
    keys = f"/api/channels/{channel['id']}/keys"
    return keys if key is None else f"{keys}/{key['id']}"


def test_keys_come_with_their_channel_as_text_or_list(gateway: GatewayProcess) -> None:
    """An object, which is what GET gives, is passed over."""
    assert add_channel(gateway, "a", keys="sk-1\nsk-2,sk-3")["keys"]["total"] == 3
    assert add_channel(gateway, "b", keys=["sk-1", "sk-2"])["keys"]["active"] == 2
    assert add_channel(gateway, "c", keys={"total": 7})["keys"]["total"] == 0


def test_life_of_a_key(gateway: GatewayProcess) -> None:
    """It is added, shown by its hint, changed, and deleted; then it is not found."""
    channel = add_channel(gateway)
    added = gateway.admin("POST", at(channel), {"text": f"{CANARY}\n{CANARY}"}).json()
    assert added == {"success": True, "added": 1, "duplicates": 1, "total": 1}
    [key] = keys_of(gateway, channel)
    assert key == {
        "id": key["id"],
        "hint": "sk-c…5a9c",
        "note": "",
        "state": "active",
        "resting_until_ms": None,
        "failures": 0,
        "models": [],
        "requests": 0,
        "errors": 0,
        "last_used_at_ms": None,
        "last_error": None,
    }
    changed = gateway.admin("PUT", at(channel, key), key | {"note": "mine", "models": ["m"], "enabled": False}).json()
    assert changed["key"] == key | {"note": "mine", "models": ["m"], "state": "disabled"}
    assert gateway.admin("PUT", at(channel, key), {"enabled": True}).json()["key"]["note"] == "mine"
    assert gateway.admin("DELETE", at(channel, key)).json() == {"success": True, "id": key["id"]}
    for method in ("PUT", "DELETE"):
        gone = gateway.admin(method, at(channel, key), {})
        assert (gone.status, gone.json()["code"]) == (404, "not_found")


def test_keys_come_as_a_file(gateway: GatewayProcess) -> None:
    """A multipart upload with a byte order mark and Windows' line ends, as editors write them."""
    channel = add_channel(gateway)
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="k.txt"\r\n\r\n'
    body = head + b"\xef\xbb\xbfsk-1\r\nsk-2\r\n\r\n--b--\r\n"
    fields = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "multipart/form-data; boundary=b"}
    assert gateway.request("POST", at(channel), body, fields).json()["added"] == 2
    wrong = gateway.request("POST", at(channel), body.replace(b'"file"', b'"files"'), fields)
    assert (wrong.status, wrong.json()["field"]) == (400, "file")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"text": ""}, "invalid", "text"),
        ({"keys": []}, "invalid", "keys"),
        ({"keys": [CANARY, 7]}, "invalid", "keys[1]"),
        ({"text": f"{CANARY}…"}, "invalid", "text"),
        ({"text": CANARY, "keys": []}, "invalid", "text"),
        ({"key": CANARY}, "unknown_field", "key"),
        ([CANARY], "bad_json", None),
    ],
)
def test_keys_that_cannot_be_are_refused_without_being_shown(
    gateway: GatewayProcess, body: object, code: str, field: str | None
) -> None:
    """Nothing is added then, and the error does not repeat them."""
    channel = add_channel(gateway)
    reply = gateway.admin("POST", at(channel), body)
    assert (reply.status, reply.json()["code"], reply.json().get("field")) == (400, code, field)
    assert CANARY.encode() not in reply.body
    assert keys_of(gateway, channel) == []


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"note": 1}, "invalid", "note"),
        ({"models": ["m", 1]}, "invalid", "models[1]"),
        ({"enabled": "yes"}, "invalid", "enabled"),
        ({"key": "sk"}, "unknown_field", "key"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    gateway: GatewayProcess, said: dict[str, Any], code: str, field: str
) -> None:
    """With the code and the field to blame."""
    channel = add_channel(gateway, keys="sk-1")
    [key] = keys_of(gateway, channel)
    reply = gateway.admin("PUT", at(channel, key), said)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field)


def test_keys_are_listed_page_by_page_and_found(gateway: GatewayProcess) -> None:
    """By state, by note, by a part of the hint, and by a whole key; the count is that of all."""
    channel = add_channel(gateway, keys=[f"sk-key-number-{number:04}" for number in range(7)])
    first = gateway.admin("GET", f"{at(channel)}?limit=3").json()
    second = gateway.admin("GET", f"{at(channel)}?limit=3&after={first['next']}").json()
    third = gateway.admin("GET", f"{at(channel)}?limit=3&after={second['next']}").json()
    pages = [[key["hint"][-1] for key in page["keys"]] for page in (first, second, third)]
    assert (pages, third["next"], first["count"]) == ([["0", "1", "2"], ["3", "4", "5"], ["6"]], None, 7)
    gateway.admin("PUT", at(channel, first["keys"][1]), {"note": "A Note", "enabled": False})
    for query, found in (("state=disabled", "1"), ("q=a%20note", "1"), ("q=0004", "4"), ("q=sk-key-number-0005", "5")):
        assert [key["hint"][-1] for key in keys_of(gateway, channel, f"?{query}")] == [found], query
    assert keys_of(gateway, channel, "?q=key-number") == []  # no part of a secret can be felt for
    for query, field in (("state=x", "state"), ("limit=0", "limit"), ("after=x", "after")):
        assert gateway.admin("GET", f"{at(channel)}?{query}").json()["field"] == field


def test_batches(gateway: GatewayProcess) -> None:
    """By ids, by state, of all; what is no key of the channel stops the whole."""
    channel = add_channel(gateway, keys="sk-1 sk-2 sk-3 sk-4")
    ids = [key["id"] for key in keys_of(gateway, channel)]

    def batch(**said: Any) -> Any:
        return gateway.admin("POST", f"{at(channel)}/batch", said).json()

    assert batch(ids=ids[:2], action="disable")["changed"] == 2
    assert batch(ids=ids[:2], action="disable")["changed"] == 0
    assert batch(state="disabled", action="enable")["changed"] == 2
    gateway.admin("POST", f"{at(channel)}/{ids[3]}/cooldown", {"seconds": 60})
    assert batch(all=True, action="restore")["changed"] == 1
    refused = batch(ids=[ids[0], "999999"], action="delete")
    assert (refused["code"], refused["field"]) == ("not_found", "ids[1]")
    for said, field in (
        ({"action": "delete"}, "ids"),
        ({"ids": ids, "all": True, "action": "delete"}, "ids"),
        ({"all": False, "action": "delete"}, "all"),
        ({"all": True, "action": "x"}, "action"),
        ({"state": "x", "action": "delete"}, "state"),
    ):
        assert batch(**said)["field"] == field
    assert len(keys_of(gateway, channel)) == 4
    assert batch(all=True, action="delete")["changed"] == 4
    assert keys_of(gateway, channel) == []


def test_a_rest_by_hand_begins_and_ends(gateway: GatewayProcess) -> None:
    """The channel rests with its only key, is listed so, and both are back when the rest is ended."""
    channel = add_channel(gateway, keys="sk-1")
    [key] = keys_of(gateway, channel)
    rested = gateway.admin("POST", f"{at(channel, key)}/cooldown", {"seconds": 600}).json()
    assert rested["key"]["state"] == "resting"
    assert rested["channel"]["resting_until_ms"] == rested["key"]["resting_until_ms"] > 0
    assert rested["channel"]["keys"]["resting"] == 1
    assert gateway.admin("GET", "/api/channels?state=resting").json()["count"] == 1
    for seconds in (0, "60", None, True, 1e9):
        refused = gateway.admin("POST", f"{at(channel, key)}/cooldown", {"seconds": seconds})
        assert (refused.status, refused.json()["field"]) == (400, "seconds")
    ended = gateway.admin("DELETE", f"{at(channel, key)}/cooldown").json()
    assert (ended["key"]["state"], ended["channel"]["resting_until_ms"]) == ("active", None)


def test_keys_go_with_their_channel(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """Nothing of a deleted channel's keys stays in Redis."""
    channel = add_channel(gateway, keys=CANARY)
    gateway.admin("DELETE", f"/api/channels/{channel['id']}")
    for name in redis_client.scan_iter("apiproxy:*"):
        if redis_client.type(name) == b"hash":
            assert CANARY.encode() not in b"".join(redis_client.hvals(name))


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("POST", "", {"text": "sk-1"}),
        ("POST", "/batch", {"all": True, "action": "delete"}),
        ("GET", "/export", None),
        ("PUT", "/1", {"note": "mine"}),
        ("POST", "/1/reveal", None),
    ],
)
def test_an_unknown_channel_is_not_found(gateway: GatewayProcess, method: str, rest: str, body: Any) -> None:
    """Whatever is asked of its keys."""
    reply = gateway.admin(method, f"/api/channels/999999/keys{rest}", body)
    assert (reply.status, reply.json()["code"]) == (404, "not_found")


def test_no_key_leaves_but_by_reveal_and_export(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Those two are audited, by hint and number, also where little is logged; nothing else tells a key, nor the log."""
    gateway = start_gateway(LOG_LEVEL="warning")
    channel = add_channel(gateway, "canary", keys=CANARY)
    [key] = keys_of(gateway, channel)
    calls = [
        ("GET", "/api/channels", None),
        ("GET", f"/api/channels/{channel['id']}", None),
        ("PUT", f"/api/channels/{channel['id']}", {"note": "x"}),
        ("PUT", f"/api/channels/{channel['id']}", {"keys": [CANARY]}),
        ("GET", at(channel), None),
        ("GET", f"{at(channel)}?q={CANARY}", None),
        ("POST", at(channel), {"text": CANARY}),
        ("POST", at(channel), {"keys": [CANARY, {}]}),
        ("PUT", at(channel, key), {"note": "x"}),
        ("POST", f"{at(channel, key)}/cooldown", {"seconds": 60}),
        ("DELETE", f"{at(channel, key)}/cooldown", None),
        ("POST", f"{at(channel)}/batch", {"ids": [CANARY], "action": "disable"}),
        ("GET", "/health", None),
        ("GET", "/stats", None),
    ]
    for method, path, body in calls:
        reply = gateway.admin(method, path, body)
        assert CANARY.encode() not in reply.body, (method, path)
        assert CANARY not in str(reply.fields), (method, path)
    assert gateway.admin("POST", f"{at(channel, key)}/reveal").json() == {"success": True, "key_value": CANARY}
    exported = gateway.admin("GET", f"{at(channel)}/export?state=active")
    assert (exported.body.decode(), exported.field("content-type")) == (f"{CANARY}\n", "text/plain; charset=utf-8")
    assert gateway.admin("GET", f"{at(channel)}/export?state=blacklisted").body == b""
    gateway.admin("DELETE", f"/api/channels/{channel['id']}")
    log = gateway.final_log()
    of_channel = f"of channel {channel['id']} canary by 127.0.0.1 (bearer): "
    assert f'reveal_key of key {key["id"]} {of_channel}{{"before":null,"after":{{"hint":"sk-c…5a9c"}}}}' in log
    assert f'export_keys {of_channel}{{"before":null,"after":{{"keys":1}}}}' in log
    assert CANARY not in log


def test_a_key_that_another_encryption_key_encrypts_is_told_and_may_be_deleted(
    gateway: GatewayProcess, redis_client: redis.Redis
) -> None:
    """It is out of the pool; nobody can be shown its text, and no copy is made that lacks it."""
    channel = add_channel(gateway, keys=["sk-1"])
    others = StoredKeys(redis_client, Secrets(["another gateway's"], 1))
    assert others.add(channel["id"], Known(), [(CANARY, StoredKey(0, ""))]) == (1, 2)
    known, closed = keys_of(gateway, channel)
    assert (known["state"], closed["state"]) == ("active", "blacklisted")
    assert not set(CANARY[-4:]) & set(closed["hint"])
    copy = f"/api/channels/{channel['id']}/copy", {"name": "copy", "keys": "all"}
    for path, body in ((f"{at(channel, closed)}/reveal", {}), copy):
        reply = gateway.admin("POST", path, body)
        assert (reply.status, reply.json()["code"]) == (409, "key_unreadable")
        assert "ENCRYPTION_KEY" in reply.json()["error"]
    assert [one["id"] for one in gateway.admin("GET", "/api/channels").json()["channels"]] == [channel["id"]]
    assert gateway.admin("DELETE", at(channel, closed)).status == 200
    assert [key["id"] for key in keys_of(gateway, channel)] == [known["id"]]
