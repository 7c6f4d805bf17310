"""Channels and tokens as rows of ccLoad's database: what they mean here, and what is said of what they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.callers import ccload_tokens
from app.core.callers.access import hash_of
from app.core.channels.ccload_rows import CcloadChannel, KnownRest, Meant, meaning_of
from app.core.channels.csv_keys import KeyCells
from app.core.channels.definition import parse_channel
from app.core.errors import Invalid

NOW_MS = 1_800_000_000_000
NOW_S = NOW_MS // 1000


def channel(keys: list[dict[str, Any]] | None = None, models: list[dict[str, Any]] | None = None, **row: Any) -> Meant:
    """What the least channel of 1.66 means, with these columns besides."""
    least = {"id": 7, "name": "one", "url": "https://one.example", "priority": 0, "channel_type": "anthropic"}
    url_states, model_rests = row.pop("url_states", ()), row.pop("model_rests", ())
    keys = keys if keys is not None else [{"api_key": "k", "key_strategy": "sequential"}]
    models = models if models is not None else [{"model": "m", "redirect_model": ""}]
    return meaning_of(CcloadChannel({**least, "enabled": 1, **row}, keys, models, url_states, model_rests), NOW_MS)


def test_a_channel_of_1_66_means_the_same_here() -> None:
    keys = [{"api_key": "k1", "key_strategy": "round_robin"}, {"api_key": "k2", "key_strategy": "round_robin"}]
    models = [{"model": "a", "redirect_model": "real"}, {"model": "b", "redirect_model": "b"}]
    row = channel(keys, models, priority=-3, channel_type="codex", enabled=0, daily_cost_limit=2.5).row
    assert (row.line, row.notes, row.guessed) == (7, (), ())
    assert row.keys == KeyCells(["k1", "k2"], ["", ""], [(), ()], [True, True])
    said = parse_channel("1", row.said).said
    assert (said["priority"], said["enabled"], said["cost_per_day_usd"]) == (-3, False, "2.5")
    assert (said["dialects"], said["key_strategy"]) == (["responses"], "round_robin")
    assert said["models"] == [{"name": "a", "upstream_name": "real"}, {"name": "b", "upstream_name": ""}]


def test_a_channel_of_4_7_means_the_same_here() -> None:
    rules = (
        '{"headers": [{"action": "override", "name": "X", "value": "1"}], "body": [{"action": "remove", "path": "a"}]}'
    )
    keys = [
        {"api_key": "k1", "note": "mine", "allowed_models": '["m"]', "disabled": 0, "cost_multiplier": 0.8},
        {"api_key": "k2", "note": "", "allowed_models": "", "disabled": 1, "cost_multiplier": 0.8},
    ]
    row = channel(
        keys,
        url='[{"url":"https://a.example","protocols":["openai","codex"]},{"url":"https://b.example","protocols":["gemini"]}]',
        rpm_limit=60,
        max_concurrency=4,
        proxy_url="http://proxy.example:3128",
        available_time_start="22:00",
        available_time_end="06:00",
        scheduled_check_enabled=1,
        scheduled_check_model="",
        custom_request_rules=rules,
        protocol_transform_mode="auto",
        cost_multiplier=1,
    ).row
    assert (row.notes, row.guessed) == ((), ())
    assert row.keys == KeyCells(["k1", "k2"], ["mine", ""], [("m",), ()], [True, False])
    said = parse_channel("1", row.said).said
    assert said["dialects"] == ["openai", "responses", "gemini"]
    assert [url["dialects"] for url in said["urls"]] == [["openai", "responses"], ["gemini"]]
    assert (said["requests_per_minute"], said["max_concurrency"], said["hours"]) == (60, 4, "22:00-06:00")
    assert (said["check_model"], said["cost_multiplier"]) == ("m", "0.8")
    assert said["proxy_url"] == "http://proxy.example:3128"
    assert said["header_rules"] == [{"action": "set", "name": "X", "value": "1"}]
    assert said["body_rules"] == [{"action": "remove", "path": "a"}]


def test_what_is_left_out_is_told() -> None:
    rules = '{"headers": [{"action": "override", "name": "Authorization", "value": "1"}]}'
    meant = channel(
        [
            {"api_key": "a b"},
            {"api_key": "k", "priority": 3, "cost_multiplier": 1.0},
            {"api_key": "l", "cost_multiplier": 2},
        ],
        [
            {"model": "m", "pricing": '{"input": 1}'},
            {"model": "off", "disabled": 1},
            {"model": "m", "redirect_model": "n"},
        ],
        url='[{"url":"https://a.example"},{"url":"https://b.example"}]',
        url_states=[{"url": "https://b.example", "disabled": 1}],
        custom_request_rules=rules,
        cooldown_detection_rules='{"rules": [1]}',
        retry_other_keys_on_failure=1,
        websockets=1,
        protocol_transform_mode="local",
    )
    told = "\n".join(meant.row.notes)
    for words in ("1 key left out", "priorities", "multipliers", "prices", "off", "https://b.example", "Authorization"):
        assert words in told
    for words in (
        "a second target of m is left out: n",
        "outcome-rules",
        "retry_other_keys",
        "websockets",
        "protocol_transform_mode",
    ):
        assert words in told
    assert "a b" not in told
    assert [url["url"] for url in meant.row.said["urls"]] == ["https://a.example"]
    assert meant.row.said["cost_multiplier"] == "2"


@pytest.mark.parametrize(
    ("columns", "dialects", "guessed"),
    [
        ({"url": "https://x.example", "channel_type": "gemini"}, ["gemini"], ()),
        ({"url": '[{"url":"https://x.example"}]', "channel_type": "codex"}, ["responses"], ()),
        ({"url": '[{"url":"https://x.example"}]', "channel_type": "anthropic"}, [], ("openai",)),
        ({"url": '[{"url":"https://x.example","protocols":["openai"]}]'}, ["openai"], ()),
    ],
)
def test_what_a_channel_speaks_is_said_by_its_urls_else_by_its_type(
    columns: dict[str, str], dialects: list[str], guessed: tuple[str, ...]
) -> None:
    """Newer versions leave the usual type where nobody said any: then it is guessed."""
    row = channel(**columns).row
    assert (row.said["dialects"], row.guessed) == (dialects, guessed)


def test_rests_that_are_not_over_are_taken() -> None:
    keys = [{"api_key": "k", "cooldown_until": NOW_S + 60}, {"api_key": "l", "cooldown_until": NOW_S - 1}]
    meant = channel(keys, cooldown_until=NOW_S + 10, model_rests=[{"model": "m", "cooldown_until": NOW_S + 5}])
    assert meant.rests == [
        KnownRest(NOW_MS + 10_000),
        KnownRest(NOW_MS + 60_000, secret="k"),
        KnownRest(NOW_MS + 5_000, model="m"),
    ]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"auth_type": "codex_oauth"}, "OAuth"),
        ({"channel_type": "azure"}, "channel_type"),
        ({"url": '[{"exact": true, "url": "https://x.example/other"}]'}, "exact address"),
        ({"custom_request_rules": "{"}, "custom_request_rules is no JSON"),
    ],
)
def test_a_channel_that_cannot_be_taken_says_why(columns: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        channel(**columns)


@pytest.mark.parametrize(
    "columns",
    [
        *({name: value} for name in ("id", "priority", "rpm_limit", "cooldown_until") for value in ("x", float("inf"))),
        *({"daily_cost_limit": value} for value in ("x", float("inf"), -1)),
    ],
)
def test_a_column_of_numbers_that_holds_none_says_so(columns: dict[str, Any]) -> None:
    """SQLite keeps in any column whatever it was given."""
    with pytest.raises(ValueError, match=r"must be (a whole number|an amount)"):
        channel(**columns)


def test_rules_that_are_no_list_are_left_out() -> None:
    assert "headers is left out" in channel(custom_request_rules='{"headers": 5, "body": []}').row.notes[0]


def test_a_rest_is_no_longer_than_a_day() -> None:
    assert channel(cooldown_until=1 << 62).rests == [KnownRest(NOW_MS + 86_400_000)]


# --- tokens ---


def token(**row: Any) -> ccload_tokens.Meant:
    least = {"id": 3, "token": hash_of("the text").hex(), "description": "alice"}
    return ccload_tokens.meaning_of({**least, **row}, {1: "11", 2: "12"}, NOW_MS)


def test_a_token_goes_on_by_its_hash_with_its_limits() -> None:
    meant = token(
        expires_at=NOW_MS + 1000,
        is_active=0,
        allowed_models='["m", "n"]',
        max_concurrency=3,
        cost_limit_microusd=20_000_000,
        cost_used_microusd=5_500_000,
        cost_daily_limit_microusd=1_000_000,
        cost_monthly_limit_microusd=12_340_000,
        allowed_channel_ids="[1, 2]",
        channel_restriction_mode="deny",
    )
    assert meant.digest == hash_of("the text")
    assert meant.said == {
        "name": "alice",
        "note": "",
        "enabled": False,
        "expires_at_ms": NOW_MS + 1000,
        "models": ["m", "n"],
        "max_concurrency": 3,
        "routes": {"mode": "deny", "channels": ["11", "12"]},
        "budgets": {"total_usd": "14.5", "day_usd": "1", "month_usd": "12.34"},
    }
    assert meant.notes == ("$5.5 of its $20 were spent: its total budget is the rest",)


def test_a_token_for_channels_that_are_not_here_opens_no_others() -> None:
    meant = token(allowed_channel_ids="[2, 9]")
    assert meant.said["routes"] == {"mode": "allow", "channels": ["12"]}
    assert meant.notes == ("1 of the channels that it names are not here",)
    for said in ("[9]", '["x"]'):
        assert token(allowed_channel_ids=said).said["routes"] == {"mode": "allow", "channels": []}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"expires_at": NOW_MS}, "expired"),
        ({"token": "plain text"}, "form that is not known"),
        ({"expires_at": float("inf")}, "whole number"),
        ({"cost_limit_microusd": "x"}, "whole number"),
        ({"allowed_models": '{"m": 1}'}, "must be a list"),
        ({"allowed_channel_ids": "7"}, "must be a list"),
    ],
)
def test_a_token_that_cannot_be_taken_says_why(row: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        token(**row)
