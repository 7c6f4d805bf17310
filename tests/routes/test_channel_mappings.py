"""A mapping that leads to a channel: it is told, found and refused as calls to channels are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api_calls import BEARER, PATHS, Accounts, refused
from tests.support.gateway import Reply


@pytest.fixture(autouse=True)
def no_mapping_is_left(accounts: Accounts) -> Iterator[None]:
    yield
    accounts.gateway.admin("DELETE", "/api/mappings/acct")


def ask(accounts: Accounts, path: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    body = json.dumps({"model": "m", "messages": []} | more)
    return accounts.gateway.request("POST", path, body, BEARER if headers is None else headers)


@pytest.mark.parametrize("dialect", PATHS)
def test_only_that_channel_is_asked(accounts: Accounts, dialect: str) -> None:
    """However much better the others are; what follows the prefix gives the dialect."""
    accounts.add("better", priority=9)
    accounts.add("Mine", ("sk-of-mine-000001",))
    accounts.gateway.map("/acct", "channel:mine")
    for _ in range(3):
        reply = ask(accounts, f"/acct{PATHS[dialect]}")
        assert (reply.status, reply.field("x-gateway-channel")) == (200, "Mine")
    assert all(seen.target == PATHS[dialect] for seen in accounts.upstream.seen)
    assert all("sk-of-mine-000001" in str(seen.fields) for seen in accounts.upstream.seen)


def test_it_needs_a_token(accounts: Accounts) -> None:
    accounts.add("mine")
    accounts.gateway.map("/acct", "channel:mine")
    reply = ask(accounts, f"/acct{PATHS['anthropic']}", {})
    assert refused(reply) == (401, "access_token_required", "false")
    assert reply.json()["error"]["type"] == "authentication_error"


def test_its_models_are_those_of_the_channel(accounts: Accounts) -> None:
    """In lists, and in calls: what only others serve is not found there."""
    accounts.add("mine", models=[{"name": "only-mine"}])
    accounts.add("other")
    accounts.gateway.map("/acct", "channel:mine")
    listed = accounts.gateway.request("GET", "/acct/v1/models", headers=BEARER).json()
    assert [model["id"] for model in listed["data"]] == ["only-mine"]
    assert refused(ask(accounts, f"/acct{PATHS['openai']}")) == (404, "model_not_found", "false")
    assert ask(accounts, f"/acct{PATHS['openai']}", model="only-mine").status == 200


@pytest.mark.parametrize("said", [{"enabled": False}, {"dialects": ["gemini"]}])
def test_a_channel_that_cannot_serve_is_named(accounts: Accounts, said: dict[str, Any]) -> None:
    """The caller is told which one the mapping means; nobody else is asked in its place."""
    accounts.add("mine", (), **said)
    accounts.add("other")
    accounts.gateway.map("/acct", "channel:mine")
    reply = ask(accounts, f"/acct{PATHS['openai']}")
    assert refused(reply) == (404, "model_not_found", "false")
    assert "'mine'" in reply.json()["error"]["message"]
    assert not accounts.upstream.seen


def test_it_follows_its_channels_name(accounts: Accounts) -> None:
    """And holds its channel: that is not deleted."""
    channel_id = accounts.add("mine")
    accounts.gateway.map("/acct", "channel:mine")
    assert accounts.gateway.admin("DELETE", f"/api/channels/{channel_id}").status == 409
    accounts.gateway.admin("PUT", f"/api/channels/{channel_id}", {"name": "renamed"})
    assert accounts.gateway.admin("GET", "/api/mappings").json()["mappings"]["/acct"] == "channel:renamed"
    assert ask(accounts, f"/acct{PATHS['openai']}").field("x-gateway-channel") == "renamed"


def test_what_no_api_has_is_not_found_below_it(accounts: Accounts) -> None:
    """In words that say how an API's path begins; without a token nobody learns even that."""
    accounts.add("mine", ())
    accounts.gateway.map("/acct", "channel:mine")
    assert refused(ask(accounts, "/acct/chat/completions", {})) == (401, "access_token_required", "false")
    reply = ask(accounts, "/acct/chat/completions")
    assert refused(reply) == (404, "mapping_not_found", "false")
    assert "/v1/" in reply.json()["error"]["message"]


def test_a_target_must_name_a_channel_that_there_is(accounts: Accounts) -> None:
    """Whoever misspells it learns at once; and on `/v1` a mapping takes what all channels would serve."""
    for target, says in (("channel:", "must name a channel"), ("channel:nobody", "there is no channel 'nobody'")):
        reply = accounts.gateway.admin("POST", "/api/mappings", {"prefix": "/acct", "target": target})
        assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, "invalid", "target")
        assert says in reply.json()["error"]


def test_its_calls_count_for_the_mapping(accounts: Accounts) -> None:
    """In the line of the log as in statistics; others count for the path of their dialect."""
    accounts.add("mine")
    accounts.gateway.map("/acct", "channel:mine")
    calls = {
        "mapping=/acct ": ask(accounts, f"/acct{PATHS['openai']}"),
        "mapping=/v1/messages ": ask(accounts, PATHS["anthropic"]),
        "status=401": ask(accounts, PATHS["responses"], {}),
    }
    ids = {says: reply.field("x-gateway-request-id") or "" for says, reply in calls.items()}
    lines = accounts.gateway.settled_log(*ids.values()).splitlines()
    for says, request_id in ids.items():
        assert says in next(line for line in lines if request_id in line)
