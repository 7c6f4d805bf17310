"""Usage as Anthropic's messages tell it (https://docs.anthropic.com/en/api/messages, .../messages-streaming).

A stream tells it first in `message_start` and then, added up, in `message_delta`. What was read from the cache and
written to it stands beside the input; `cache_creation` splits what was written by how long it stays.
"""

from __future__ import annotations

from typing import Any, Final

from app.wire.usage.counts import NOTHING, OUTPUT, SOME, Counts, Other, Reader, less, member, number, put, text_of

_NAMES: Final = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
    "thinking_tokens",
)
_SPLIT: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


class AnthropicReader(Reader):
    """Later values above zero win; zero, or nothing, takes none back."""

    last_wins = False

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._searches = 0
        self._service_tier = ""

    def read(self, value: dict[str, Any]) -> int:
        usage = member(value, "usage")
        if usage:
            self._take(usage)
            return SOME if number(usage, "output_tokens") is None else OUTPUT
        usage = member(member(value, "message"), "usage")  # of message_start: what it says of the output is a beginning
        self._take(usage)
        return SOME if usage else NOTHING

    def _take(self, usage: dict[str, Any]) -> None:
        for name in _NAMES:
            self._add(name, number(usage, name))
        self._add("thinking_tokens", number(member(usage, "output_tokens_details"), "thinking_tokens"))
        split = member(usage, "cache_creation")
        for name in _SPLIT:
            self._add(name, number(split, name))
        self._searches = number(member(usage, "server_tool_use"), "web_search_requests") or self._searches
        self._service_tier = text_of(usage.get("service_tier")) or self._service_tier

    def _add(self, name: str, value: int | None) -> None:
        if value is not None:
            self._told[name] = value or self._told.get(name, 0)

    def counts(self) -> Counts | None:
        told = self._told
        if not told:
            return None
        other: Other = {}
        put(other, "web_search_requests", self._searches)
        put(other, "service_tier", self._service_tier)
        written, short, long = (told.get(name) for name in ("cache_creation_input_tokens", *_SPLIT))
        if written is not None:
            short = (short or 0) + (less(written, short, long) or 0)
        thought = told.get("thinking_tokens")
        fresh, cached = told.get("input_tokens"), told.get("cache_read_input_tokens")
        return Counts(fresh, cached, short, long, less(told.get("output_tokens"), thought), thought, other)
