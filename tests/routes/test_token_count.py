"""How many tokens a request would have is answered here: in each dialect, for any model, and nobody else is asked."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from typing import Any

import brotli
import pytest

from tests.support.api_calls import BEARER, OTHER_TOKEN, TOKEN, Accounts, refused
from tests.support.coding_agents import claude_code
from tests.support.compression import zstd
from tests.support.counted_texts import ENGLISH
from tests.support.gateway import Reply

PATHS = {
    "anthropic": "/v1/messages/count_tokens",
    "gemini": "/v1beta/models/of-nobody:countTokens",
    "responses": "/v1/responses/input_tokens",
}
BODIES: dict[str, dict[str, Any]] = {
    "anthropic": {"model": "of-nobody", "messages": [{"role": "user", "content": ENGLISH}]},
    "gemini": {"contents": [{"parts": [{"text": ENGLISH}]}]},
    "responses": {"model": "of-nobody", "input": ENGLISH},
}


@pytest.fixture
def one(accounts: Accounts) -> Accounts:
    """A channel, which serves another model than is asked for."""
    accounts.add("one")
    return accounts


def ask(accounts: Accounts, dialect: str, body: Any = None, path: str = "", **fields: str) -> Reply:
    said = BODIES[dialect] if body is None else body
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    headers = BEARER | {name.replace("_", "-").title(): value for name, value in fields.items()}
    return accounts.gateway.request("POST", path or PATHS[dialect], data, headers)


def counted(reply: Reply) -> int:
    assert reply.status == 200, reply.body
    told = reply.json()
    return int(told["totalTokens"] if "totalTokens" in told else told["input_tokens"])


@pytest.mark.parametrize("dialect", PATHS)
def test_each_dialect_is_answered_without_an_upstream(one: Accounts, dialect: str) -> None:
    """About as many tokens as the text has, in the dialect's shape, and the fields say that nobody was asked."""
    reply = ask(one, dialect)
    assert 175 <= counted(reply) <= 230
    assert reply.field("content-type") == "application/json"
    assert (reply.field("x-gateway-attempts"), reply.field("x-gateway-channel")) == ("0", None)
    assert reply.field("x-gateway-request-id")
    assert not one.upstream.seen


def test_it_counts_for_nothing_but_the_statistics(one: Accounts) -> None:
    """A call like those for the lists of models: in the log once, with 200."""
    reply = ask(one, "anthropic", path="/v1/messages/count_tokens?beta=true")
    request_id = str(reply.field("x-gateway-request-id"))
    [line] = [line for line in one.gateway.log_with(request_id).splitlines() if request_id in line]
    assert "200" in line


@pytest.mark.parametrize("is_second", [False, True])
def test_what_claude_code_asks_for_is_answered(one: Accounts, is_second: bool) -> None:
    """Its conversations of 120 KB with many tools, without what says how the answer is to be."""
    turn = claude_code(is_second=is_second)
    body = json.loads(turn.body)
    body = {name: body[name] for name in ("model", "messages", "system", "tools", "thinking", "context_management")}
    reply = one.gateway.request("POST", "/v1/messages/count_tokens?beta=true", json.dumps(body), turn.fields)
    assert 30_000 < counted(reply) < 60_000
    assert not one.upstream.seen


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstd.compress), ("identity", bytes)],
)
def test_compressed_bodies_are_read(one: Accounts, coding: str, pack: Any) -> None:
    """They say the same."""
    plain = json.dumps(BODIES["anthropic"]).encode()
    assert counted(ask(one, "anthropic", pack(plain), content_encoding=coding)) == counted(ask(one, "anthropic"))


@pytest.mark.parametrize("dialect", PATHS)
def test_bodies_that_cannot_be_read_are_told_in_the_dialect(one: Accounts, dialect: str) -> None:
    """No JSON, no object, cut, with `model` twice, or not the coding that they say."""
    bodies = [b"", b"no json", b"[]", b'{"messages": [', b'{"model": "m", "model": "n", "messages": []}', b"{\xff}"]
    for body in bodies:
        reply = ask(one, dialect, body)
        assert refused(reply)[:2] in [(400, "invalid_json"), (400, "model_missing")], body
        assert reply.json()["error"]["message"]
    assert refused(ask(one, dialect, b"\x00\x01\x02", content_encoding="br"))[:2] == (400, "invalid_json")
    form = one.gateway.request("POST", PATHS[dialect], b"x=1", BEARER | {"Content-Type": "multipart/form-data"})
    assert form.status == 400


def test_what_is_missing_is_named(one: Accounts) -> None:
    """The model, the messages, the contents."""
    assert refused(ask(one, "anthropic", {"messages": []}))[:2] == (400, "model_missing")
    for dialect, body, name in [("anthropic", {"model": "m"}, "messages"), ("gemini", {}, "contents")]:
        reply = ask(one, dialect, body)
        assert refused(reply)[:2] == (400, "invalid_json")
        assert name in reply.json()["error"]["message"]


@pytest.mark.parametrize("dialect", PATHS)
def test_it_needs_a_token(one: Accounts, dialect: str) -> None:
    """Like all else of the channels; a wrong one is told so."""
    reply = ask(one, dialect, authorization="Bearer wrong")
    assert refused(reply) == (401, "access_token_invalid", "false")
    reply = one.gateway.request("POST", PATHS[dialect], json.dumps(BODIES[dialect]))
    assert refused(reply) == (401, "access_token_required", "false")
    assert ask(one, dialect, authorization=f"Bearer {OTHER_TOKEN}").status == 200


@pytest.mark.parametrize("dialect", PATHS)
def test_without_a_channel_the_path_is_unknown(accounts: Accounts, dialect: str) -> None:
    """As all of `/v1` is then."""
    assert refused(ask(accounts, dialect))[:2] == (404, "mapping_not_found")


def test_other_methods_go_to_the_channels(one: Accounts) -> None:
    """Only a POST asks for a count."""
    one.gateway.request("GET", "/v1/responses/input_tokens", headers=BEARER)
    assert [seen.target for seen in one.upstream.seen] in ([], ["/v1/responses/input_tokens"])


def test_a_mapping_that_leads_to_a_channel_counts_too(one: Accounts) -> None:
    """Below its prefix."""
    one.gateway.map("/alias", "channel:one")
    assert counted(ask(one, "anthropic", path="/alias/v1/messages/count_tokens")) > 100
    assert one.gateway.admin("DELETE", "/api/mappings/alias").status == 200
    assert not one.upstream.seen


def test_bodies_are_bounded(one: Accounts) -> None:
    """By max_body_bytes, and what a compressed one stands for by what is held of any."""
    assert one.gateway.admin("PUT", "/api/settings", {"max_body_bytes": 500}).status == 200
    try:
        assert refused(ask(one, "anthropic"))[:2] == (413, "body_too_large")
        assert ask(one, "responses", {"model": "m", "input": "hi"}).status == 200
    finally:
        one.gateway.admin("PUT", "/api/settings", {"max_body_bytes": None})
    assert one.gateway.admin("PUT", "/api/settings", {"replay_max_bytes": 100_000}).status == 200
    try:
        long = json.dumps({"model": "m", "input": "x" * 200_000}).encode()
        assert refused(ask(one, "responses", long))[:2] == (413, "body_too_large")
        assert refused(ask(one, "responses", gzip.compress(long), content_encoding="gzip"))[:2] == (
            413,
            "body_too_large",
        )
    finally:
        one.gateway.admin("PUT", "/api/settings", {"replay_max_bytes": None})


def test_others_are_served_while_a_long_body_is_counted(one: Accounts) -> None:
    """Ten MB of words take a second; a small call beside it does not wait for that."""
    long = json.dumps({"model": "m", "messages": [{"role": "user", "content": ENGLISH * 12_000}]}).encode()
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(ask(one, "anthropic", long)))
    thread.start()
    served = 0
    while thread.is_alive():
        assert ask(one, "responses", {"model": "m", "input": "hi"}).status == 200
        served += 1
        time.sleep(0.002)
    thread.join()
    assert counted(replies[0]) > 2_000_000
    assert served >= 5


def test_a_client_that_leaves_while_it_sends_is_noticed(one: Accounts) -> None:
    """The call ends, and the gateway serves on."""
    with socket.create_connection(("127.0.0.1", one.gateway.port)) as client:
        head = f"POST {PATHS['anthropic']} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        client.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 90000\r\n\r\n".encode() + b'{"model"')
    assert "499" in one.gateway.log_with("499")
    assert ask(one, "anthropic").status == 200
