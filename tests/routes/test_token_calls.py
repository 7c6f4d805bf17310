"""What access tokens open at the door of channels."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.api_calls import BEARER, PATHS, Accounts, good, refused
from tests.support.gateway import Reply
from tests.support.tokens import Issued, add_token, change_token, delete_tokens
from tests.support.upstream import Peer

CHAT = PATHS["openai"]


@pytest.fixture
def one(accounts: Accounts) -> Iterator[Accounts]:
    """A channel that serves `m`, and no token yet that an operator made."""
    accounts.add("one")
    yield accounts
    delete_tokens(accounts.gateway)


def ask(accounts: Accounts, token: Issued, path: str = CHAT, model: str = "m", **more: Any) -> Reply:
    body = json.dumps({"model": model, "messages": []} | more)
    return accounts.gateway.request("POST", path, body, token.bearer)


@pytest.mark.parametrize(
    "fields",
    [
        lambda text: {"Authorization": f"Bearer {text}"},
        lambda text: {"x-api-key": text},
        lambda text: {"x-goog-api-key": text},
        lambda text: {"api-key": text},
        lambda text: {"x-gateway-token": text, "Authorization": "Bearer sk-of-somebody-else"},
    ],
)
@pytest.mark.parametrize("dialect", PATHS)
def test_a_token_opens_the_channels_wherever_it_is_shown(one: Accounts, fields: Any, dialect: str) -> None:
    """In any of the fields; the upstream sees none of them."""
    token = add_token(one.gateway)
    headers = fields(token.text) | {"Content-Type": "application/json"}
    reply = one.gateway.request("POST", PATHS[dialect], '{"model": "m"}', headers)
    assert reply.status == 200, reply.body
    sent = str(one.upstream.seen[-1].fields)
    assert token.text not in sent
    assert "somebody-else" not in sent


def test_a_token_in_the_query_opens_them(one: Accounts) -> None:
    token = add_token(one.gateway)
    reply = one.gateway.request("POST", f"{CHAT}?a=1&key={token.text}&b=2", '{"model": "m"}')
    assert reply.status == 200, reply.body
    assert one.upstream.seen[-1].target == f"{CHAT}?a=1&b=2"


def test_changes_hold_from_the_next_call_on(one: Accounts) -> None:
    """Disabled, enabled, expired, rotated, deleted."""
    token = add_token(one.gateway)
    assert ask(one, token).status == 200
    change_token(one.gateway, token, enabled=False)
    assert refused(ask(one, token)) == (401, "access_token_invalid", "false")
    change_token(one.gateway, token, enabled=True, expires_at_ms=int(time.time() * 1000) + 1000)
    assert ask(one, token).status == 200
    time.sleep(1.0)
    assert refused(ask(one, token)) == (401, "access_token_expired", "false")
    change_token(one.gateway, token, expires_at_ms=None)
    rotated = one.gateway.admin("POST", f"/api/tokens/{token.id}/rotate").json()
    assert (rotated["access_token"]["id"], rotated["token"][:6]) == (token.id, "sk-gw-")
    assert rotated["access_token"]["hint"].endswith(rotated["token"][-4:])
    assert refused(ask(one, token)) == (401, "access_token_invalid", "false")
    other = Issued(token.id, rotated["token"])
    assert ask(one, other).status == 200
    one.gateway.admin("DELETE", f"/api/tokens/{token.id}")
    assert refused(ask(one, other)) == (401, "access_token_invalid", "false")


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        ("openai", "authentication_error"),
        ("responses", "authentication_error"),
        ("anthropic", "authentication_error"),
        ("gemini", "UNAUTHENTICATED"),
    ],
)
def test_a_refusal_is_told_in_the_dialect(one: Accounts, dialect: str, kind: str) -> None:
    token = add_token(one.gateway, enabled=False)
    error = ask(one, token, PATHS[dialect]).json()["error"]
    assert kind in (error.get("type"), error.get("status"))
    assert "alice" in error["message"]


def test_models_are_those_that_are_named_or_fit(one: Accounts) -> None:
    """As asked for, also where the path names it; and whatever the token may not is refused before it is looked for."""
    one.add("more", models=[{"name": name} for name in ("gpt-5", "gpt-5-mini", "claude-1")])
    token = add_token(one.gateway, models=["m", "gpt-5*"])
    assert ask(one, token, model="gpt-5-mini").status == 200
    assert ask(one, token, PATHS["gemini"]).status == 200
    assert refused(ask(one, token, model="claude-1")) == (403, "model_not_allowed", "false")
    assert refused(ask(one, token, model="nobody-serves-it")) == (403, "model_not_allowed", "false")
    assert refused(ask(one, token, "/v1beta/models/claude-1:generateContent"))[1] == "model_not_allowed"
    assert ask(one, token, "/v1/messages/count_tokens", model="claude-1").status == 200  # counted here, for any model


def test_lists_show_what_the_token_opens(one: Accounts) -> None:
    """By its models and its channels, in each shape."""
    other = one.add("more", models=[{"name": name} for name in ("gpt-5", "gpt-5-mini", "*")])

    def listed(token: Issued, path: str = "/v1/models") -> list[str]:
        told = one.gateway.request("GET", path, headers=token.bearer).json()
        return [entry.get("id", entry.get("name")) for entry in told.get("data", told.get("models"))]

    assert listed(add_token(one.gateway)) == ["gpt-5", "gpt-5-mini", "m"]
    assert listed(add_token(one.gateway, models=["*-mini", "m"])) == ["gpt-5-mini", "m"]
    by_channel = add_token(one.gateway, routes={"mode": "allow", "channels": [other]})
    assert listed(by_channel) == ["gpt-5", "gpt-5-mini"]
    assert listed(by_channel, "/v1beta/models") == ["models/gpt-5", "models/gpt-5-mini"]
    assert listed(add_token(one.gateway, routes={"mode": "deny", "channels": [other]})) == ["m"]
    allowed = one.gateway.request("GET", "/v1/models/gpt-5", headers=by_channel.bearer)
    assert (allowed.status, allowed.json()["id"]) == (200, "gpt-5")
    denied = add_token(one.gateway, models=["m"])
    reply = one.gateway.request("GET", "/v1/models/gpt-5", headers=denied.bearer)
    assert refused(reply) == (403, "model_not_allowed", "false")


def test_a_call_goes_to_channels_that_the_token_opens(one: Accounts) -> None:
    """Others are passed over, however high their priority; where none is left that serves the model it is refused."""
    first = one.add("first", ["sk-first-0001"], priority=10)
    token = add_token(one.gateway, routes={"mode": "deny", "channels": [first]})
    reply = ask(one, token)
    assert (reply.status, reply.field("x-gateway-channel")) == (200, "one")
    change_token(one.gateway, token, routes={"mode": "allow"})
    reply = ask(one, token)
    assert (reply.status, reply.field("x-gateway-channel")) == (200, "first")
    change_token(one.gateway, token, routes={"mode": "allow", "channels": []})
    assert refused(ask(one, token)) == (403, "route_not_allowed", "false")
    assert refused(ask(one, token, model="unserved")) == (404, "model_not_found", "false")


def test_a_looser_match_counts_where_the_token_opens_no_closer_one(one: Accounts) -> None:
    """Who serves the model by its very name is not among those that may be asked."""
    dated = one.add("dated", models=[{"name": "n-20250929"}])
    one.add("exact", models=[{"name": "n"}])
    token = add_token(one.gateway, routes={"mode": "allow", "channels": [dated]})
    reply = ask(one, token, model="n")
    assert (reply.status, reply.field("x-gateway-channel")) == (200, "dated"), reply.body


@pytest.mark.parametrize("limit", [{"models": ["*"]}, {"budgets": {"total_usd": "5"}}])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/files"), ("GET", "/v1/batches"), ("POST", "/v1/fine_tuning/jobs"), ("POST", "/v1/messages/batches")],
)
def test_a_limited_token_opens_nothing_whose_model_or_cost_cannot_be_known(
    one: Accounts, limit: dict[str, Any], method: str, path: str
) -> None:
    one.add("all", models=[{"name": "*"}])
    body = '{"model": "m"}' if method == "POST" else None
    reply = one.gateway.request(method, path, body, add_token(one.gateway, **limit).bearer)
    assert refused(reply) == (403, "route_not_allowed", "false")
    assert one.gateway.request(method, path, body, BEARER).status == 200


@pytest.mark.own_server
@pytest.mark.parametrize("path", ["/v1/realtime?model=m", "/up/v1/realtime?model=m"])
def test_a_limited_token_opens_no_websocket(one: Accounts, path: str) -> None:
    """Nobody knows what goes over it; neither to a channel nor by a mapping."""
    one.gateway.map("/up", one.upstream.url)
    token = add_token(one.gateway, models=["m"])
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    reply = one.gateway.request("GET", path, headers=token.bearer | upgrade | {"Sec-WebSocket-Key": "x" * 24})
    one.gateway.admin("DELETE", "/api/mappings/up")
    assert refused(reply) == (403, "route_not_allowed", "false")
    assert not one.upstream.seen


def test_a_mapping_to_a_channel_is_a_route_of_its_own(one: Accounts) -> None:
    """Whoever may use the channel alone may not use it by the mapping; whoever may use the mapping needs no more."""
    [channel] = one.gateway.admin("GET", "/api/channels").json()["channels"]
    one.gateway.map("/main", "channel:one")
    try:
        by_channel = add_token(one.gateway, routes={"mode": "allow", "channels": [channel["id"]]})
        assert refused(ask(one, by_channel, f"/main{CHAT}"))[:2] == (403, "route_not_allowed")
        by_mapping = add_token(one.gateway, routes={"mode": "allow", "mappings": ["/main"]})
        assert ask(one, by_mapping, f"/main{CHAT}").status == 200
        assert refused(ask(one, by_mapping))[:2] == (403, "route_not_allowed")
        denied = add_token(one.gateway, routes={"mode": "deny", "channels": [channel["id"]]})
        assert refused(ask(one, denied, f"/main{CHAT}"))[:2] == (403, "route_not_allowed")
    finally:
        one.gateway.admin("DELETE", "/api/mappings/main")


def test_a_minute_holds_so_many_calls(one: Accounts) -> None:
    """The next is told when the oldest leaves. What counts for nothing, or was refused, takes no place."""
    token = add_token(one.gateway, requests_per_minute=2)
    assert one.gateway.request("GET", "/v1/models", headers=token.bearer).status == 200
    assert ask(one, token, model="unserved").status == 404
    assert ask(one, token, "/v1/messages").status == 200
    assert ask(one, token).status == 200
    reply = ask(one, token)
    assert refused(reply) == (429, "token_rate_limited", None)
    assert 55 <= int(reply.field("retry-after") or 0) <= 60
    assert reply.json()["error"]["type"] == "rate_limit_error"
    assert one.gateway.request("GET", "/v1/models", headers=token.bearer).status == 200
    assert ask(one, token, "/v1/messages/count_tokens").status == 200
    change_token(one.gateway, token, requests_per_minute=3)
    assert ask(one, token).status == 200
    assert ask(one, token).status == 429


def test_one_call_at_a_time(one: Accounts) -> None:
    """A call in flight holds the one place until its end; the refusal counts for no minute."""
    arrived, release = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        arrived.set()
        release.wait(5)
        good(peer)

    one.upstream.handler = slow
    token = add_token(one.gateway, max_concurrency=1, requests_per_minute=3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, one, token)
        assert arrived.wait(5)
        reply = ask(one, token)
        assert refused(reply) == (429, "token_concurrency_exceeded", None)
        assert reply.field("retry-after") == "1"
        release.set()
        assert first.result().status == 200
    assert [ask(one, token).status for _ in range(3)] == [200, 200, 429]


def test_explain_says_what_the_token_keeps_out(one: Accounts) -> None:
    """By its id, or by its text in the fields that the call would have."""
    [channel] = one.gateway.admin("GET", "/api/channels").json()["channels"]
    one.add("other")
    token = add_token(one.gateway, routes={"mode": "deny", "channels": [channel["id"]]}, models=["m"])

    def explained(model: str = "m", **said: Any) -> dict[str, Any]:
        body = {"path": CHAT, "body": {"model": model}} | said
        told: dict[str, Any] = one.gateway.admin("POST", "/api/explain", body).json()["explanation"]
        return told

    for said in ({"token_id": token.id}, {"headers": {"Authorization": f"Bearer {token.text}"}}):
        found = {row["channel"]: row["excluded"] for row in explained(**said)["candidates"]}
        assert found == {"other": None, "one": "token"}
    assert explained("x", token_id=token.id)["refused"]["code"] == "model_not_allowed"
    change_token(one.gateway, token, enabled=False)
    assert explained(token_id=token.id)["refused"]["code"] == "access_token_invalid"
    assert one.gateway.admin("POST", "/api/explain", {"path": CHAT, "token_id": "9999"}).status == 404


def test_the_line_of_a_call_names_its_token(one: Accounts) -> None:
    """And says nothing of its text, whether the call was served or refused, though the token is good no longer."""
    token = add_token(one.gateway, "Zoë's laptop")
    calls = [ask(one, token), ask(one, token, model="unserved")]
    change_token(one.gateway, token, enabled=False)
    calls.append(ask(one, token))
    ids = [str(reply.field("x-gateway-request-id")) for reply in calls]
    lines = one.gateway.log_with(*ids).splitlines()
    for id in ids:
        [line] = [line for line in lines if id in line and "request: " in line]
        assert 'token="Zoë\'s laptop"' in line
        assert token.text[7:] not in line


def test_its_holder_asks_for_his_own_figures(one: Accounts) -> None:
    """And is told of nobody else; nothing counts for that, and nobody is asked."""
    token = add_token(one.gateway, requests_per_minute=1, max_concurrency=3, budgets={"month_usd": "20"})
    add_token(one.gateway, "bob")
    told = [one.gateway.request("GET", "/v1/dashboard/usage?x=1", headers=token.bearer) for _ in range(3)]
    assert told[-1].status == 200, told[-1].body
    figures = told[-1].json()
    assert set(figures) == {
        "name", "spent", "budgets", "resets", "requests_per_minute", "max_concurrency", "expires_at_ms",
    }  # fmt: skip
    assert (figures["name"], figures["requests_per_minute"], figures["max_concurrency"]) == ("alice", 1, 3)
    assert figures["budgets"] == {"total_usd": None, "day_usd": None, "month_usd": "20"}
    assert figures["spent"]["month_usd"] == "0.000000"
    assert not one.upstream.seen
    assert one.gateway.request("GET", "/v1/dashboard/usage").status == 401
    assert one.gateway.request("GET", "/v1/dashboard/usage", headers=BEARER).json()["name"] == "AUTH_KEY #1"


def test_the_whole_gateway_may_be_limited(one: Accounts) -> None:
    """`global_max_concurrency` counts calls to channels and mappings together."""
    arrived, release = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        arrived.set()
        release.wait(5)
        good(peer)

    one.upstream.handler = slow
    one.gateway.map("/up", one.upstream.url)
    token = add_token(one.gateway)
    assert one.gateway.admin("PUT", "/api/settings", {"global_max_concurrency": 1}).status == 200
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(ask, one, token)
            assert arrived.wait(5)
            for path in (CHAT, f"/up{CHAT}"):
                reply = ask(one, token, path)
                assert refused(reply)[:2] == (429, "upstream_busy")
                assert reply.field("retry-after") == "1"
            release.set()
            assert first.result().status == 200
        assert ask(one, token, f"/up{CHAT}").status == 200
    finally:
        one.gateway.admin("PUT", "/api/settings", {"global_max_concurrency": None})
        one.gateway.admin("DELETE", "/api/mappings/up")
