"""Channels by ccLoad's calls: on the same channels as ours, in its words."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess, Reply

pytestmark = pytest.mark.usefixtures("no_channels_stay")

LEAST: dict[str, Any] = {"name": "one", "api_key": "sk-1", "url": "https://one.example", "models": ["m"]}

RULES = "custom_request_rules"


def add(gateway: GatewayProcess, **said: Any) -> dict[str, Any]:
    """As it is answered."""
    reply = gateway.admin("POST", "/admin/channels", LEAST | said)
    assert reply.status == 201, reply.body
    told: dict[str, Any] = reply.json()
    assert told["success"] is True
    channel: dict[str, Any] = told["data"]
    return channel


def ours(gateway: GatewayProcess, channel: dict[str, Any]) -> dict[str, Any]:
    """The same channel by our own call."""
    told: dict[str, Any] = gateway.admin("GET", f"/api/channels/{channel['id']}").json()["channel"]
    return told


def secrets_of(gateway: GatewayProcess, channel: dict[str, Any]) -> list[str]:
    return gateway.admin("GET", f"/api/channels/{channel['id']}/keys/export").body.decode().split()


def put(gateway: GatewayProcess, channel: dict[str, Any], **said: Any) -> Reply:
    return gateway.admin("PUT", f"/admin/channels/{channel['id']}", said)


def test_a_channel_is_answered_in_its_fields(gateway: GatewayProcess) -> None:
    """Numbers for ids and money, seconds for times, its names for types; no key."""
    channel = add(
        gateway,
        api_key="sk-first-key-1, sk-second-key-2,sk-first-key-1",
        channel_type="codex",
        models=[{"model": "a", "redirect_model": "b"}, {"model": "c", "redirect_model": "c"}],
        priority=10,
        daily_cost_limit=12.5,
    )
    assert abs(channel.pop("created_at") - time.time()) < 60
    assert abs(channel.pop("updated_at") - time.time()) < 60
    assert channel == {
        "id": channel["id"],
        "name": "one",
        "channel_type": "codex",
        "url": "https://one.example",
        "priority": 10,
        "enabled": True,
        "models": [{"model": "a", "redirect_model": "b"}, {"model": "c", "redirect_model": ""}],
        "key_strategy": "sequential",
        "rpm_limit": 0,
        "max_concurrency": 0,
        "daily_cost_limit": 12.5,
        "cost_multiplier": 1.0,
        "proxy_url": "",
        "scheduled_check_enabled": False,
        "scheduled_check_model": "",
        "cooldown_until": 0,
        "cooldown_duration_ms": 0,
        "key_count": 2,
        "effective_priority": 10.0,
    }
    assert isinstance(channel["id"], int)
    assert secrets_of(gateway, channel) == ["sk-first-key-1", "sk-second-key-2"]
    [listed] = gateway.admin("GET", "/admin/channels").json()["data"]
    assert listed["models"][1] == {"model": "c", "redirect_model": "c"}
    shown = gateway.admin("GET", f"/admin/channels/{channel['id']}")
    assert shown.json()["data"]["id"] == channel["id"]
    assert b"sk-first" not in shown.body


@pytest.mark.parametrize(
    ("type", "dialect"),
    [("anthropic", "anthropic"), ("codex", "responses"), ("OpenAI", "openai"), ("gemini", "gemini"), ("", "anthropic")],
)
def test_types_are_dialects(gateway: GatewayProcess, type: str, dialect: str) -> None:
    """And a list of one type has the channels that speak it."""
    channel = add(gateway, channel_type=type)
    add_channel(gateway, "other", dialects=[one for one in ("openai", "gemini") if one != dialect])
    assert ours(gateway, channel)["dialects"] == [dialect]
    listed = gateway.admin("GET", f"/admin/channels?type={type or 'anthropic'}").json()
    assert (listed["count"], [one["name"] for one in listed["data"]]) == (1, ["one"])
    assert gateway.admin("GET", "/admin/channels?type=all").json()["count"] == 2


def test_what_has_another_name_is_taken_over(gateway: GatewayProcess) -> None:
    """Limits, money, hours, checks: what ccLoad's later versions say, too."""
    channel = ours(
        gateway,
        add(
            gateway,
            rpm_limit=60,
            max_concurrency=3,
            daily_cost_limit=0.1,
            cost_multiplier=1.5,
            available_time_start="22:00",
            available_time_end="06:00",
            scheduled_check_enabled=True,
            key_strategy="ROUND_ROBIN",
            enabled=False,
        ),
    )
    names = "requests_per_minute max_concurrency cost_per_day_usd cost_multiplier hours check_model".split()
    assert [channel[name] for name in names] == [60, 3, "0.1", "1.5", "22:00-06:00", "m"]
    assert (channel["key_strategy"], channel["enabled"]) == ("round_robin", False)


def test_several_urls_stand_in_one_text_or_in_a_list(gateway: GatewayProcess) -> None:
    """With commas or line breaks between them; a list says what each speaks."""
    channel = add(gateway, url="https://one.example, https://two.example/\nhttps://one.example")
    assert channel["url"] == "https://one.example,https://two.example"
    urls = [{"url": "https://one.example", "protocols": ["anthropic"]}, {"url": "https://two.example", "protocols": []}]
    changed = ours(gateway, put(gateway, channel, urls=[*urls, "https://three.example"]).json()["data"])
    assert [url["url"] for url in changed["urls"]] == [f"https://{name}.example" for name in ("one", "two", "three")]
    assert changed["dialects"] == ["anthropic"]
    urls = [{"url": "https://a.example", "protocols": ["openai"]}, {"url": "https://b.example", "protocols": ["codex"]}]
    both = ours(gateway, add(gateway, name="both", url="", urls=urls))
    assert both["dialects"] == ["openai", "responses"]
    assert [url["dialects"] for url in both["urls"]] == [["openai"], ["responses"]]


def test_an_exact_address_of_a_call_is_the_base_of_its_dialect(gateway: GatewayProcess) -> None:
    """One that ends with a call that we know; what each speaks is found out where nobody says it."""
    exact = {"url": "https://x.example/api/paas/v4/chat/completions", "exact": True}
    [url] = ours(gateway, add(gateway, url="", urls=[exact]))["urls"]
    assert (url["url"], url["exact"]) == ("https://x.example/api/paas/v4", True)
    guessed = add(gateway, name="guessed", url="", urls=["https://x.example"], models=["gemini-3-pro"])
    assert guessed["channel_type"] == "gemini"


def test_what_is_not_given_stays(gateway: GatewayProcess) -> None:
    """What only our own calls say, too, and the keys."""
    urls = [{"url": "https://one.example", "weight": 7, "exact": True}]
    channel = add_channel(gateway, "one", dialects=["anthropic", "openai"], urls=urls, keys=["sk-1"], note="mine")
    shown = gateway.admin("GET", f"/admin/channels/{channel['id']}").json()["data"]
    reply = put(gateway, shown, **{**shown, "priority": 5})
    assert (reply.status, reply.json()["data"]["priority"]) == (200, 5)
    changed = ours(gateway, shown)
    for name in ("dialects", "note", "models", "keys", "cost_per_day_usd"):
        assert changed[name] == channel[name]
    assert (changed["urls"][0]["weight"], changed["urls"][0]["exact"]) == (7, True)
    assert secrets_of(gateway, shown) == ["sk-1"]


def test_a_new_type_is_what_all_of_it_speaks(gateway: GatewayProcess) -> None:
    """The urls' own dialects are left with the old one."""
    channel = add(gateway, url="", urls=[{"url": "https://a.example", "protocols": ["openai"]}])
    assert put(gateway, channel, channel_type="gemini").json()["data"]["channel_type"] == "gemini"
    assert ours(gateway, channel)["dialects"] == ["gemini"]


def test_keys_that_are_given_are_the_keys(gateway: GatewayProcess) -> None:
    """Those that were there before stay what they are, with their notes; the others go."""
    channel = add(gateway, api_key="sk-1,sk-2,sk-3")
    at = f"/api/channels/{channel['id']}/keys"
    second = gateway.admin("GET", at).json()["keys"][1]["id"]
    gateway.admin("PUT", f"{at}/{second}", {"note": "kept"})
    assert put(gateway, channel, api_key="sk-4,sk-2").json()["data"]["key_count"] == 2
    assert secrets_of(gateway, channel) == ["sk-2", "sk-4"]
    kept = gateway.admin("GET", at).json()["keys"][0]
    assert (kept["id"], kept["note"]) == (second, "kept")
    put(gateway, channel, api_key="")
    assert secrets_of(gateway, channel) == ["sk-2", "sk-4"]


def test_more_keys_than_a_request_changes_are_told_where_they_go(gateway: GatewayProcess) -> None:
    """With a new channel a task adds them; the keys of one that is there are exchanged at once or not at all."""
    many = ",".join(f"sk-{number}" for number in range(1_001))
    channel = add(gateway)
    refusal = put(gateway, channel, api_key=many)
    assert (refusal.status, refusal.json()["field"]) == (400, "api_key")
    assert secrets_of(gateway, channel) == ["sk-1"]
    reply = gateway.admin("POST", "/admin/channels", LEAST | {"name": "many", "api_key": many}).json()
    assert (reply["task"]["kind"], reply["task"]["total"]) == ("import_keys", 1_001)
    gateway.admin("DELETE", f"/api/tasks/{reply['task']['id']}")


def test_a_switch_leaves_rests_and_a_saved_channel_ends_them(gateway: GatewayProcess) -> None:
    """They are told in seconds, with what is left of them; those of its keys, too."""
    channel = add(gateway, api_key="sk-1,sk-2")
    at = f"/api/channels/{channel['id']}"
    gateway.admin("POST", f"{at}/cooldown", {"seconds": 600})
    key = gateway.admin("GET", f"{at}/keys").json()["keys"][1]["id"]
    gateway.admin("POST", f"{at}/keys/{key}/cooldown", {"seconds": 300})
    [listed] = gateway.admin("GET", "/admin/channels").json()["data"]
    assert 0 < listed["cooldown_until"] - time.time() < 601
    assert 500_000 < listed["cooldown_remaining_ms"] <= listed["cooldown_duration_ms"] <= 600_000
    [resting] = listed["key_cooldowns"]
    assert resting["key_index"] == 1
    assert 200_000 < resting["cooldown_remaining_ms"] <= 300_000
    switched = put(gateway, channel, enabled=False).json()["data"]
    assert (switched["enabled"], switched["cooldown_until"]) == (False, listed["cooldown_until"])
    assert put(gateway, channel, enabled=True, priority=1).json()["data"]["cooldown_until"] == 0
    assert ours(gateway, channel)["keys"]["resting"] == 0


def test_a_deleted_channel_is_gone_with_its_keys(gateway: GatewayProcess) -> None:
    """Its id is told as a number."""
    channel = add(gateway)
    assert gateway.admin("DELETE", f"/admin/channels/{channel['id']}").json() == {
        "success": True,
        "data": {"id": channel["id"]},
    }
    for method in ("GET", "DELETE"):
        reply = gateway.admin(method, f"/admin/channels/{channel['id']}")
        assert (reply.status, reply.json()["success"], reply.json()["code"]) == (404, False, "not_found")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": ""}, "name"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "ключ"}, "api_key"),
        ({"url": ""}, "url"),
        ({"url": "ftp://one.example"}, "url"),
        ({"url": "https://10.0.0.1"}, "url"),
        ({"models": []}, "models"),
        ({"models": "m"}, "models"),
        ({"models": [{"redirect_model": "m"}]}, "models[0].model"),
        ({"models": ["m", {"model": "m"}]}, "models[1].model"),
        ({"channel_type": "cohere"}, "channel_type"),
        ({"key_strategy": "random"}, "key_strategy"),
        ({"priority": "high"}, "priority"),
        ({"rpm_limit": -1}, "rpm_limit"),
        ({"daily_cost_limit": -1}, "daily_cost_limit"),
        ({"daily_cost_limit": 1e-12}, "daily_cost_limit"),
        ({"available_time_start": "08:00"}, "available_time_end"),
        ({"available_time_start": "8", "available_time_end": "9"}, "available_time_start"),
        ({"urls": ["https://two.example"]}, "url"),
        ({"url": "", "urls": [{"url": "https://x.example/v1/search", "exact": True}]}, "urls[0]"),
        ({"url": "", "urls": [{"url": "https://x.example", "protocols": ["grpc"]}]}, "urls[0]"),
        ({"protocol_transform_mode": "local"}, "protocol_transform_mode"),
        ({"protocol_transforms": ["openai"]}, "protocol_transforms"),
        ({"websockets": True}, "websockets"),
        ({"auth_type": "oauth"}, "auth_type"),
        ({"cooldown_detection_rules": {"rules": []}}, "cooldown_detection_rules"),
        ({RULES: {"query": []}}, f"{RULES}.query"),
        (
            {"custom_request_rules": {"headers": [{"action": "remove", "name": "x-api-key"}]}},
            "custom_request_rules.headers[0].name",
        ),
        (
            {"custom_request_rules": {"body": [{"action": "append", "path": "a"}]}},
            "custom_request_rules.body[0].action",
        ),
        ({"dialects": ["openai"]}, "dialects"),
    ],
)
def test_what_cannot_be_is_told_by_the_name_that_was_sent(
    gateway: GatewayProcess, said: dict[str, Any], field: str
) -> None:
    """And nothing is stored."""
    reply = gateway.admin("POST", "/admin/channels", LEAST | said)
    told = reply.json()
    assert (reply.status, told["success"], told.get("field")) == (400, False, field), told
    assert field in told["error"] or told["code"] == "address_refused"
    assert gateway.admin("GET", "/admin/channels").json() == {"success": True, "data": [], "count": 0}


def test_a_name_is_taken_once(gateway: GatewayProcess) -> None:
    """As by our own calls."""
    add(gateway)
    reply = gateway.admin("POST", "/admin/channels", LEAST | {"name": "ONE"})
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (409, "name_taken", "name")
