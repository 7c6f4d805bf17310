"""Access tokens on mappings: what `require_token` asks for, and that no credential of ours leaves by any of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.api_calls import TOKEN, Accounts, good, refused
from tests.support.gateway import GatewayProcess, Reply
from tests.support.tokens import Issued, add_token, change_token, delete_tokens
from tests.support.upstream import Peer, Upstream

CHAT = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}


class Mapped:
    def __init__(self, gateway: GatewayProcess, upstream: Upstream) -> None:
        self.gateway = gateway
        self.upstream = upstream

    def ask(self, path: str, headers: dict[str, str], model: str = "m", method: str = "POST") -> Reply:
        body = json.dumps({"model": model, "messages": []}) if method == "POST" else None
        return self.gateway.request(method, path, body, JSON | headers)

    def sent(self) -> str:
        """The head of the last request that reached the upstream."""
        return self.upstream.seen[-1].head.decode()


@pytest.fixture
def mapped(accounts: Accounts) -> Iterator[Mapped]:
    """`/closed` asks for a token, `/open` does not; both lead to the same upstream."""
    gateway = accounts.gateway
    for prefix, options in (("/closed", {"require_token": True}), ("/open", {})):
        said = {"prefix": prefix, "target": accounts.upstream.url, "options": options}
        assert gateway.admin("POST", "/api/mappings", said).status == 201
    yield Mapped(gateway, accounts.upstream)
    for prefix in ("closed", "open"):
        gateway.admin("DELETE", f"/api/mappings/{prefix}")
    delete_tokens(gateway)


def test_the_callers_own_credential_passes_and_ours_does_not(mapped: Mapped) -> None:
    token = add_token(mapped.gateway)
    reply = mapped.ask(f"/closed{CHAT}", {"x-gateway-token": token.text, "Authorization": "Bearer sk-theirs"})
    assert reply.status == 200, reply.body
    assert "Authorization: Bearer sk-theirs" in mapped.sent()
    assert token.text not in mapped.sent()
    assert "x-gateway-token" not in mapped.sent().lower()


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "x-goog-api-key", "api-key"])
@pytest.mark.parametrize("prefix", ["/closed", "/open"])
def test_the_callers_credential_opens_them_when_it_is_ours(mapped: Mapped, name: str, prefix: str) -> None:
    """Of an operator or of the environment, it leaves by no mapping, whether that asks for one or not."""
    for text in (add_token(mapped.gateway).text, TOKEN):
        value = f"Bearer {text}" if name == "Authorization" else text
        reply = mapped.ask(f"{prefix}{CHAT}?a=1&key={text}", {name: value})
        assert reply.status == 200, reply.body
        assert text not in mapped.sent()
        assert mapped.upstream.seen[-1].target == f"{CHAT}?a=1"


def test_a_bare_or_oddly_written_one_does_not_leave_either(mapped: Mapped) -> None:
    token = add_token(mapped.gateway)
    for value in (token.text, f"Bearer   {token.text}", f"bearer\t{token.text} ", f"Token {token.text}"):
        assert mapped.ask(f"/open{CHAT}", {"Authorization": value}).status == 200
        assert token.text not in mapped.sent()
    assert mapped.ask(f"/open{CHAT}?key=sk%2Dgw{token.text[5:].replace('-', '%2D')}", {}).status == 200
    assert mapped.upstream.seen[-1].target == CHAT


@pytest.mark.parametrize("fields", [{}, {"Authorization": "Bearer sk-theirs"}, {"x-api-key": "sk-gw-theirs"}])
def test_what_is_not_ours_passes_an_open_mapping_as_it_came(mapped: Mapped, fields: dict[str, str]) -> None:
    """Another gateway behind this one has tokens that begin as ours do."""
    reply = mapped.ask(f"/open{CHAT}?key=theirs&x-gateway-token", fields | {"x-gateway-token": "another gateway's"})
    assert reply.status == 200
    assert mapped.upstream.seen[-1].target == f"{CHAT}?key=theirs&x-gateway-token"
    for name, value in (fields | {"x-gateway-token": "another gateway's"}).items():
        assert mapped.upstream.seen[-1].field(name) == value


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "access_token_required"),
        ({"Authorization": "Bearer sk-theirs"}, "access_token_required"),
        ({"x-gateway-token": "nobody's"}, "access_token_invalid"),
        ({"x-api-key": "sk-gw-unknown"}, "access_token_invalid"),
    ],
)
def test_a_closed_mapping_says_what_is_missing(mapped: Mapped, fields: dict[str, str], code: str) -> None:
    """In the dialect of the path behind its prefix."""
    before = len(mapped.upstream.seen)
    reply = mapped.ask(f"/closed{CHAT}", fields)
    assert refused(reply) == (401, code, "false")
    assert reply.json()["error"]["type"] == "authentication_error"
    told = mapped.ask("/closed/v1/messages", fields).json()
    assert (told["type"], told["error"]["type"]) == ("error", "authentication_error")
    told = mapped.ask("/closed/v1beta/models/m:generateContent", fields).json()
    assert told["error"]["status"] == "UNAUTHENTICATED"
    assert mapped.ask("/closed/anything/else", fields).json()["error"]["code"] == code
    assert len(mapped.upstream.seen) == before


def test_a_token_that_is_no_longer_good_opens_no_mapping(mapped: Mapped) -> None:
    """Neither does it leave by an open one: who shows it is held to it."""
    token = add_token(mapped.gateway, enabled=False)
    for prefix in ("/closed", "/open"):
        assert refused(mapped.ask(prefix + CHAT, token.bearer)) == (401, "access_token_invalid", "false")


@pytest.mark.parametrize("prefix", ["/closed", "/open"])
def test_its_routes_models_and_rate_hold(mapped: Mapped, prefix: str) -> None:
    """The body is read for its model as on channel routes, and goes on as it came."""
    token = add_token(mapped.gateway, models=["m", "n-*"], requests_per_minute=2)
    assert mapped.ask(prefix + CHAT, token.bearer).status == 200
    assert json.loads(mapped.upstream.seen[-1].body) == {"model": "m", "messages": []}
    assert refused(mapped.ask(prefix + CHAT, token.bearer, "other")) == (403, "model_not_allowed", "false")
    assert mapped.ask(f"{prefix}/v1/models", token.bearer, method="GET").status == 200
    assert refused(mapped.ask(f"{prefix}/v1/files", token.bearer)) == (403, "route_not_allowed", "false")
    assert refused(mapped.ask(f"{prefix}/no/dialect", token.bearer)) == (403, "route_not_allowed", "false")
    assert mapped.ask(f"{prefix}/v1/messages/count_tokens", token.bearer).status == 200
    assert mapped.ask(f"{prefix}/v1beta/models/n-1:generateContent", token.bearer).status == 200
    reply = mapped.ask(prefix + CHAT, token.bearer)
    assert refused(reply) == (429, "token_rate_limited", None)
    assert 55 <= int(reply.field("retry-after") or 0) <= 60


@pytest.mark.parametrize("prefix", ["/closed", "/open"])
def test_its_time_and_its_calls_at_once_hold(mapped: Mapped, prefix: str) -> None:
    arrived, release = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        arrived.set()
        release.wait(5)
        good(peer)

    mapped.upstream.handler = slow
    token = add_token(mapped.gateway, max_concurrency=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(mapped.ask, prefix + CHAT, token.bearer)
        assert arrived.wait(5)
        reply = mapped.ask(prefix + CHAT, token.bearer)
        assert refused(reply) == (429, "token_concurrency_exceeded", None)
        assert reply.field("retry-after") == "1"
        release.set()
        assert first.result().status == 200
    assert mapped.ask(prefix + CHAT, token.bearer).status == 200
    change_token(mapped.gateway, token, expires_at_ms=int(time.time() * 1000) + 1000)
    time.sleep(1.0)
    assert refused(mapped.ask(prefix + CHAT, token.bearer)) == (401, "access_token_expired", "false")


def test_a_mapping_that_the_token_does_not_open_is_refused(mapped: Mapped) -> None:
    token = add_token(mapped.gateway, routes={"mode": "allow", "mappings": ["/open"]})
    assert mapped.ask(f"/open{CHAT}", token.bearer).status == 200
    assert refused(mapped.ask(f"/closed{CHAT}", token.bearer)) == (403, "route_not_allowed", "false")
    change_token(mapped.gateway, token, routes={"mode": "deny"})
    assert mapped.ask(f"/closed{CHAT}", token.bearer).status == 200
    assert refused(mapped.ask(f"/open{CHAT}", token.bearer)) == (403, "route_not_allowed", "false")


def test_a_long_body_goes_on_whole(mapped: Mapped) -> None:
    """One that must be held for its model, and is longer than what is kept in memory."""
    token = add_token(mapped.gateway, models=["m"])
    body = json.dumps({"model": "m", "messages": ["x" * 3_000_000]}).encode()
    chunked: Any = [body[:100], body[100:]]
    for sent in (body, chunked):
        reply = mapped.gateway.request("POST", f"/closed{CHAT}", sent, token.bearer)
        assert reply.status == 200, reply.body
        assert mapped.upstream.seen[-1].body == body


def test_the_option_can_be_taken_back(mapped: Mapped) -> None:
    """It is an option like others; what was listed can be sent back."""
    listed = mapped.gateway.admin("GET", "/api/mappings").json()["options"]
    assert listed["/closed"] == {"require_token": True}
    assert mapped.gateway.admin("PUT", "/api/mappings/closed", {"options": {}}).status == 200
    assert mapped.ask(f"/closed{CHAT}", {}).status == 200
    assert mapped.gateway.admin("PUT", "/api/mappings/closed", {"options": listed["/closed"]}).status == 200
    assert mapped.ask(f"/closed{CHAT}", {}).status == 401


def test_the_line_of_a_mapped_call_names_its_token(mapped: Mapped) -> None:
    token: Issued = add_token(mapped.gateway, "bob")
    id = str(mapped.ask(f"/closed{CHAT}", token.bearer).field("x-gateway-request-id"))
    [line] = [line for line in mapped.gateway.log_with(id).splitlines() if id in line and "request: " in line]
    assert " token=bob" in line
