"""A login by ccLoad's call, and its end."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import pytest
import redis

from app.storage.connections import ADMIN_SESSION
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess, Reply

JSON = {"Content-Type": "application/json"}

pytestmark = pytest.mark.usefixtures("forgive")


def login(gateway: GatewayProcess, password: Any = ADMIN_TOKEN, **said: Any) -> Reply:
    return gateway.request("POST", "/login", json.dumps({"password": password, **said}), JSON)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_login_is_a_bearer_until_its_logout(gateway: GatewayProcess) -> None:
    """README's example: its answer is read at the top or in `data`; it opens our own calls, too."""
    told = login(gateway).json()
    token = told["token"]
    assert told == {
        "success": True,
        "status": "success",
        "token": token,
        "expiresIn": 86400,
        "data": {"token": token, "expiresIn": 86400},
    }
    assert len(token) == len(bytes.fromhex(token)) * 2 == 64
    for path in ("/admin/channels", "/api/channels", "/blacklist"):
        assert gateway.request("GET", path, headers=bearer(token)).status == 200
    assert gateway.request("POST", "/logout", headers=bearer(token)).json()["success"] is True
    ended = gateway.request("GET", "/admin/channels", headers=bearer(token))
    assert (ended.status, ended.json()["code"], ended.json()["success"]) == (401, "session_ended", False)
    assert gateway.request("POST", "/logout").status == 200


def test_of_a_login_only_a_hash_is_kept_for_a_day(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """Whoever reads Redis can log in with nothing."""
    token = login(gateway, mode="admin").json()["token"]
    key = ADMIN_SESSION + hashlib.sha256(token.encode()).hexdigest()
    assert 86_000 < redis_client.ttl(key) <= 86_400
    assert token.encode() not in (redis_client.get(key) or b"")


def test_wrong_passwords_lock_the_login_as_they_lock_ours(gateway: GatewayProcess) -> None:
    """By the same account of the address; a session that is open stays so."""
    token = login(gateway).json()["token"]
    for _ in range(5):
        wrong = login(gateway, "a guess")
        assert (wrong.status, wrong.json()["error"]) == (401, "Invalid password")
    locked = login(gateway)
    told = locked.json()
    assert (locked.status, told["success"], told["error"]) == (429, False, "Too many failed login attempts")
    assert told["data"]["lockout_seconds"] == int(locked.field("retry-after") or "") > 800
    assert "try again in 15 minutes" in told["data"]["message"]
    assert gateway.admin("GET", "/api/channels").status == 429
    assert gateway.request("GET", "/admin/channels", headers=bearer(token)).status == 200


def test_a_session_that_ended_is_no_wrong_try(gateway: GatewayProcess) -> None:
    """A page that asks every few seconds with it would lock its admin out."""
    for _ in range(10):
        reply = gateway.request("GET", "/api/channels", headers=bearer(secrets.token_hex(32)))
        assert (reply.status, reply.json()["code"]) == (401, "session_ended")
    assert login(gateway).status == 200


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ("password=x", "bad_json", None),
        ("[]", "bad_json", None),
        ("{}", "invalid", "password"),
        ('{"password": 7}', "invalid", "password"),
        ('{"password": "x", "mode": "api_token"}', "invalid", "mode"),
        ('{"password": "x", "user": "me"}', "unknown_field", "user"),
    ],
)
def test_a_login_that_makes_no_sense_is_told_what_does(
    gateway: GatewayProcess, body: str, code: str, field: str | None
) -> None:
    """And counts as no try."""
    reply = gateway.request("POST", "/login", body, JSON)
    told = reply.json()
    assert (reply.status, told["success"], told["code"], told.get("field")) == (400, False, code, field)


def test_channels_ask_for_a_bearer_and_take_no_cookie(gateway: GatewayProcess) -> None:
    """A browser's session is not sent there; nor is it asked for."""
    session = gateway.admin("POST", "/api/admin/login", {"token": gateway.admin_token}).field("set-cookie") or ""
    for method, path in (
        ("GET", "/admin/channels"),
        ("POST", "/admin/channels"),
        ("GET", "/admin/channels/1"),
        ("PUT", "/admin/channels/1"),
        ("DELETE", "/admin/channels/1"),
        ("GET", "/admin/channels/export"),
        ("POST", "/admin/channels/import"),
    ):
        for fields in ({}, {"Cookie": session.split(";")[0]}, {"Authorization": "Basic eDp5"}):
            reply = gateway.request(method, path, headers=fields)
            assert (reply.status, reply.json()["code"]) == (401, "token_missing")
            assert reply.field("cache-control") == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/login", 405, "method_not_allowed"),
        ("PATCH", "/admin/channels", 405, "method_not_allowed"),
        ("GET", "/admin/channels/1/keys/2/what", 404, "not_found"),
        ("GET", "/public/what", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_told_in_the_envelope(
    gateway: GatewayProcess, method: str, path: str, status: int, code: str
) -> None:
    """A script that reads `success` finds it."""
    reply = gateway.admin(method, path)
    assert (reply.status, reply.json()["success"], reply.json()["code"]) == (status, False, code)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/web/", "/admin"),
        ("/web/login.html", "/admin"),
        ("/web/channels.html", "/admin#/channels"),
        ("/web/channels.html?id=3", "/admin#/channels"),
        ("/web/tokens.html", "/admin#/tokens"),
        ("/web/logs.html", "/admin#/logs"),
        ("/web/settings.html", "/admin#/settings"),
        ("/web/model-test.html", "/admin#/channels"),
        ("/web/index.html", "/"),
        ("/web/stats.html", "/"),
        ("/web/trend.html", "/"),
        ("/web/playground.html", "/admin"),
    ],
)
def test_its_pages_lead_to_ours(gateway: GatewayProcess, path: str, place: str) -> None:
    """Bookmarks go on working; nobody has to be logged in for that."""
    reply = gateway.request("GET", path)
    assert (reply.status, reply.field("location")) == (302, place)
    assert gateway.request("GET", "/web/app.css").status == 404
