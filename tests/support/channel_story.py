"""A call to channels in process: what each account answers is told, and who was tried in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.channels.definition import parse_channel
from app.core.channels.keys import Key
from app.core.choosing.matching import Candidate
from app.core.errors import ApiError
from app.core.judging.outcome import Verdict
from app.core.model import AccessToken, ChannelUrl, Snapshot
from app.core.money.amounts import NANO
from app.core.money.cost import Cost
from app.core.settings import Limits, Settings
from app.core.snapshot import Stored, build_snapshot
from app.core.usage import Usage
from app.proxy.api import calls as api_calls
from app.proxy.api.attempts import Try
from app.proxy.api.calls import Served
from app.proxy.api.choices import KeyTurn
from app.proxy.api.request import ApiRequest
from app.proxy.messages import Inbound
from app.servers.body import RequestInput
from app.wire.dialects.asked import dialect_of
from app.wire.http.headers import Headers
from tests.support.in_process import Client, EngineRoom
from tests.support.upstream import Peer, Upstream

Answer = Callable[[Peer], None]
Tell = Callable[..., "Story"]
"""The fixture that begins stories and closes them."""

TEXT = b'data: {"choices": [{"delta": {"content": "hi"}}]}\n\n'
STOP = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'

CHAT = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}
KEY_FIELDS = ("x-api-key", "x-goog-api-key", "authorization")


def answers(status: int, body: bytes = b"{}", *fields: str) -> Answer:
    """A whole answer of JSON, unless `fields` say otherwise."""
    kind = (
        [] if any(field.lower().startswith("content-type") for field in fields) else ["Content-Type: application/json"]
    )
    head = "\r\n".join([f"HTTP/1.1 {status} Said", *kind, *fields, f"Content-Length: {len(body)}"])
    return lambda peer: peer.send(head.encode() + b"\r\n\r\n" + body)


def fails(status: int, code: str = "", *fields: str) -> Answer:
    """An error in OpenAI's shape."""
    return answers(status, json.dumps({"error": {"message": code, "code": code}}).encode(), *fields)


GOOD = answers(200, b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')


def streams(*events: bytes, cut: bool = False) -> Answer:
    """A stream of these events; with `cut` the connection ends where its framing does not."""

    def answer(peer: Peer) -> None:
        peer.begin_stream()
        for event in events:
            peer.send_chunk(event)
        if cut:
            peer.is_over = True  # type: ignore[attr-defined]
        else:
            peer.end_stream()

    return answer


@dataclass
class Story:
    """Channels by name, the first goes first; of each its keys and what the upstream answers to each, in turn."""

    accounts: dict[str, dict[str, list[Answer]]]
    dialect: str = "openai"
    settings: Settings = field(default_factory=Settings)
    caller: str = "token"
    said: dict[str, Any] = field(default_factory=dict)
    """What is said of each channel besides."""

    def __post_init__(self) -> None:
        self.tried: list[str] = []
        """Channel and key of each attempt, as the upstream saw them."""
        self.noted: list[tuple[str, str]] = []
        """Channel and outcome of each attempt, in the order in which they were noted."""
        self.chosen: list[float] = []
        """Milliseconds until each answer that went to the client began."""
        self.bodies: list[bytes] = []
        self.given: list[str] = []
        """Ids that answers gave."""
        self.room = EngineRoom()
        self.upstream = Upstream(handler=self._answer)
        self.client = Client()
        self.snapshot: Snapshot = build_snapshot(Stored(1, {}), Limits(), self.settings)
        self.channels = {
            name: parse_channel(
                str(number),
                {
                    "name": name,
                    "dialects": [self.dialect],
                    "urls": [{"url": f"{self.upstream.url}/{name}"}],
                    "models": [{"name": "m", "upstream_name": f"m-of-{name}"}],
                    **self.said,
                },
            )
            for number, name in enumerate(self.accounts)
        }

    def _answer(self, peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            name = seen.target.split("/")[1]
            key = next(filter(None, map(seen.field, KEY_FIELDS)), "").removeprefix("Bearer ")
            self.tried.append(f"{name} {key}")
            self.bodies.append(seen.body)
            script = self.accounts[name][key]
            answer = script.pop(0) if len(script) > 1 else script[0]
            answer(peer)
            if getattr(peer, "is_over", False):
                return

    # --- proxy.attempts.Choices ---

    def channels_in_order(self) -> Iterable[Candidate]:
        return [Candidate(channel, channel.models[0].upstream_name) for channel in self.channels.values()]

    def choices(
        self, request: ApiRequest, snapshot: Snapshot, only: frozenset[str] | None, without: frozenset[str] | None
    ) -> Any:
        story = self

        class Fixed:
            def __init__(self) -> None:
                self._left = iter(story.channels_in_order())

            def next_channel(self) -> Candidate | None:
                candidate = next(self._left, None)
                if candidate is not None:
                    self._keys = iter(story.accounts[candidate.channel.name])
                return candidate

            def next_key(self) -> KeyTurn | None:
                key = next(self._keys, None)
                return None if key is None else KeyTurn(Key(key, key))

            def urls(self, candidate: Candidate) -> list[ChannelUrl]:
                return list(candidate.channel.urls)

            def chose(self, tried: Try, first_byte_ms: float) -> None:
                story.chosen.append(first_byte_ms)

            def note(self, tried: Try, verdict: Verdict, status: int, usage: Usage) -> Cost:
                story.noted.append((tried.candidate.channel.name, verdict.outcome.value))
                return story.snapshot.prices.cost(usage, tried.candidate.upstream_model, NANO, 0)

            def gave(self, tried: Try, ids: Sequence[str]) -> None:
                story.given += ids

            def refused(self) -> ApiError:
                return ApiError(503, "all_resting", "nobody")

            def back_s(self) -> int | None:
                return 7

        return Fixed()

    def ask(
        self,
        *,
        stream: bool = False,
        body: bytes = b"",
        fields: Headers | None = None,
        path: str = "",
        method: str = "POST",
    ) -> Served:
        """The client's call, for the model `m` unless its body says otherwise. A HEAD has none."""
        body = (
            b"" if method == "HEAD" else body or json.dumps({"model": "m", "stream": stream, "messages": []}).encode()
        )
        self.client.buffer = body
        fields = [("Host", "g"), ("Content-Type", "application/json"), *(fields or [])]
        asked = dialect_of(method, path or CHAT[self.dialect], {})
        assert asked is not None
        reader = RequestInput(self.client, len(body), expects_continue=False)
        inbound = Inbound("id", method, fields, "", reader, False, "192.0.2.1", None, "", None, self.client.sock)
        token = AccessToken(self.caller, f"name of {self.caller}")
        return api_calls.ask(self.room.engine, inbound, asked, "", fields, self.snapshot, self, (None, None), token)

    def close(self) -> None:
        self.client.close()
        self.room.close()
        self.upstream.close()
