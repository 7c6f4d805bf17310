"""Usage as Anthropic's messages tell it (https://docs.anthropic.com/en/api/messages, .../messages-streaming).

A stream tells it first in `message_start` and then, added up, in `message_delta`. What was read from the cache and
written to it stands beside the input; `cache_creation` splits what was written by how long it stays. What was used to
make the conversation shorter stands in `iterations` alone
(https://docs.anthropic.com/en/docs/build-with-claude/compaction).
"""

from __future__ import annotations

from typing import Any, Final

from app.wire.dialects.dialect import dicts
from app.wire.usage.counts import NOTHING, OUTPUT, SOME, Counts, Other, less, member, number, put, text_of

_NAMES: Final = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
    "thinking_tokens",
)
_SPLIT: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_FAST: Final = "fast"


class AnthropicReader:
    """Later values above zero win; zero, or nothing, takes none back."""

    def __init__(self) -> None:
        self.last_wins = False
        self._told: dict[str, int] = {}
        self._compacting: dict[str, int] = {}
        """The same of what was used to make the conversation shorter."""
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
        shortened = [one for one in dicts(usage.get("iterations")) if one.get("type") == "compaction"]
        if shortened:
            self._compacting = {name: sum([number(one, name) or 0 for one in shortened]) for name in _NAMES}
        self._add("thinking_tokens", number(member(usage, "output_tokens_details"), "thinking_tokens"))
        split = member(usage, "cache_creation")
        for name in _SPLIT:
            self._add(name, number(split, name))
        self._searches = number(member(usage, "server_tool_use"), "web_search_requests") or self._searches
        if usage.get("speed") == _FAST:  # which has prices of its own, whatever the tier is
            self._service_tier = _FAST
        elif self._service_tier != _FAST:
            self._service_tier = text_of(usage.get("service_tier")) or self._service_tier

    def _add(self, name: str, value: int | None) -> None:
        if value is not None:
            self._told[name] = value or self._told.get(name, 0)

    def counts(self) -> Counts | None:
        if not self._told:
            return None
        told = dict(self._told)
        for name, value in self._compacting.items():
            if value:
                told[name] = told.get(name, 0) + value
        other: Other = {}
        put(other, "web_search_requests", self._searches)
        put(other, "service_tier", self._service_tier)
        written, short, long = told.get("cache_creation_input_tokens"), told.get(_SPLIT[0]), told.get(_SPLIT[1])
        if written is not None:
            short = (short or 0) + (less(written, short, long) or 0)
        thought = told.get("thinking_tokens")
        fresh, cached = told.get("input_tokens"), told.get("cache_read_input_tokens")
        return Counts(fresh, cached, short, long, less(told.get("output_tokens"), thought), thought, other)
