"""What an answer told of its usage, as counts that do not overlap, and how its numbers are read."""

from __future__ import annotations

from typing import Any, Final, Protocol

_MOST: Final = 1 << 53
"""No count is greater: what JSON's readers agree on."""

Other = dict[str, int | float | str]
"""What six counts cannot hold, by the names of `core.usage.Usage.other`."""


class Counts:
    """In tokens; None where nothing was told. No NamedTuple: a compiled class is made in a quarter of the time."""

    __slots__ = ("cache_write_1h", "cache_write_5m", "cached", "input", "other", "output", "reasoning")

    def __init__(
        self,
        input: int | None,
        cached: int | None,
        cache_write_5m: int | None,
        cache_write_1h: int | None,
        output: int | None,
        reasoning: int | None,
        other: Other,
    ) -> None:
        self.input = input
        """Without what was read from a cache or written to it."""
        self.cached = cached
        self.cache_write_5m = cache_write_5m
        self.cache_write_1h = cache_write_1h
        self.output = output
        """Without `reasoning`."""
        self.reasoning = reasoning
        self.other = other


NOTHING: Final = 0
SOME: Final = 1
OUTPUT: Final = 2
"""What an event told: no usage, some of it, or also how much was put out so far."""


class Reader(Protocol):
    """Reads what one answer tells, event by event, or all at once."""

    @property
    def last_wins(self) -> bool:
        """Whoever tells usage tells all of it, so of several events the last is enough."""

    def read(self, value: dict[str, Any]) -> int:
        """Takes note of an event, or of a whole answer; what it told: NOTHING, SOME or OUTPUT."""

    def counts(self) -> Counts | None:
        """What was told so far; None for nothing."""


def number(values: dict[str, Any], name: str, other: str = "") -> int | None:
    """The first of these members that is a number above zero, else 0 where one is a number, else None."""
    told = _count(values.get(name))
    if told or not other:
        return told
    count = _count(values.get(other))
    return told if count is None else count


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value == value // 1:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value <= _MOST:
        return max(value, 0)
    return None


def member(values: Any, *names: str) -> dict[str, Any]:
    """The first of these members that is an object with members; an empty one where none is."""
    if isinstance(values, dict):
        for name in names:
            value = values.get(name)
            if isinstance(value, dict) and value:
                return value
    return {}


def less(whole: int | None, *parts: int | None) -> int | None:
    """A count without its parts, never below zero."""
    if whole is None:
        return None
    for part in parts:
        whole -= part or 0
    return max(0, whole)


def put(other: Other, name: str, value: int | float | str | None) -> None:
    """Takes note of what is neither missing nor zero."""
    if value:
        other[name] = value


def text_of(value: Any) -> str:
    """A text as it is; of anything else nothing."""
    return value if isinstance(value, str) else ""
