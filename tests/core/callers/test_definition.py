"""What may be said of an access token."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.callers.access import hash_of
from app.core.callers.definition import (
    ACCESS_TOKEN,
    answer,
    check_new,
    hint_of,
    merged,
    parse_access_token,
    read,
    written,
)
from app.core.errors import Invalid
from app.core.model import AccessToken
from app.core.settings import Limits, Settings
from app.core.snapshot import ACCESS_TOKENS, Stored, build_snapshot

SECRET = "sk-gw-" + "abcd" + "x" * 35 + "wxyz"
NOW_MS = 1_700_000_000_000
ALL: dict[str, Any] = {
    "name": "Zoë's laptop",
    "enabled": False,
    "expires_at_ms": NOW_MS + 1,
    "note": "two\nlines",
    "models": ["gpt-5", "claude-*"],
    "routes": {"mode": "allow", "channels": ["1", "2"], "mappings": ["/openai"]},
    "requests_per_minute": 60,
    "max_concurrency": 4,
    "web_pages": True,
    "budgets": {"total_usd": "100", "day_usd": "2.50", "month_usd": "0.000000001"},
    "time_zone": "Asia/Kathmandu",
}


def parsed(said: Any) -> AccessToken:
    return parse_access_token("7", said, hash_of(SECRET), hint_of(SECRET), created_at_ms=1, updated_at_ms=2)


def test_every_field_is_understood_and_answered_as_it_was_said() -> None:
    """What was written is read again, and holds nothing of the text but its hash and its hint."""
    token = parsed(ALL)
    assert token.said == ALL
    assert set(ALL) == set(ACCESS_TOKEN.fields)
    assert (token.total_nano, token.day_nano, token.month_nano) == (100_000_000_000, 2_500_000_000, 1)
    assert (token.model_names, token.model_patterns) == ({"gpt-5"}, ("claude-*",))
    assert (token.routes_mode, token.channels, token.mappings) == ("allow", {"1", "2"}, {"/openai"})
    assert read("7", written(token)) == token
    assert SECRET[7:] not in written(token)
    assert token.hint == "sk-gw-abcd…wxyz"


def test_a_name_is_enough() -> None:
    """Everything else is unlimited, and says so."""
    told = answer(parsed({"name": "alice"}), {})
    assert told["budgets"] == {"total_usd": None, "day_usd": None, "month_usd": None}
    assert told["routes"] == {"mode": "all", "channels": [], "mappings": []}
    assert (told["enabled"], told["expires_at_ms"], told["models"], told["web_pages"]) == (True, None, [], False)
    assert (told["requests_per_minute"], told["max_concurrency"], told["time_zone"]) == (0, 0, "UTC")
    assert set(told) == {*ACCESS_TOKEN.fields, *ACCESS_TOKEN.read_only}
    assert not parsed({"name": "alice"}).is_limited


@pytest.mark.parametrize("name", ["models", "routes", "requests_per_minute", "max_concurrency", "budgets"])
def test_each_limit_makes_a_token_limited(name: str) -> None:
    assert parsed({"name": "alice", name: ALL[name]}).is_limited


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": "a", "colour": "red"}, "colour"),
        ({"name": "a", "expires_at_ms": "soon"}, "expires_at_ms"),
        ({"name": "a", "models": "gpt-5"}, "models"),
        ({"name": "a", "models": ["gpt-5", ""]}, "models[1]"),
        ({"name": "a", "models": ["gpt\n5"]}, "models[0]"),
        ({"name": "a", "routes": {"mode": "some"}}, "routes.mode"),
        ({"name": "a", "routes": {"channel": []}}, "routes.channel"),
        ({"name": "a", "routes": {"channels": [1]}}, "routes.channels[0]"),
        ({"name": "a", "routes": []}, "routes"),
        ({"name": "a", "requests_per_minute": -1}, "requests_per_minute"),
        ({"name": "a", "max_concurrency": 1.5}, "max_concurrency"),
        ({"name": "a", "web_pages": "yes"}, "web_pages"),
        ({"name": "a", "budgets": {"day_usd": 2.5}}, "budgets.day_usd"),
        ({"name": "a", "budgets": {"day_usd": "-1"}}, "budgets.day_usd"),
        ({"name": "a", "budgets": {"total_usd": "0.0000000001"}}, "budgets.total_usd"),
        ({"name": "a", "budgets": {"year_usd": "1"}}, "budgets.year_usd"),
        ({"name": "a", "time_zone": "Mars/Olympus"}, "time_zone"),
        ("alice", ""),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(said: Any, field: str) -> None:
    with pytest.raises(Invalid) as wrong:
        parsed(said)
    assert wrong.value.field == field
    assert field in str(wrong.value) or not field


def test_a_change_leaves_what_it_does_not_name() -> None:
    """In routes and budgets, too; what only the gateway says is passed over."""
    before = parsed(ALL)
    shown = answer(before, {}) | {"name": "other"}
    assert merged(before.said, shown) == ALL | {"name": "other"}
    changed = merged(before.said, {"budgets": {"day_usd": None}, "routes": {"mode": "deny"}})
    assert changed["budgets"] == ALL["budgets"] | {"day_usd": None}
    assert changed["routes"] == ALL["routes"] | {"mode": "deny"}


def test_only_what_is_new_must_be_there_and_in_the_future() -> None:
    """A token that has expired, or names a channel that was deleted since, can be changed all the same."""
    said = ALL | {"expires_at_ms": NOW_MS}
    before = parsed(said)
    check_new(parsed(said | {"note": ""}), before, NOW_MS + 1, [], [])
    for changes, field in [
        ({"expires_at_ms": NOW_MS + 1}, "expires_at_ms"),
        ({"routes": {"mode": "allow", "channels": ["1", "3"]}}, "routes.channels[1]"),
        ({"routes": {"mode": "deny", "mappings": ["/other"]}}, "routes.mappings[0]"),
    ]:
        with pytest.raises(Invalid) as wrong:
            check_new(parsed(said | changes), before, NOW_MS + 1, ["2"], ["/openai"])
        assert wrong.value.field == field


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"said": {"name": "a"}, "sha256": "ab", "hint": ""}'])
def test_what_is_stored_by_hand_and_makes_no_sense_is_said_so(text: str) -> None:
    with pytest.raises(Invalid):
        read("1", text)


def test_a_change_of_one_token_reads_no_other_anew() -> None:
    """Of thousands, each change would cost the more."""
    texts = {str(n): written(parsed(ALL | {"name": f"user {n}"})) for n in range(1, 4)}
    first = Stored(1, {"access_tokens": texts})
    before = build_snapshot(first, Limits(), Settings())
    changed = Stored(2, {"access_tokens": texts | {"2": written(parsed({"name": "other"}))}})
    after = build_snapshot(changed, Limits(), Settings(), before=(first, before))
    old, new = ACCESS_TOKENS.of(before).by_id, ACCESS_TOKENS.of(after).by_id
    assert [old[id] is new[id] for id in ("1", "2", "3")] == [True, False, True]
    assert (new["2"].name, list(new)) == ("other", ["1", "2", "3"])
