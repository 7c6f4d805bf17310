"""POST /api/playground: an operator makes a call as an access token whose text nobody shows."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from app.storage.connections import open_redis
from tests.support.api_calls import GOOD, PATHS, Accounts, good
from tests.support.gateway import GatewayProcess, Reply
from tests.support.log_rows import Log
from tests.support.tokens import Issued, add_token, change_token, delete_tokens
from tests.support.upstream import Peer

CHAT = PATHS["openai"]
MARK = "x-gateway-playground"


@pytest.fixture
def one(accounts: Accounts) -> Iterator[Accounts]:
    accounts.add("one")
    yield accounts
    delete_tokens(accounts.gateway)


def play(gateway: GatewayProcess, token: Issued | str, path: str = CHAT, **said: Any) -> Reply:
    token_id = token if isinstance(token, str) else token.id
    return gateway.admin("POST", "/api/playground", {"token_id": token_id, "path": path} | said)


@pytest.mark.parametrize("dialect", PATHS)
def test_a_call_is_answered_as_its_caller_would_be(one: Accounts, dialect: str) -> None:
    """In each dialect; the upstream sees its own key and neither the admin's token nor the access token."""
    token = add_token(one.gateway)
    reply = play(one.gateway, token, PATHS[dialect], body={"model": "m"}, headers={"anthropic-version": "2023-06-01"})
    assert (reply.status, reply.json()) == (200, GOOD[dialect])
    assert reply.field(MARK) == "answered"
    seen = one.upstream.seen[-1]
    assert json.loads(seen.body) == {"model": "m"}
    assert "sk-upstream-0001" in str(seen.fields) or "sk-upstream-0001" in seen.target
    assert token.text not in str(seen.fields)
    assert one.gateway.admin_token not in str(seen.fields)


def test_it_counts_and_is_logged_as_a_call_of_that_token(one: Accounts) -> None:
    """Under the request id that the answer tells."""
    token = add_token(one.gateway, "bob")
    reply = play(one.gateway, token, body={"model": "m"})
    with open_redis(one.gateway.redis_url) as client:
        [row] = Log(one.gateway, client).of(reply)["attempts"]
    assert (row["token_id"], row["token"], row["model"], row["path"]) == (token.id, "bob", "m", CHAT)
    assert (row["user_agent"], row["outcome"]) == ("playground", "ok")


def test_a_call_that_the_token_does_not_open_is_refused_as_its_own(one: Accounts) -> None:
    token = add_token(one.gateway, models=["other"])
    reply = play(one.gateway, token, body={"model": "m"})
    assert (reply.status, reply.field("x-gateway-error"), reply.field(MARK)) == (403, "model_not_allowed", "answered")
    change_token(one.gateway, token, enabled=False)
    reply = play(one.gateway, token, body={"model": "m"})
    assert (reply.status, reply.field("x-gateway-error")) == (401, "access_token_invalid")


def test_a_mapping_is_called_as_that_token_too(one: Accounts) -> None:
    """What its upstream says to a browser stays out: cookies, other addresses, passwords."""
    token = add_token(one.gateway)

    def answer(peer: Peer) -> None:
        peer.read_request()
        fields = "Set-Cookie: a=b\r\nLocation: /api/tokens\r\nWWW-Authenticate: Basic\r\nX-Theirs: 1\r\n"
        peer.answer(b"<p>", "401 Unauthorized", f"{fields}Connection: close\r\n")

    said = {"prefix": "/closed", "target": one.upstream.url, "options": {"require_token": True}}
    assert one.gateway.admin("POST", "/api/mappings", said).status == 201
    one.upstream.handler = answer
    reply = play(one.gateway, token, "/closed/x?a=1", method="GET")
    one.gateway.admin("DELETE", "/api/mappings/closed")
    assert (reply.status, reply.body, one.upstream.seen[-1].line) == (401, b"<p>", "GET /x?a=1 HTTP/1.1")
    assert [reply.field(name) for name in ("x-theirs", "set-cookie", "location", "www-authenticate")] == [
        "1", None, None, None,
    ]  # fmt: skip
    assert "sandbox" in (reply.field("content-security-policy") or "")
    assert reply.field("content-type") == "application/octet-stream"


def test_a_stream_comes_piece_by_piece_and_ends_upstream_with_its_client(one: Accounts) -> None:
    token, left = add_token(one.gateway), threading.Event()

    def stream(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n')
        peer.wait_closed()
        left.set()

    one.upstream.handler = stream
    body = {"token_id": token.id, "path": CHAT, "body": {"model": "m", "stream": True}}
    fields = {"Authorization": f"Bearer {one.gateway.admin_token}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", one.gateway.port, timeout=10)) as connection:
        connection.request("POST", "/api/playground", json.dumps(body), fields)
        answer = connection.getresponse()
        assert answer.getheader("content-type") == "text/event-stream"
        assert b'"content": "a"' in answer.read1()
        assert connection.sock is None or not left.is_set()
        answer.close()
    assert left.wait(5)


CREDENTIALS = ("Authorization", "x-api-key", "Cookie", "X-Auth-Token", "cf-aig-authorization", "Proxy-Authorization")
OF_THE_CONNECTION = ("Connection", "Transfer-Encoding", "Upgrade", "Host", "Content-Length", "X-Forwarded-For", "Via")


@pytest.mark.parametrize("name", [*CREDENTIALS, *OF_THE_CONNECTION, "X-Gateway-Token", "Origin", "Sec-Fetch-Dest"])
def test_fields_of_credentials_and_connections_are_refused(accounts: Accounts, name: str) -> None:
    token = add_token(accounts.gateway)
    reply = play(accounts.gateway, token, headers={name: "v"})
    delete_tokens(accounts.gateway)
    assert (reply.status, reply.json()["field"], reply.field(MARK)) == (400, f"headers.{name}", None)
    assert not accounts.upstream.seen


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({"token_id": "999999"}, 404, "token_id"),
        ({"path": "v1/models"}, 400, "path"),
        ({"path": "//elsewhere.example/v1/models"}, 404, "path"),
        ({"path": "/api/tokens"}, 404, "path"),
        ({"path": "/"}, 404, "path"),
        ({"path": "/proxy/https://example.com/"}, 404, "path"),
        ({"path": "/v1/models?key=sk-1"}, 400, "path"),
        ({"path": "/v1/models HTTP/1.1\r\nX: 1"}, 400, "path"),
        ({"method": "CONNECT"}, 400, "method"),
        ({"method": "OPTIONS"}, 400, "method"),
        ({"headers": {"a b": "c"}}, 400, "headers.a b"),
        ({"headers": {"A": "b\r\nC: d"}}, 400, "headers.A"),
        ({"headers": {f"x-{n}": "1" for n in range(65)}}, 400, "headers"),
        ({"headers": {"a": "b" * 20_000}}, 400, "headers.a"),
        ({"header": {}}, 400, "header"),
    ],
)
def test_what_else_is_no_call_is_refused(one: Accounts, said: dict[str, Any], status: int, field: str) -> None:
    token = add_token(one.gateway)
    reply = play(one.gateway, token, **said) if "path" not in said else play(one.gateway, token, said["path"])
    assert (reply.status, reply.json().get("field"), reply.field(MARK)) == (status, field, None)
    assert not one.upstream.seen


def test_only_the_admin_may(one: Accounts) -> None:
    """And no page of another site, which can send a form and no JSON."""
    token = add_token(one.gateway)
    body = json.dumps({"token_id": token.id, "path": CHAT, "body": {"model": "m"}})
    for bearer in ("wrong", token.text):
        fields = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        assert one.gateway.request("POST", "/api/playground", body, fields).status == 401
    fields = {"Authorization": f"Bearer {one.gateway.admin_token}", "Content-Type": "text/plain"}
    assert one.gateway.request("POST", "/api/playground", body, fields).json()["code"] == "bad_json"
    assert not one.upstream.seen
    one.upstream.handler = good
