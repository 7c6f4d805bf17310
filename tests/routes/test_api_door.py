"""The door of calls to channels: which path leads there, who may come in, and what is said of the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.api_calls import BEARER, OTHER_TOKEN, PATHS, TOKEN, Accounts, refused
from tests.support.gateway import Reply


@pytest.fixture
def one(accounts: Accounts) -> Accounts:
    """One channel, which serves `m`."""
    accounts.add("Erste Wahl ü")
    return accounts


def ask(
    accounts: Accounts,
    path: str = PATHS["openai"],
    headers: dict[str, str] | None = None,
    model: str = "m",
    **more: Any,
) -> Reply:
    body = json.dumps({"model": model, "messages": []} | more)
    return accounts.gateway.request("POST", path, body, BEARER if headers is None else headers)


@pytest.mark.parametrize("dialect", PATHS)
def test_a_call_with_a_token_reaches_a_channel_with_its_key(one: Accounts, dialect: str) -> None:
    """The token stays here, the key goes out as the dialect wants it; path, query and body as they came."""
    reply = ask(one, f"{PATHS[dialect]}?beta=true&key=unknown")
    assert reply.status == 200, reply.body
    assert b"hi" in reply.body
    seen = one.upstream.seen[0]
    assert seen.target == f"{PATHS[dialect]}?beta=true"
    assert json.loads(seen.body) == {"model": "m", "messages": []}
    shown = {name.lower(): value for name, value in seen.fields}
    assert TOKEN not in str(seen.fields)
    assert (
        "sk-upstream-0001"
        in shown[{"anthropic": "x-api-key", "gemini": "x-goog-api-key"}.get(dialect, "authorization")]
    )


def test_answers_tell_who_served(one: Accounts) -> None:
    """The channel in percent-encoded UTF-8, how many attempts it took, and our id."""
    reply = ask(one)
    assert reply.field("x-gateway-channel") == "Erste%20Wahl%20%C3%BC"
    assert reply.field("x-gateway-attempts") == "1"
    assert reply.field("x-gateway-model") is None
    assert reply.field("x-gateway-request-id")
    assert reply.field("x-gateway-error") is None
    assert one.gateway.admin("PUT", "/api/settings", {"route_headers": False}).status == 200
    reply = ask(one)
    one.gateway.admin("PUT", "/api/settings", {"route_headers": None})
    assert {reply.field("x-gateway-channel"), reply.field("x-gateway-attempts")} == {None}
    assert reply.field("x-gateway-request-id")


def test_a_trace_is_continued_at_the_channel(one: Accounts) -> None:
    """Our step in the caller's trace goes out, as with mappings."""
    parent = f"00-{'1' * 32}-{'2' * 16}-01"
    assert ask(one, headers=BEARER | {"traceparent": parent}).status == 200
    [sent] = [value for name, value in one.upstream.seen[0].fields if name.lower() == "traceparent"]
    assert sent.startswith(f"00-{'1' * 32}-")
    assert sent != parent


def test_nobody_comes_in_without_a_token(one: Accounts) -> None:
    """Missing and unknown ones are refused in the dialect, without an attempt, and SDKs are told not to ask again."""
    for dialect, path in PATHS.items():
        reply = ask(one, path, {})
        assert refused(reply) == (401, "access_token_required", "false")
        assert reply.field("x-gateway-attempts") == "0"
        told = reply.json()
        kind = told["error"]["status"] if dialect == "gemini" else told["error"]["type"]
        assert kind == ("UNAUTHENTICATED" if dialect == "gemini" else "authentication_error")
        assert "AUTH_KEY" in told["error"]["message"]
        assert refused(ask(one, path, {"x-api-key": "sk-guess"})) == (401, "access_token_invalid", "false")
    assert not one.upstream.seen


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {OTHER_TOKEN}"},
        {"x-api-key": TOKEN},
        {"x-goog-api-key": TOKEN},
        {"api-key": TOKEN},
        {"X-Gateway-Token": TOKEN},
        {"Authorization": "Bearer sk-of-somebody", "x-api-key": TOKEN},
        {"Authorization": "Basic dTpw", "api-key": TOKEN},
    ],
)
def test_a_token_counts_wherever_sdks_write_it(one: Accounts, headers: dict[str, str]) -> None:
    """Beside credentials that nobody knows, too; all of them stay here, and so do cookies and codings that he reads."""
    reply = ask(one, headers=headers | {"Cookie": "session=1", "Accept-Encoding": "gzip"})
    assert reply.status == 200, reply.body
    shown = {name.lower(): value for name, value in one.upstream.seen[0].fields}
    assert shown.pop("authorization") == "Bearer sk-upstream-0001"
    assert not shown.keys() & {"x-api-key", "x-goog-api-key", "api-key", "x-gateway-token", "cookie"}
    codings = [value for name, value in one.upstream.seen[0].fields if name.lower() == "accept-encoding"]
    assert codings == ["identity"]


def test_a_key_in_the_query_counts_and_leaves_it(one: Accounts) -> None:
    """All else in the query stays as it came."""
    assert ask(one, f"{PATHS['gemini']}?alt=sse&key={TOKEN}&%61=b", {}).status == 200
    assert one.upstream.seen[0].target == f"{PATHS['gemini']}?alt=sse&%61=b"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1beta/models"])
def test_without_a_channel_the_paths_are_those_of_no_mapping(accounts: Accounts, path: str) -> None:
    """With the hint that helps whoever left a mapping's prefix out; a disabled channel is one."""
    reply = accounts.gateway.request("GET", path, headers=BEARER)
    assert (reply.status, reply.json()["error"]["code"]) == (404, "mapping_not_found")
    assert reply.field("x-gateway-error") == "mapping_not_found"
    assert "prefix of a mapping is missing" in reply.json()["error"]["message"]
    accounts.add("off", keys=(), enabled=False)
    assert accounts.gateway.request("GET", path, headers=BEARER).field("x-gateway-error") != "mapping_not_found"


def test_a_mapping_goes_before_the_channels(one: Accounts) -> None:
    """The operator said so."""
    one.gateway.map("/v1/messages", one.upstream.url)
    reply = ask(one, PATHS["anthropic"], {"Authorization": "Bearer the-callers-own"})
    one.gateway.admin("DELETE", "/api/mappings/v1/messages")
    assert reply.status == 200
    assert one.upstream.seen[0].field("authorization") == "Bearer the-callers-own"
    assert reply.field("x-gateway-channel") is None
    assert reply.field("x-gateway-request-id") == reply.field("x-request-id")
