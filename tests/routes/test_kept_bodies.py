"""`log_bodies_minutes`: bodies of calls are kept for a while, beside their rows, and without secrets."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from app.storage.connections import LOG_BODIES, LOG_BODIES_BYTES, LOG_BODIES_INDEX, open_redis
from app.telemetry.bodies.kept import MOST_BYTES
from tests.support.api_calls import BEARER, TOKEN, Accounts
from tests.support.gateway import Reply
from tests.support.log_rows import Log
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

CHAT = "/v1/chat/completions"
KEY = "upstream/canary+key=0001"


@pytest.fixture
def log(accounts: Accounts) -> Iterator[Log]:
    """Of a gateway that keeps bodies."""
    with open_redis(accounts.gateway.redis_url) as client:
        accounts.gateway.admin("PUT", "/api/settings", {"log_bodies_minutes": 5})
        log = Log(accounts.gateway, client)
        yield log
        accounts.gateway.admin("PUT", "/api/settings", {"log_bodies_minutes": None})
        client.delete(LOG_BODIES_BYTES, LOG_BODIES_INDEX, *client.keys(LOG_BODIES + "*"))
        log.database.close()


def bodies_of(log: Log, reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = wait_until(lambda: log.of(reply)["bodies"], "its bodies are kept")
    return found


def repeats(peer: Peer) -> None:
    """Tells in a good answer all that it was told."""
    while (seen := peer.read_request()) is not None:
        said = f"you said {seen.body.decode()} with {seen.field('authorization')}"
        answer = {"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}
        peer.answer(json.dumps(answer).encode())


def test_what_was_said_is_kept_without_secrets(accounts: Accounts, log: Log) -> None:
    """The caller's token, the channel's key, and what looks like a secret: neither is told, nor stands in Redis."""
    accounts.upstream.handler = repeats
    accounts.add("one", [KEY])
    secrets = [
        TOKEN,
        KEY,
        "sk-proj-0123456789abcdef",
        "eyJhbGciOiJI.eyJzdWIiOiIx.abcdef",
        "hunter2secret",
        "c29tZXRoaW5n",
    ]
    said = f"my keys are {TOKEN}, {secrets[2]} and {secrets[3]}; Authorization: Basic {secrets[5]}"
    body = {"model": "m", "messages": [{"content": said}], "tools": {"db_password": secrets[4], "max_tokens": "100"}}
    reply = accounts.gateway.request("POST", f"{CHAT}?key={TOKEN}", json.dumps(body), BEARER)
    assert reply.status == 200
    assert KEY in reply.body.decode()
    kept = bodies_of(log, reply)
    asked, answered = kept["request"], kept["answer"]
    assert asked["bytes"] == len(json.dumps(body))
    assert answered["bytes"] == len(reply.body)
    assert "my keys are" in asked["text"]
    assert '"max_tokens": "100"' in asked["text"]
    assert "you said" in answered["text"]
    assert (asked["is_cut"], answered["is_cut"]) == (False, False)
    told = json.dumps(kept)
    for secret in secrets:
        assert secret not in told, secret
    stored = log.client.get(LOG_BODIES + str(reply.field("x-gateway-request-id")))
    assert stored is not None
    assert 0 < log.client.pttl(LOG_BODIES + str(reply.field("x-gateway-request-id"))) <= 300_000


def test_long_bodies_and_those_that_are_no_text_are_kept_short(accounts: Accounts, log: Log) -> None:
    """The beginning of a text, however it is coded; of all else how long it was."""
    upstream = Upstream()
    long = b"x" * (3 * MOST_BYTES)

    def answer(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if b"/image" in seen.target.encode():
                peer.answer(b"\x89PNG", fields="Content-Type: image/png\r\n")
            else:
                fields = "Content-Type: text/plain\r\nContent-Encoding: deflate\r\n"
                peer.answer(zlib.compress(long), fields=fields)

    upstream.handler = answer
    gateway = accounts.gateway
    gateway.map("/kept", upstream.url)
    try:
        kept = bodies_of(log, gateway.request("POST", "/kept/text", long.decode(), {"Content-Type": "text/plain"}))
        assert kept["request"] == {
            "content_type": "text/plain",
            "bytes": len(long),
            "text": "x" * MOST_BYTES,
            "is_cut": True,
        }
        assert (kept["answer"]["text"], kept["answer"]["is_cut"]) == ("x" * MOST_BYTES, True)
        kept = bodies_of(log, gateway.request("GET", "/kept/image"))
        assert kept["answer"] == {"content_type": "image/png", "bytes": 4, "text": None, "is_cut": False}
    finally:
        gateway.admin("DELETE", "/api/mappings/kept")
        upstream.close()


def test_nothing_is_kept_where_nobody_asked(accounts: Accounts, log: Log) -> None:
    """By default, and from the moment on at which it is switched off."""
    accounts.add("one")
    accounts.gateway.admin("PUT", "/api/settings", {"log_bodies_minutes": 0})
    reply = accounts.gateway.request("POST", CHAT, '{"model": "m"}', BEARER)
    assert log.of(reply)["bodies"] is None
    assert not log.client.exists(LOG_BODIES + str(reply.field("x-gateway-request-id")))
