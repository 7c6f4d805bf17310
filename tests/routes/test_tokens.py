"""The admin API of access tokens."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from hashlib import sha256

import pytest

from app.storage.connections import TABLE, open_redis
from tests.support.api_calls import Accounts
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import Log
from tests.support.tokens import add_token, change_token, delete_tokens
from tests.support.waiting import wait_until


@pytest.fixture
def gateway(accounts: Accounts) -> Iterator[GatewayProcess]:
    """With a channel, so that `/v1` is served, and no tokens of others."""
    delete_tokens(accounts.gateway)
    accounts.add("one")
    yield accounts.gateway
    delete_tokens(accounts.gateway)


def test_a_token_is_told_once(gateway: GatewayProcess) -> None:
    """And nothing that is read later holds more of it than its hint; Redis has its hash."""
    reply = gateway.admin("POST", "/api/tokens", {"name": "alice"})
    assert reply.status == 201, reply.body
    text, told = reply.json()["token"], reply.json()["access_token"]
    assert re.fullmatch(r"sk-gw-[A-Za-z0-9_-]{43}", text)
    assert told["hint"] == f"{text[:10]}…{text[-4:]}"
    assert told["spent"] == dict.fromkeys(("total_usd", "day_usd", "month_usd", "reserved_usd"), "0.000000")
    assert (told["requests"], told["errors"], told["last_used_at_ms"]) == (0, 0, None)
    assert abs(told["created_at_ms"] - time.time() * 1000) < 60_000
    shown = gateway.admin("GET", f"/api/tokens/{told['id']}")
    assert shown.json()["access_token"] == told
    assert gateway.admin("GET", "/api/tokens").json()["access_tokens"] == [told]
    with open_redis(gateway.redis_url) as client:
        stored = b"".join(client.hvals(TABLE + "access_tokens"))
    assert sha256(text.encode()).hexdigest().encode() in stored
    assert text[10:-4] not in stored.decode() + shown.body.decode()


def test_what_was_got_can_be_changed_and_put(gateway: GatewayProcess) -> None:
    """A change of one field leaves the rest, and ids are never used twice."""
    token = add_token(gateway, note="first", budgets={"day_usd": "1.50", "total_usd": "7"})
    told = gateway.admin("GET", f"/api/tokens/{token.id}").json()["access_token"]
    changed = change_token(gateway, token, **(told | {"name": "bob"}))
    assert {name: value for name, value in changed.items() if name not in ("name", "updated_at_ms")} == {
        name: value for name, value in told.items() if name not in ("name", "updated_at_ms")
    }
    assert change_token(gateway, token, budgets={"day_usd": None})["budgets"] == {
        "total_usd": "7", "day_usd": None, "month_usd": None,
    }  # fmt: skip
    assert gateway.admin("DELETE", f"/api/tokens/{token.id}").json() == {"success": True, "id": token.id}
    assert int(add_token(gateway).id) > int(token.id)


def test_a_list_comes_in_pages_and_is_searched(gateway: GatewayProcess) -> None:
    made = [add_token(gateway, f"user {n}", note="Team Blue" if n % 2 else "") for n in range(5)]
    first = gateway.admin("GET", "/api/tokens?limit=2").json()
    assert (first["count"], [one["name"] for one in first["access_tokens"]]) == (5, ["user 0", "user 1"])
    gateway.admin("DELETE", f"/api/tokens/{made[1].id}")
    second = gateway.admin("GET", f"/api/tokens?limit=2&after={first['next']}").json()
    assert [one["name"] for one in second["access_tokens"]] == ["user 2", "user 3"]
    last = gateway.admin("GET", f"/api/tokens?limit=2&after={second['next']}").json()
    assert ([one["name"] for one in last["access_tokens"]], last["next"]) == (["user 4"], None)
    assert gateway.admin("GET", "/api/tokens?q=TEAM+blue").json()["count"] == 1
    assert gateway.admin("GET", f"/api/tokens?q={made[4].text[-4:]}").json()["count"] == 1


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a", "expires_at_ms": 1}, "expires_at_ms"),
        ({"name": "a", "time_zone": "Nowhere"}, "time_zone"),
        ({"name": "a", "routes": {"mode": "allow", "channels": ["99999"]}}, "routes.channels[0]"),
        ({"name": "a", "routes": {"mode": "deny", "mappings": ["/nothing-here"]}}, "routes.mappings[0]"),
        ({"name": "a", "budgets": {"day_usd": 3}}, "budgets.day_usd"),
        ({"name": "a", "colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_named(gateway: GatewayProcess, said: dict[str, object], field: str) -> None:
    reply = gateway.admin("POST", "/api/tokens", said)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert reply.json()["code"] == ("unknown_field" if field == "colour" else "invalid")
    assert gateway.admin("GET", "/api/tokens").json()["count"] == 0


@pytest.mark.parametrize(
    ("method", "end"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/rotate"), ("GET", "/usage")]
)
def test_what_is_not_there_is_404(gateway: GatewayProcess, method: str, end: str) -> None:
    reply = gateway.admin(method, f"/api/tokens/12345{end}", {} if method == "PUT" else None)
    assert (reply.status, reply.json()["code"]) == (404, "not_found")


def test_nobody_but_the_admin_sees_them(gateway: GatewayProcess) -> None:
    """Whoever shows an access token there is refused, and locks nobody out, however often he tries."""
    token = add_token(gateway)
    for _ in range(8):
        reply = gateway.request("GET", "/api/tokens", headers=token.bearer)
        assert (reply.status, reply.json()["code"]) == (401, "token_wrong")
    assert gateway.admin("GET", "/api/tokens").status == 200


def test_the_use_of_a_token_is_told(gateway: GatewayProcess) -> None:
    """Of its calls alone; and how often it was used is counted besides."""
    token, other = add_token(gateway), add_token(gateway, "bob", enabled=False)
    for one in (token, other):
        gateway.request("POST", "/v1/chat/completions", '{"model": "nobody-has-it"}', one.bearer)
    gateway.request("GET", "/v1/models", headers=token.bearer)
    path = f"/api/tokens/{token.id}/usage"
    with open_redis(gateway.redis_url) as client:
        log, now_ms = Log(gateway, client), int(time.time() * 1000)

        def is_told() -> bool:
            log.catch_up()
            return bool(gateway.admin("GET", path).json()["usage"]["requests"] == 2)

        wait_until(is_told, "both calls are in the log")
    told = gateway.admin("GET", f"{path}?range=24h").json()
    assert (told["usage"]["requests"], told["usage"]["errors"]) == (2, 0)  # the list of models, too
    assert told["to_ms"] - told["from_ms"] == 86_400_000
    shown = gateway.admin("GET", f"/api/tokens/{token.id}").json()["access_token"]
    assert (shown["requests"], shown["errors"]) == (1, 0)
    assert abs(shown["last_used_at_ms"] - now_ms) < 60_000
    wrong = gateway.admin("GET", f"{path}?range=tomorrow")
    assert (wrong.status, wrong.json()["field"]) == (400, "range")
