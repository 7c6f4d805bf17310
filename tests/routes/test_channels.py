"""The admin API of channels: what is listed, added, changed and deleted, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.channels import add_channel as add
from tests.support.channels import said_of_channel
from tests.support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("no_channels_stay")


def listed(gateway: GatewayProcess, query: str = "") -> list[str]:
    reply = gateway.admin("GET", f"/api/channels{query}")
    assert reply.status == 200, reply.body
    assert reply.json()["count"] == len(reply.json()["channels"])
    return [channel["name"] for channel in reply.json()["channels"]]


def test_life_of_a_channel(gateway: GatewayProcess) -> None:
    """It is added, shown, changed in what is given alone, and deleted; then it is not found."""
    channel = add(gateway, "one", note="first", priority=3)
    at = f"/api/channels/{channel['id']}"
    assert channel["id"].isdecimal()
    assert channel["created_at_ms"] == channel["updated_at_ms"] > 0
    assert gateway.admin("GET", at).json() == {"success": True, "channel": channel}
    changed = gateway.admin("PUT", at, {"note": "second"}).json()["channel"]
    assert changed.pop("updated_at_ms") >= channel["updated_at_ms"]
    assert changed == {name: value for name, value in channel.items() if name != "updated_at_ms"} | {"note": "second"}
    assert gateway.admin("DELETE", at).json() == {"success": True, "id": channel["id"]}
    for method in ("GET", "PUT", "DELETE"):
        gone = gateway.admin(method, at, {} if method == "PUT" else None)
        assert (gone.status, gone.json()["code"]) == (404, "not_found")


def test_what_get_gave_can_be_put(gateway: GatewayProcess) -> None:
    """Read-only fields are passed over, and a proxy's password, shown masked, stays as it is."""
    channel = add(gateway, proxy_url="http://name:secret@127.0.0.1:9", hours="08:00-23:30")
    assert "secret" not in str(channel)
    at = f"/api/channels/{channel['id']}"
    assert gateway.admin("PUT", at, channel).status == 200
    again = gateway.admin("GET", at).json()["channel"]
    assert again | {"updated_at_ms": 0} == channel | {"updated_at_ms": 0}


def test_channels_stand_by_priority_then_name(gateway: GatewayProcess) -> None:
    """The higher priority goes first, and among equals the name."""
    for name, priority in (("b", 0), ("c", 5), ("a", 0), ("d", -5)):
        add(gateway, name, priority=priority)
    assert listed(gateway) == ["c", "a", "b", "d"]


def test_the_list_is_read_page_by_page(gateway: GatewayProcess) -> None:
    """`next` leads on, also when what it names was deleted meanwhile; the count is that of all."""
    for name in "abcde":
        add(gateway, f"{name} x", priority=ord("a") - ord(name))
    first = gateway.admin("GET", "/api/channels?limit=2").json()
    assert (first["count"], [one["name"] for one in first["channels"]]) == (5, ["a x", "b x"])
    gateway.admin("DELETE", f"/api/channels/{first['channels'][1]['id']}")
    second = gateway.request(
        "GET",
        f"/api/channels?limit=2&after={first['next'].replace(' ', '%20')}",
        headers={"Authorization": f"Bearer {gateway.admin_token}"},
    ).json()
    assert [one["name"] for one in second["channels"]] == ["c x", "d x"]
    last = gateway.admin("GET", f"/api/channels?limit=2&after={second['next'].replace(' ', '%20')}").json()
    assert ([one["name"] for one in last["channels"]], last["next"]) == (["e x"], None)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?dialect=anthropic", ["claude"]),
        ("?dialect=anthropic,openai", ["all", "claude", "off"]),
        ("?model=claude-x", ["all", "claude"]),
        ("?model=renamed", ["all", "off"]),
        ("?state=disabled", ["off"]),
        ("?state=enabled", ["all", "claude"]),
        ("?state=enabled,disabled", ["all", "claude", "off"]),
        ("?q=NEEDLE", ["claude"]),
        ("?q=off.example", ["off"]),
        ("?q=renamed", ["off"]),
        ("?q=CLAUDE-X", ["claude"]),
        ("?q=claude&dialect=openai", []),
    ],
)
def test_filters(gateway: GatewayProcess, query: str, names: list[str]) -> None:
    """By dialect, by who serves a model, by state, and by what is written anywhere in it."""
    add(gateway, "all", models=[{"name": "*"}])
    add(gateway, "claude", dialects=["anthropic"], models=[{"name": "claude-x"}], note="a needle")
    off = [{"name": "m", "upstream_name": "renamed"}]
    add(gateway, "off", enabled=False, urls=[{"url": "https://off.example"}], models=off)
    assert listed(gateway, query) == names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?dialect=x", "dialect"),
        ("?state=gone", "state"),
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?limit=x", "limit"),
        ("?after=x", "after"),
    ],
)
def test_a_query_that_cannot_be_is_told(gateway: GatewayProcess, query: str, field: str) -> None:
    """No filter that was misspelt lists everything."""
    reply = gateway.admin("GET", f"/api/channels{query}")
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, "invalid", field)


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"name": ""}, "invalid", "name"),
        ({"name": "x" * 101}, "invalid", "name"),
        ({"dialects": ["openai", "x"]}, "invalid", "dialects[1]"),
        ({"urls": []}, "invalid", "urls"),
        ({"urls": [{"url": "https://a.example"}, {"url": "ftp://b.example"}]}, "invalid", "urls[1].url"),
        ({"urls": [{"url": "http://10.0.0.1"}]}, "address_refused", "urls[0].url"),
        ({"urls": [{"url": "https://a.example"}, {"url": "http://169.254.169.254"}]}, "address_refused", "urls[1].url"),
        ({"urls": [{"url": "https://a.example", "wait": 1}]}, "unknown_field", "urls[0].wait"),
        ({"models": [{"name": "m"}, {}]}, "invalid", "models[1].name"),
        ({"priority": 100_000}, "invalid", "priority"),
        ({"priority": "1"}, "invalid", "priority"),
        ({"hours": "25:00-26:00"}, "invalid", "hours"),
        (
            {"header_rules": [{"action": "set", "name": "Authorization", "value": "x"}]},
            "invalid",
            "header_rules[0].name",
        ),
        ({"header_rules": [{"action": "set", "name": "X", "value": "a\r\nb"}]}, "invalid", "header_rules[0].value"),
        ({"cost_multiplier": 1.5}, "invalid", "cost_multiplier"),
        ({"options": {"idle": 1}}, "unknown_field", "options.idle"),
        ({"provider": "x"}, "unknown_field", "provider"),
    ],
)
def test_what_cannot_be_is_refused_with_code_and_field(
    gateway: GatewayProcess, said: dict[str, Any], code: str, field: str
) -> None:
    """Alike where a channel is added and where one is changed; nothing is stored then."""
    reply = gateway.admin("POST", "/api/channels", said_of_channel("one") | said)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field), reply.body
    channel = add(gateway, "one")
    reply = gateway.admin("PUT", f"/api/channels/{channel['id']}", said)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field), reply.body
    assert gateway.admin("GET", "/api/channels").json()["channels"] == [channel]


@pytest.mark.parametrize("missing", ["name", "dialects", "urls", "models"])
def test_a_channel_needs_these(gateway: GatewayProcess, missing: str) -> None:
    """Without a name, dialects, urls or models it cannot be."""
    said = {name: value for name, value in said_of_channel("one").items() if name != missing}
    reply = gateway.admin("POST", "/api/channels", said)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, "invalid", missing)


@pytest.mark.parametrize("body", [b"[]", b"{bad", b'{"name": "\\ud800"}', b'{"priority": NaN}'])
def test_what_is_no_json_object_is_told(gateway: GatewayProcess, body: bytes) -> None:
    """Half a surrogate pair and NaN are no JSON: they could not be stored."""
    fields = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "application/json"}
    reply = gateway.request("POST", "/api/channels", body, fields)
    assert (reply.status, reply.json()["code"]) == (400, "bad_json")


def test_names_are_unique_without_regard_to_case(gateway: GatewayProcess) -> None:
    """In any script; a channel may be spelt anew, and a name that was given up is free."""
    add(gateway, "Größe")
    other = add(gateway, "other")
    at = f"/api/channels/{other['id']}"
    for reply in (
        gateway.admin("POST", "/api/channels", said_of_channel("GRÖSSE")),
        gateway.admin("PUT", at, {"name": " größe "}),
    ):
        assert (reply.status, reply.json()["code"], reply.json()["field"]) == (409, "name_taken", "name")
    assert gateway.admin("PUT", at, {"name": "OTHER"}).json()["channel"]["name"] == "OTHER"
    assert gateway.admin("PUT", at, {"name": "third"}).status == 200
    add(gateway, "other")


def test_ids_are_never_given_twice(gateway: GatewayProcess) -> None:
    """Nor is that of the newest channel when it was deleted."""
    first = add(gateway)
    gateway.admin("DELETE", f"/api/channels/{first['id']}")
    second = add(gateway)
    assert int(second["id"]) > int(first["id"])


def test_money_is_stored_as_written(gateway: GatewayProcess) -> None:
    """Cost fields are decimal text and stay so."""
    channel = add(gateway, cost_per_day_usd="2.50", cost_multiplier="0.10")
    assert (channel["cost_per_day_usd"], channel["cost_multiplier"]) == ("2.50", "0.10")


def test_a_change_brings_no_keys(gateway: GatewayProcess) -> None:
    """Keys as text or list in a PUT are no object that GET gave: nothing of them is lost silently."""
    channel = add(gateway)
    reply = gateway.admin("PUT", f"/api/channels/{channel['id']}", {"keys": "sk-1"})
    assert (reply.status, reply.json()["field"]) == (400, "keys")
