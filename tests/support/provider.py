"""A provider with several accounts behind one scripted upstream: each account, or key of one, has its own faults."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.compression import zstd
from tests.support.said_answers import events, plain, tokens
from tests.support.upstream import Peer, Seen, Upstream

KEY_FIELDS = ("x-api-key", "x-goog-api-key", "authorization")
COUNT = 60
"""Tokens of a whole answer."""
WHOLE_TEXT = "".join(tokens(COUNT))


@dataclass
class Asked:
    """One attempt, as the provider sees it."""

    account: str
    key: str
    dialect: str
    is_stream: bool
    seen: Seen
    closed_at: float = 0.0
    """When the gateway was seen to have closed it (time.monotonic()), where the answer waited for that."""
    answered: threading.Event = field(default_factory=threading.Event)
    """All that is to be said has been said."""


Answer = Callable[[Peer, Asked], None]


class Provider:
    """Accounts are the first segments of its urls. What none of `scripts` says is answered well."""

    def __init__(self) -> None:
        self.upstream = Upstream(handler=self._serve)
        self.scripts: dict[str, list[Answer]] = {}
        """By account, or `account key`: the answers in turn, the last for ever."""
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

    def url(self, account: str) -> str:
        return f"{self.upstream.url}/{account}"

    @property
    def tried(self) -> list[str]:
        """Account and key of each attempt."""
        return [f"{asked.account} {asked.key}" for asked in self.asked]

    def forget(self) -> None:
        self.scripts.clear()
        self.asked.clear()

    def close(self) -> None:
        self.upstream.close()

    def _serve(self, peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            asked = _asked(seen)
            with self._lock:
                self.asked.append(asked)
                script = self.scripts.get(f"{asked.account} {asked.key}") or self.scripts.get(asked.account) or [good]
                answer = script.pop(0) if len(script) > 1 else script[0]
            answer(peer, asked)
            asked.answered.set()


def _asked(seen: Seen) -> Asked:
    account = seen.target.split("/")[1]
    key = next(filter(None, map(seen.field, KEY_FIELDS)), "").removeprefix("Bearer ")
    ends = (("/messages", "anthropic"), ("/responses", "responses"), ("enerateContent", "gemini"))
    dialect = next((dialect for end, dialect in ends if end in seen.target), "openai")
    body = zstd.decompress(seen.body) if seen.field("content-encoding") == "zstd" else seen.body
    is_stream = "streamGenerateContent" in seen.target or json.loads(body or b"{}").get("stream") is True
    return Asked(account, key, dialect, is_stream, seen)


# --- answers ---


def good(peer: Peer, asked: Asked) -> None:
    if not asked.is_stream:
        peer.answer(plain(asked.dialect, WHOLE_TEXT))
        return
    peer.begin_stream()
    for event in _all_events(asked):
        peer.send_chunk(event)
    peer.end_stream()


def _all_events(asked: Asked) -> list[bytes]:
    opening, content, ending = events(asked.dialect, tokens(COUNT))
    return [*opening, *content, *ending]


def fails(status: int, error: dict[str, object] | None = None, *fields: str) -> Answer:
    """With an error of JSON."""
    body = json.dumps({"type": "error", "error": {"message": "said no", "type": "api_error"} | (error or {})}).encode()
    lines = "".join(f"{line}\r\n" for line in ("Content-Type: application/json", *fields))
    return lambda peer, asked: peer.answer(body, f"{status} Said", lines)


def resets(peer: Peer, asked: Asked) -> None:
    peer.reset()


def says_nothing(peer: Peer, asked: Asked) -> None:
    """No byte, until the gateway has had enough."""
    wait_closed(peer, asked)


def first_token_after(seconds: float) -> Answer:
    """The head at once, a stream's opening too, and then nothing for so long; the rest comes as ever."""

    def answer(peer: Peer, asked: Asked) -> None:
        first, rest = (b"", plain(asked.dialect, WHOLE_TEXT))
        if asked.is_stream:
            first, rest = b"".join(events(asked.dialect, []).opening), b"".join(_all_events(asked))
        kind = "text/event-stream" if asked.is_stream else "application/json"
        peer.begin_stream(f"Content-Type: {kind}\r\n")
        if first:
            peer.send_chunk(first)
        with suppress(TimeoutError):
            peer.wait_closed(seconds)
            asked.closed_at = time.monotonic()
            return
        peer.sock.settimeout(None)
        peer.send_chunk(rest)
        peer.end_stream()

    return answer


def opens(peer: Peer, asked: Asked, then: Callable[[Peer], None]) -> None:
    """A stream before its first useful content, or the half of a plain answer; then something happens."""
    if asked.is_stream:
        peer.begin_stream()
        for event in events(asked.dialect, []).opening:
            peer.send_chunk(event)
    else:
        _half(peer, asked)
    then(peer)


def speaks(peer: Peer, asked: Asked, then: Callable[[Peer], None], count: int = 40) -> None:
    """So many of 60 tokens, or the half of a plain answer; then something happens."""
    if asked.is_stream:
        opening, content, _ = events(asked.dialect, tokens(COUNT))
        peer.begin_stream()
        for event in [*opening, *content[:count]]:
            peer.send_chunk(event)
    else:
        _half(peer, asked)
    then(peer)


def _half(peer: Peer, asked: Asked) -> None:
    body = plain(asked.dialect, WHOLE_TEXT)
    peer.begin_stream("Content-Type: application/json\r\n")
    peer.send_chunk(body[: len(body) // 2])


def closes(peer: Peer) -> None:
    peer.sock.shutdown(socket.SHUT_RDWR)


def breaks_framing(peer: Peer) -> None:
    peer.send(b"zz\r\nno chunk has such a length\r\n")
    wait_closed(peer)


def ends(peer: Peer) -> None:
    peer.end_stream()


def wait_closed(peer: Peer, asked: Asked | None = None) -> None:
    """Until the gateway has closed the connection."""
    peer.wait_closed(20)
    if asked is not None:
        asked.closed_at = time.monotonic()


def cut(peer: Peer, asked: Asked) -> None:
    speaks(peer, asked, closes)


def cut_before_content(peer: Peer, asked: Asked) -> None:
    opens(peer, asked, closes)


def stalls(peer: Peer, asked: Asked) -> None:
    speaks(peer, asked, lambda peer: wait_closed(peer, asked))


def malformed(peer: Peer, asked: Asked) -> None:
    speaks(peer, asked, breaks_framing)


def without_end_marker(peer: Peer, asked: Asked) -> None:
    """All tokens, and a clean end of the body that no event tells; the half of a plain answer that ends as cleanly."""
    speaks(peer, asked, ends, COUNT)
