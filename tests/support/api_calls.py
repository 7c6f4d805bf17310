"""A gateway with channels, whose accounts all lead to one scripted upstream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.support.channels import said_of_channel
from tests.support.gateway import GatewayProcess, Reply
from tests.support.upstream import Peer, Upstream

TOKEN, OTHER_TOKEN = "key-of-ours-1", "key-of-ours-2"
BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
PATHS = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}
GOOD = {
    "openai": {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]},
    "responses": {"object": "response", "status": "completed", "output": [{"type": "message", "content": ["hi"]}]},
    "anthropic": {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]},
}


def good(peer: Peer) -> None:
    """Answers a call well, in its dialect. Each has a connection of its own, so that a test may change the handler."""
    if (seen := peer.read_request()) is not None:
        ends = (("/messages", "anthropic"), ("/responses", "responses"), (":generateContent", "gemini"))
        dialect = next((name for end, name in ends if end in seen.target), "openai")
        body = json.dumps(GOOD[dialect]).encode()
        peer.answer(body, fields="Content-Type: application/json\r\nConnection: close\r\n")


class Accounts:
    """Channels of a gateway: added and deleted by its admin API, their keys beside it."""

    def __init__(self, gateway: GatewayProcess, upstream: Upstream) -> None:
        self.gateway = gateway
        self.upstream = upstream

    def add(self, name: str, keys: Iterable[str] = ("sk-upstream-0001",), **said: Any) -> str:
        """A channel that serves `m` in all dialects, unless it is said otherwise; its id.

        The process that answered knows its keys; others learn of them within a second.
        """
        least: dict[str, Any] = {"dialects": list(PATHS), "urls": [{"url": self.upstream.url}], "keys": list(keys)}
        reply = self.gateway.admin("POST", "/api/channels", said_of_channel(name, **(least | said)))
        assert reply.status == 201, reply.body
        return str(reply.json()["channel"]["id"])

    def clear(self) -> None:
        """Deletes all channels. A mapping that leads to one is the test's own to delete, before."""
        while listed := self.gateway.admin("GET", "/api/channels").json()["channels"]:
            for channel in listed:
                reply = self.gateway.admin("DELETE", f"/api/channels/{channel['id']}")
                assert reply.status in (200, 404), reply.body  # or it would be tried for ever

    def close(self) -> None:
        self.clear()


def refused(reply: Reply) -> tuple[int, str | None, str | None]:
    """Status, our code, and what the SDK is told of asking again."""
    return reply.status, reply.field("x-gateway-error"), reply.field("x-should-retry")
