"""The admin API tries channels and keys, and asks upstreams for their models."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Seen, Upstream

pytestmark = pytest.mark.usefixtures("no_channels_stay")

CANARY = "sk-canary-0a1b2c3d4e"
DIALECTS = ("openai", "responses", "anthropic", "gemini")

PLAIN: dict[str, dict[str, Any]] = {
    "openai": {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]},
    "responses": {
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}],
    },
    "anthropic": {"type": "message", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]},
}
STREAMED: dict[str, list[bytes]] = {
    "openai": [
        b'data: {"choices":[{"delta":{"content":"h"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"i"},"finish_reason":"stop"}]}\n\n',
        b"data: [DONE]\n\n",
    ],
    "responses": [
        b'data: {"type":"response.output_text.delta","delta":"hi","sequence_number":1}\n\n',
        b'data: {"type":"response.completed","sequence_number":2,"response":{"output":[]}}\n\n',
    ],
    "anthropic": [
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ],
    "gemini": [b'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}\n\n'],
}
PATHS = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/real:generateContent",
}


def answering(body: object, status: str = "200 OK", fields: str = "") -> Callable[[Peer], None]:
    def serve(peer: Peer) -> None:
        while peer.read_request():
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            peer.answer(data, status, f"Content-Type: application/json\r\n{fields}")

    return serve


def streaming(events: list[bytes]) -> Callable[[Peer], None]:
    def serve(peer: Peer) -> None:
        while peer.read_request():
            peer.begin_stream()
            for event in events:
                peer.send_chunk(event)
            peer.end_stream()

    return serve


def channel_at(gateway: GatewayProcess, upstream: Upstream, dialect: str = "openai", **said: Any) -> dict[str, Any]:
    models = [{"name": "m", "upstream_name": "real"}]
    usual = {"dialects": [dialect], "urls": [{"url": upstream.url}], "models": models, "keys": CANARY}
    return add_channel(gateway, **(usual | said))


def try_out(gateway: GatewayProcess, channel: dict[str, Any], path: str = "", **said: Any) -> dict[str, Any]:
    reply = gateway.admin("POST", f"/api/channels/{channel['id']}{path}/test", said or None)
    assert reply.status == 200, reply.body
    assert CANARY.encode() not in reply.body
    test: dict[str, Any] = reply.json()["test"]
    return test


def first_key(gateway: GatewayProcess, channel: dict[str, Any]) -> dict[str, Any]:
    key: dict[str, Any] = gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["keys"][0]
    return key


def credential(seen: Seen) -> str | None:
    shown = [seen.field(name) for name in ("Authorization", "x-api-key", "x-goog-api-key")]
    return next((value for value in shown if value), None)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_good_answer_is_told_with_its_text_and_times(
    gateway: GatewayProcess, upstream: Upstream, dialect: str, stream: bool
) -> None:
    """In each dialect: the model is asked for by its upstream's name, with the key where the dialect wants it."""
    upstream.handler = streaming(STREAMED[dialect]) if stream else answering(PLAIN[dialect], fields="X-Told: yes\r\n")
    channel = channel_at(gateway, upstream, dialect)
    test = try_out(gateway, channel, stream=stream, text="Are you there?")
    key_id = first_key(gateway, channel)["id"]
    assert (test["ok"], test["outcome"], test["status"], test["error"], test["text"]) == (True, "ok", 200, None, "hi")
    assert (test["model"], test["key_id"], test["cost_usd"]) == ("m", key_id, None), "it has no price"
    assert (test["usage"]["output"], test["usage"]["source"]) == (1, "estimated"), "nobody told it"
    assert 0 < test["first_byte_ms"] <= test["first_content_ms"] <= test["duration_ms"]
    assert stream or test["headers"]["X-Told"] == "yes"
    [seen] = upstream.seen
    expected = (
        PATHS[dialect].replace(":generateContent", ":streamGenerateContent?alt=sse") if stream else PATHS[dialect]
    )
    assert seen.target == expected
    assert b"Are you there?" in seen.body
    assert dialect == "gemini" or json.loads(seen.body)["model"] == "real"
    assert CANARY in (credential(seen) or "")


def test_a_bad_key_is_judged_like_any_call_and_shown_nowhere(gateway: GatewayProcess, upstream: Upstream) -> None:
    """It is blacklisted, what the upstream said stands there without it; and a good test brings it back."""
    said = {"error": {"message": f"Incorrect API key provided: {CANARY}", "code": "invalid_api_key"}}
    upstream.handler = answering(
        said, "401 Unauthorized", f"X-Echo: {CANARY}\r\nSet-Cookie: a=b\r\nConnection: close\r\n"
    )
    channel = channel_at(gateway, upstream)
    test = try_out(gateway, channel)
    assert (test["ok"], test["outcome"], test["status"]) == (False, "invalid_key", 401)
    assert "Incorrect API key provided: sk-c…3d4e" in test["text"]
    assert test["error"].startswith("Incorrect API key provided")
    assert test["headers"]["X-Echo"] == "sk-c…3d4e"
    assert "Set-Cookie" not in test["headers"]
    key = first_key(gateway, channel)
    assert key["state"] == "blacklisted"
    assert CANARY not in str(key)
    upstream.handler = answering(PLAIN["openai"])
    assert try_out(gateway, channel, f"/keys/{key['id']}")["ok"] is True
    assert first_key(gateway, channel)["state"] == "active"


def test_a_good_test_ends_rests(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Of channel, key and model, those by hand too; also of a channel that is disabled."""
    upstream.handler = answering(PLAIN["openai"])
    channel = channel_at(gateway, upstream, enabled=False)
    at = f"/api/channels/{channel['id']}"
    for path, said in (("", {}), ("", {"model": "m"}), (f"/keys/{first_key(gateway, channel)['id']}", {})):
        gateway.admin("POST", f"{at}{path}/cooldown", {"seconds": 600} | said)
    assert try_out(gateway, channel)["ok"] is True
    shown = gateway.admin("GET", at).json()["channel"]
    assert (shown["resting_until_ms"], shown["resting_models"], shown["keys"]["active"]) == (None, {}, 1)


def test_a_failed_test_rests_who_is_to_blame(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Once asked, once tried: a test is one attempt."""
    upstream.handler = answering({"error": {"message": "slow down"}}, "429 Too Many Requests", "Retry-After: 90\r\n")
    channel = channel_at(gateway, upstream, keys=f"{CANARY} sk-second-key-of-it")
    test = try_out(gateway, channel)
    assert (test["outcome"], test["status"]) == ("rate_limited", 429)
    states = [key["state"] for key in gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["keys"]]
    assert sorted(states) == ["active", "resting"]
    assert len(upstream.seen) == 1


def test_a_stream_that_breaks_off_is_no_good_answer(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Though it began well; what came is shown."""
    upstream.handler = streaming(STREAMED["openai"][:1])
    test = try_out(gateway, channel_at(gateway, upstream), stream=True)
    assert (test["ok"], test["outcome"], test["text"]) == (False, "truncated", "h")


def test_where_nobody_answers_that_is_told(gateway: GatewayProcess, upstream: Upstream) -> None:
    """No connection, and no status then."""
    test = try_out(gateway, channel_at(gateway, upstream, urls=[{"url": "http://127.0.0.1:1"}]))
    assert (test["ok"], test["outcome"], test["status"]) == (False, "unreachable", None)
    assert "127.0.0.1:1" in test["error"]


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({"dialect": "gemini"}, 400, "dialect"),
        ({"stream": "yes"}, 400, "stream"),
        ({"model": 1}, 400, "model"),
        ({"key_id": "999999"}, 404, None),
        ({"prompt": "x"}, 400, "prompt"),
    ],
)
def test_a_test_that_cannot_be_is_refused(
    gateway: GatewayProcess, upstream: Upstream, said: dict[str, Any], status: int, field: str | None
) -> None:
    """Without asking the upstream."""
    channel = channel_at(gateway, upstream)
    reply = gateway.admin("POST", f"/api/channels/{channel['id']}/test", said)
    assert (reply.status, reply.json().get("field")) == (status, field)
    assert upstream.seen == []


def test_what_a_test_lacks_is_told(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A key, or which model where the channel serves all and names none."""
    keyless = channel_at(gateway, upstream, name="keyless", keys=[])
    assert gateway.admin("POST", f"/api/channels/{keyless['id']}/test").json()["field"] == "key_id"
    nameless = channel_at(gateway, upstream, name="nameless", models=[{"name": "*"}])
    assert gateway.admin("POST", f"/api/channels/{nameless['id']}/test").json()["field"] == "model"


# --- models ---


def listing(pages: dict[str, object]) -> Callable[[Peer], None]:
    """Answers by the target."""

    def serve(peer: Peer) -> None:
        while request := peer.read_request():
            page = pages.get(request.target)
            peer.answer(json.dumps(page).encode(), "200 OK" if page else "404 Not Found")

    return serve


PAGES: dict[str, dict[str, object]] = {
    "openai": {"/v1/models": {"object": "list", "data": [{"id": "b"}, {"id": "a"}, {"id": "b"}]}},
    "responses": {"/v1/models": {"data": [{"id": "b"}, {"id": "a"}]}},
    "anthropic": {
        "/v1/models?limit=1000": {"data": [{"id": "b"}], "has_more": True, "last_id": "b"},
        "/v1/models?limit=1000&after_id=b": {"data": [{"id": "a"}], "has_more": False, "last_id": "a"},
    },
    "gemini": {
        "/v1beta/models?pageSize=1000": {"models": [{"name": "models/b"}], "nextPageToken": "t"},
        "/v1beta/models?pageSize=1000&pageToken=t": {"models": [{"name": "models/a"}]},
    },
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_upstreams_models_are_fetched(gateway: GatewayProcess, upstream: Upstream, dialect: str) -> None:
    """In the order of the upstream, all pages of them; of a channel, and of one that is not stored yet."""
    upstream.handler = listing(PAGES[dialect])
    channel = channel_at(gateway, upstream, dialect)
    told = {"success": True, "count": 2, "models": ["b", "a"]}
    assert gateway.admin("POST", f"/api/channels/{channel['id']}/models/fetch").json() == told
    unsaved = {"urls": [{"url": f"{upstream.url}/v1"}], "dialects": [dialect], "key": CANARY}
    assert gateway.admin("POST", "/api/channels/models/fetch", unsaved).json() == told
    assert all(CANARY in (credential(seen) or "") for seen in upstream.seen)
    assert dialect != "anthropic" or upstream.seen[0].field("anthropic-version")


@pytest.mark.parametrize(
    ("body", "status", "fields", "says"),
    [
        ({"error": {"message": f"no such key {CANARY}"}}, "401 Unauthorized", "", "401: no such key sk-c…3d4e"),
        (b"<html>", "200 OK", "", "200: no list of models"),
        ({"data": []}, "302 Found", "Location: http://127.0.0.1:1/\r\n", "302: a redirect"),
    ],
)
def test_an_upstream_that_tells_no_models_is_a_502_with_its_words(
    gateway: GatewayProcess, upstream: Upstream, body: object, status: str, fields: str, says: str
) -> None:
    """Without the key; and no redirect takes the key elsewhere."""
    upstream.handler = answering(body, status, fields)
    channel = channel_at(gateway, upstream)
    reply = gateway.admin("POST", f"/api/channels/{channel['id']}/models/fetch")
    assert (reply.status, reply.json()["code"]) == (502, "upstream_failed")
    assert says in reply.json()["error"]
    assert CANARY.encode() not in reply.body
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"key": ""}, "invalid", "key"),
        ({"key": "sk-1 sk-2"}, "invalid", "key"),
        ({"urls": [{"url": "http://10.0.0.1"}]}, "address_refused", "urls[0].url"),
        ({"urls": []}, "invalid", "urls"),
        ({"dialects": []}, "invalid", "dialects"),
        ({"name": "x"}, "unknown_field", "name"),
    ],
)
def test_models_of_what_cannot_be_a_channel_are_not_fetched(
    gateway: GatewayProcess, said: dict[str, Any], code: str, field: str
) -> None:
    """Nobody is asked; the field to blame is told."""
    unsaved = {"urls": [{"url": "https://one.example"}], "dialects": ["openai"], "key": CANARY} | said
    reply = gateway.admin("POST", "/api/channels/models/fetch", unsaved)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field)
