"""What may be said of a channel, and what it means."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.core.channels.definition import answer, merged, parse_channel
from app.core.channels.shape import CHANNEL
from app.core.errors import InvalidChannel, UnknownField
from app.core.model import BodyRule, HeaderRule, Hours, ModelEntry
from app.core.settings import Limits

LEAST: dict[str, Any] = {
    "name": "主号 1",
    "dialects": ["anthropic"],
    "urls": [{"url": "https://api.anthropic.com"}],
    "models": [{"name": "claude-sonnet-4-5"}],
}
ALL: dict[str, Any] = {
    "name": "everything",
    "dialects": ["openai", "responses"],
    "urls": [
        {"url": "https://a.example/v1", "weight": 3, "dialects": ["openai"], "exact": False},
        {"url": "https://b.example/api/paas/v4", "weight": 1, "dialects": [], "exact": True},
    ],
    "auth": "both",
    "models": [{"name": "gpt-5", "upstream_name": "gpt-5-2025-08-07"}, {"name": "*", "upstream_name": ""}],
    "priority": -5,
    "weight": 7,
    "enabled": False,
    "key_strategy": "sequential",
    "max_concurrency": 1,
    "requests_per_minute": 2,
    "key_max_concurrency": 3,
    "key_requests_per_minute": 4,
    "cost_per_day_usd": "12.50",
    "cost_multiplier": "0.1",
    "hours": "22:00-06:00 Asia/Shanghai",
    "header_rules": [{"action": "append", "name": "anthropic-beta", "value": "x"}],
    "body_rules": [{"action": "set", "path": "a.0.b", "value": None}, {"action": "remove", "path": "c"}],
    "proxy_url": "socks5h://me:secret@proxy.example:1080",
    "check_model": "gpt-5",
    "note": "two\nlines",
    "options": {"idle_timeout": 5.0, "first_useful_timeout": 0.0},
}


def with_(**changes: Any) -> dict[str, Any]:
    return {**LEAST, **changes}


def test_a_channel_needs_four_fields_and_has_defaults_for_the_rest() -> None:
    """Name, dialects, urls and models; all else has the default of the contract."""
    channel = parse_channel("1", LEAST)
    assert (channel.auth, channel.priority, channel.weight, channel.enabled) == ("auto", 0, 0, True)
    assert (channel.key_strategy, channel.hours, channel.first_useful_timeout) == ("round_robin", None, None)
    assert channel.said["urls"] == [{"url": "https://api.anthropic.com", "weight": 1, "dialects": [], "exact": False}]
    assert channel.said["cost_multiplier"] == "1"
    for name in ("name", "dialects", "urls", "models"):
        with pytest.raises(InvalidChannel) as caught:
            parse_channel("1", {key: value for key, value in LEAST.items() if key != name})
        assert caught.value.field == name


def test_each_field_means_what_it_says() -> None:
    """Every field stands in the Channel, in its right kind."""
    channel = parse_channel("7", ALL, Limits(connect_timeout=3, max_concurrency=9, requests_per_second=9, burst=9))
    assert (channel.id, channel.name, channel.auth) == ("7", "everything", "both")
    assert channel.models == (ModelEntry("gpt-5", "gpt-5-2025-08-07"), ModelEntry("*", ""))
    assert (channel.priority, channel.weight, channel.enabled, channel.key_strategy) == (-5, 7, False, "sequential")
    limits = (channel.max_concurrency, channel.requests_per_minute)
    assert (*limits, channel.key_max_concurrency, channel.key_requests_per_minute) == (1, 2, 3, 4)
    assert channel.hours == Hours(22 * 60, 6 * 60, "Asia/Shanghai")
    assert channel.header_rules == (HeaderRule("append", "anthropic-beta", "x"),)
    assert channel.body_rules == (BodyRule("set", "a.0.b", None), BodyRule("remove", "c", None))
    assert channel.first_useful_timeout == 0.0
    first, second = channel.urls
    assert (first.weight, first.dialects, first.exact) == (3, {"openai"}, False)
    assert (second.weight, second.dialects, second.exact) == (1, {"openai", "responses"}, True)
    assert first.upstream.proxy is not None
    assert (first.upstream.proxy.host, first.upstream.proxy.password) == ("proxy.example", "secret")
    assert first.upstream.limits == channel.limits == Limits(connect_timeout=3, idle_timeout=5)


def test_what_is_stored_means_the_same_again() -> None:
    """The form to store is JSON, has every field, and is what it was made of."""
    channel = parse_channel("7", ALL)
    stored = orjson.loads(orjson.dumps(channel.said))
    assert stored == ALL
    assert sorted(stored) == sorted(CHANNEL.fields)
    assert parse_channel("7", stored) == channel


def test_what_get_gave_can_be_put() -> None:
    """Read-only fields are passed over, and a proxy's password that came masked stays."""
    channel = parse_channel("7", ALL, created_at_ms=5, updated_at_ms=6)
    observed = {"success_rate": 0.5, "urls": {"https://a.example/v1": {"first_byte_ms": 80}}}
    shown = answer(channel, observed)
    assert set(shown) == {*CHANNEL.fields, *CHANNEL.read_only}
    assert (shown["id"], shown["created_at_ms"], shown["updated_at_ms"], shown["success_rate"]) == ("7", 5, 6, 0.5)
    assert shown["last_error"] is None
    assert shown["resting_models"] == {}
    assert [url["first_byte_ms"] for url in shown["urls"]] == [80, None]
    assert "secret" not in str(shown)
    again = parse_channel("7", merged(channel.said, {**shown, "priority": 3, "id": "8"}))
    assert again.priority == 3
    assert again.said == {**channel.said, "priority": 3}


def test_a_put_changes_what_is_given() -> None:
    """And leaves the rest; a proxy that is taken back is gone."""
    said = parse_channel("7", ALL).said
    assert parse_channel("7", merged(said, {"weight": 9})).said == {**said, "weight": 9}
    assert parse_channel("7", merged(said, {"proxy_url": ""})).urls[0].upstream.proxy is None
    with pytest.raises(InvalidChannel):
        merged(said, ["weight"])


URL = "https://api.example"
SET = {"action": "set", "name": "X-A", "value": "b"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 5}, "name"),
        ({"dialects": []}, "dialects"),
        ({"dialects": "openai"}, "dialects"),
        ({"dialects": ["openai", "codex"]}, "dialects[1]"),
        ({"dialects": [["openai"]]}, "dialects[0]"),
        ({"urls": []}, "urls"),
        ({"urls": URL}, "urls"),
        ({"urls": [URL]}, "urls[0]"),
        ({"urls": [{}]}, "urls[0].url"),
        ({"urls": [{"url": "api.example"}]}, "urls[0].url"),
        ({"urls": [{"url": "ftp://api.example"}]}, "urls[0].url"),
        ({"urls": [{"url": "https://me:pw@api.example"}]}, "urls[0].url"),
        ({"urls": [{"url": "https://api.example?key=1"}]}, "urls[0].url"),
        ({"urls": [{"url": "https://a b.example"}]}, "urls[0].url"),
        ({"urls": [{"url": URL}, {"url": URL}]}, "urls[1].url"),
        ({"urls": [{"url": URL, "weight": 0}]}, "urls[0].weight"),
        ({"urls": [{"url": URL, "weight": True}]}, "urls[0].weight"),
        ({"urls": [{"url": URL, "exact": 1}]}, "urls[0].exact"),
        ({"urls": [{"url": URL, "dialects": ["gemini"]}]}, "urls[0].dialects[0]"),
        ({"dialects": ["anthropic", "gemini"], "urls": [{"url": URL, "dialects": ["gemini"]}]}, "urls"),
        ({"auth": "Bearer"}, "auth"),
        ({"models": []}, "models"),
        ({"models": ["gpt-5"]}, "models[0]"),
        ({"models": [{"name": ""}]}, "models[0].name"),
        ({"models": [{"name": "a"}, {"name": "a"}]}, "models[1].name"),
        ({"models": [{"name": "a", "upstream_name": "\x00"}]}, "models[0].upstream_name"),
        ({"priority": 100_000}, "priority"),
        ({"priority": "5"}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"weight": -1}, "weight"),
        ({"enabled": "yes"}, "enabled"),
        ({"key_strategy": "random"}, "key_strategy"),
        ({"max_concurrency": -1}, "max_concurrency"),
        ({"requests_per_minute": 10**9}, "requests_per_minute"),
        ({"key_max_concurrency": None, "key_requests_per_minute": []}, "key_requests_per_minute"),
        ({"cost_per_day_usd": 1.5}, "cost_per_day_usd"),
        ({"cost_per_day_usd": "-1"}, "cost_per_day_usd"),
        ({"cost_multiplier": "1e3"}, "cost_multiplier"),
        ({"hours": "8-9"}, "hours"),
        ({"hours": "08:00-09:00 Mars/Base"}, "hours"),
        ({"header_rules": [SET] * 33}, "header_rules"),
        ({"header_rules": [{**SET, "value": "x" * 8190}]}, "header_rules"),
        ({"header_rules": [{**SET, "action": "override"}]}, "header_rules[0].action"),
        ({"header_rules": [{**SET, "name": "X A"}]}, "header_rules[0].name"),
        ({"header_rules": [{**SET, "value": "b\r\nX-B: c"}]}, "header_rules[0].value"),
        ({"header_rules": [{**SET, "value": 5}]}, "header_rules[0].value"),
        ({"header_rules": [SET, {**SET, "action": "remove", "value": "a\nb"}]}, "header_rules[1].value"),
        ({"body_rules": [{"action": "append", "path": "a"}]}, "body_rules[0].action"),
        ({"body_rules": [{"action": "set", "path": "a"}]}, "body_rules[0].value"),
        ({"body_rules": [{"action": "set", "path": "a..b", "value": 1}]}, "body_rules[0].path"),
        ({"body_rules": [{"action": "set", "path": "a", "value": "x" * 8190}]}, "body_rules"),
        ({"proxy_url": "ftp://proxy.example"}, "proxy_url"),
        ({"proxy_url": "http://me:***@proxy.example"}, "proxy_url"),
        ({"check_model": []}, "check_model"),
        ({"note": "x" * 10_001}, "note"),
        ({"options": []}, "options"),
        ({"options": {"idle_timeout": -1}}, "options.idle_timeout"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_path(changes: dict[str, Any], field: str) -> None:
    """An error names the value to blame, says what would do, and is no unknown field."""
    with pytest.raises(InvalidChannel) as caught:
        parse_channel("1", with_(**changes))
    assert caught.value.told() == {"code": "invalid", "field": field}
    assert field in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["Authorization", "x-api-key", "X-Goog-Api-Key", "api-key", "x-gateway-token", "Proxy-Authorization", "Host",
     "Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE"],
)  # fmt: skip
def test_credentials_and_framing_cannot_be_touched(name: str) -> None:
    """No header rule names a field that holds a credential or frames the request."""
    with pytest.raises(InvalidChannel, match="credentials and framing"):
        parse_channel("1", with_(header_rules=[{"action": "remove", "name": name}]))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"urls_": []}, "urls_"),
        ({"urls": [{"url": URL, "wieght": 1}]}, "urls[0].wieght"),
        ({"models": [{"name": "a", "redirect": "b"}]}, "models[0].redirect"),
        ({"options": {"max_concurrency": 5}}, "options.max_concurrency"),
        ({"header_rules": [{**SET, "if": 1}]}, "header_rules[0].if"),
    ],
)
def test_unknown_fields_are_named(changes: dict[str, Any], field: str) -> None:
    """A misspelt field is an error, at every depth."""
    with pytest.raises(UnknownField) as caught:
        parse_channel("1", with_(**changes))
    assert caught.value.told() == {"code": "unknown_field", "field": field}


def test_no_error_tells_a_password() -> None:
    """Neither that of a proxy nor one that stands in a url."""
    for changes in (
        {"proxy_url": "http://me:hunter2@proxy.example/x"},
        {"urls": [{"url": "ftp://me:hunter2@a.example"}]},
    ):
        with pytest.raises(InvalidChannel) as caught:
            parse_channel("1", with_(**changes))
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", 5])
def test_a_channel_is_an_object(value: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidChannel, match="JSON object"):
        parse_channel("1", value)
