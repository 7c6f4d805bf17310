"""What calls used stands in their rows: of channels always, of mappings as `meter_mappings` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.core.usage import ABSENT
from app.storage.connections import open_redis
from tests.support.api_calls import Accounts
from tests.support.coding_agents import claude_code, codex
from tests.support.gateway import Reply
from tests.support.golden_usage import CHAT, GOLDEN, Golden, pieces_of
from tests.support.log_rows import Log
from tests.support.packed import PACKERS
from tests.support.tokens import add_token, delete_tokens
from tests.support.upstream import Peer

GATEWAY_TOKEN = "x-gateway-token"


@pytest.fixture
def mapped(accounts: Accounts) -> Iterator[Accounts]:
    """With a mapping `/m` to its upstream."""
    accounts.gateway.map("/m", accounts.upstream.url)
    yield accounts
    accounts.gateway.admin("DELETE", "/api/mappings/m")
    accounts.gateway.admin("PUT", "/api/settings", {"meter_mappings": None})
    delete_tokens(accounts.gateway)


def answers(accounts: Accounts, golden: Golden, coding: str = "") -> bytes:
    """The bytes that its upstream answers from now on."""
    pieces = PACKERS[coding](pieces_of(golden)) if coding else pieces_of(golden)
    fields = f"Content-Type: {golden.kind}\r\nConnection: close\r\n"
    fields += f"Content-Encoding: {coding}\r\n" if coding else ""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream(fields)
        for piece in pieces:
            peer.send_chunk(piece)
        peer.end_stream()

    accounts.upstream.handler = handler
    return b"".join(pieces)


def row_of(accounts: Accounts, reply: Reply) -> dict[str, Any]:
    """The final row of a call, as soon as it is there."""
    with open_redis(accounts.gateway.redis_url) as client:
        return dict(Log(accounts.gateway, client).of(reply)["attempts"][-1])


def ask(accounts: Accounts, headers: dict[str, str], path: str = f"/m{CHAT}") -> Reply:
    body = '{"model": "gpt-x", "stream": true}'
    return accounts.gateway.request("POST", path, body, {"Content-Type": "application/json", **headers})


@pytest.mark.parametrize("coding", ["", *PACKERS])
def test_a_mappings_call_with_a_token_is_metered(mapped: Accounts, coding: str) -> None:
    """And its answer is the upstream's, in its coding."""
    golden = GOLDEN["a stream"]
    body = answers(mapped, golden, coding)
    reply = ask(mapped, {GATEWAY_TOKEN: add_token(mapped.gateway).text})
    assert (reply.status, reply.body) == (200, body)
    row = row_of(mapped, reply)
    assert row["usage"] == golden.used._asdict()
    assert (row["model"], row["dialect"], row["mapping"], row["stream"]) == ("gpt-x", "openai", "/m", True)


@pytest.mark.parametrize(("setting", "with_token", "without"), [("off", False, False), ("all", True, True)])
def test_who_is_metered_is_the_operators_to_say(
    mapped: Accounts, setting: str, with_token: bool, without: bool
) -> None:
    answers(mapped, GOLDEN["a stream"])
    assert mapped.gateway.admin("PUT", "/api/settings", {"meter_mappings": setting}).status == 200
    token = {GATEWAY_TOKEN: add_token(mapped.gateway).text}
    for fields, is_metered in ((token, with_token), ({}, without)):
        row = row_of(mapped, ask(mapped, fields))
        assert row["usage"] == (GOLDEN["a stream"].used if is_metered else ABSENT)._asdict()


def test_without_a_token_no_mapping_is_metered_at_first(mapped: Accounts) -> None:
    answers(mapped, GOLDEN["a stream"])
    row = row_of(mapped, ask(mapped, {}))
    assert (row["usage"], row["mapping"]) == (ABSENT._asdict(), "/m")


@pytest.mark.parametrize("name", ["Claude Code", "Codex, packed"])
def test_what_agents_use_stands_in_their_rows(accounts: Accounts, name: str) -> None:
    turn = {"Claude Code": claude_code(), "Codex, packed": codex(is_packed=True)}[name]
    golden = GOLDEN["a stream of a message" if "messages" in turn.path else "a stream of a response"]
    body = answers(accounts, golden)
    accounts.add("one", models=[{"name": turn.model}])
    reply = accounts.gateway.request("POST", turn.path, turn.body, turn.fields)
    assert (reply.status, reply.body) == (200, body)
    assert accounts.upstream.seen[-1].body == turn.body
    row = row_of(accounts, reply)
    assert (row["usage"], row["model"]) == (golden.used._asdict(), turn.model)


def test_the_gateway_asks_for_the_usage_of_a_stream_if_it_is_told_to(accounts: Accounts) -> None:
    golden = GOLDEN["a stream"]
    body = answers(accounts, golden)
    accounts.add("one", models=[{"name": "gpt-x"}])
    assert accounts.gateway.admin("PUT", "/api/settings", {"openai_include_usage": True}).status == 200
    try:
        reply = ask(accounts, {"Authorization": "Bearer key-of-ours-1"}, CHAT)
    finally:
        accounts.gateway.admin("PUT", "/api/settings", {"openai_include_usage": None})
    assert reply.body == body.replace(pieces_of(golden)[3], b"")
    assert b'{"stream_options":{"include_usage":true},"model"' in accounts.upstream.seen[-1].body
    assert row_of(accounts, reply)["usage"] == golden.used._asdict()
