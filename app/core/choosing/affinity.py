"""Which conversation a call belongs to, and which key that prefers: providers' prompt caches belong to an account.

The names of fields and members are those of common clients (interfaces of the data plane, chapter 10).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from hashlib import blake2b
from struct import Struct
from typing import Final

import orjson

FIELDS: Final = ("x-claude-code-session-id", "session-id", "x-session-id", "x-session-affinity")
"""Request fields that name a conversation, in lower case; the first that is there counts."""
MEMBERS: Final = frozenset({"prompt_cache_key", "session_id", "metadata"})
"""Members at the top of a JSON body that may name one, where no field does."""
PREFIX_BYTES: Final = 4096
"""Prompts shorter than about 1,024 tokens are cached nowhere, and as many bytes as that begin a longer one."""

_PLACES: Final = Struct("!8Q")
"""From so many a conversation looks."""
_STEPS: Final = 100
"""So many keys are looked at from each: where nearly all rest, turns find the few that do not."""
_ARC: Final = 512
_ROUND: Final = 2**64
_SPREAD: Final = 0x9E3779B97F4A7C15
_GATHER: Final[int] = pow(_SPREAD, -1, _ROUND)


def conversation_of(fields: MappingOf[str, str], members: MappingOf[str, bytes], token: str) -> str:
    """An opaque name of the conversation that a call belongs to; empty where nothing says so.

    `fields` by name in lower case, `members` as JSON texts. A conversation is of one access token: nobody can place
    himself into that of another.
    """
    for name in FIELDS:
        value = fields.get(name, "")
        if value:
            return _named(token, value)
    for name in ("prompt_cache_key", "session_id"):
        value = _text(members.get(name, b""))
        if value:
            return _named(token, value)
    metadata = _object(members.get("metadata", b""))
    user_id = metadata.get("user_id")
    if not isinstance(user_id, str) or not user_id:
        return ""
    session_id = _object(user_id.encode("utf-8", "surrogatepass")).get("session_id")
    return _named(token, session_id if isinstance(session_id, str) and session_id else user_id)


def prefix_of(beginning: bytes, token: str) -> str:
    """The same by the first PREFIX_BYTES of a body, for `ids_and_prefix`; empty for a shorter body."""
    if len(beginning) < PREFIX_BYTES:
        return ""
    return _named(token, blake2b(beginning[:PREFIX_BYTES], digest_size=16).hexdigest())


def _named(token: str, id: str) -> str:
    return blake2b(f"{token}\0{id}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _text(json: bytes) -> str:
    value = _loaded(json) if json[:1] == b'"' else None
    return value if isinstance(value, str) else ""


def _object(json: bytes) -> dict[str, object]:
    value = _loaded(json) if json[:1] == b"{" else None
    return value if isinstance(value, dict) else {}


def _loaded(json: bytes) -> object:
    try:
        return orjson.loads(json)
    except orjson.JSONDecodeError:
        return None


class Ring:
    """Keys on a circle, on which each conversation has a place: the nearest fit key is preferred.

    All processes that know the same keys agree without asking each other, a key that comes or goes moves only the
    conversations that are its own, and a look-up takes O(log n). Each conversation looks from several places, so that
    keys have equal shares (multi-probe consistent hashing, Appleton and O'Reilly, 2015). A key takes eight bytes: its
    place is its id times an odd number (Fibonacci hashing, Knuth, 6.4), which can be undone, and which spreads ids that
    follow each other evenly.
    """

    def __init__(self, ids: Iterable[int]) -> None:
        """`ids` from 1 to 2 ** 64 - 1."""
        places = sorted([id * _SPREAD % _ROUND for id in ids])
        self._arcs = [array("Q", places[begin : begin + _ARC // 2]) for begin in range(0, len(places), _ARC // 2)]
        """The places in their order, cut into short pieces, so that a key comes or goes at the same cost among many."""
        self._ends = array("Q", [arc[-1] for arc in self._arcs])
        """The last place of each."""

    def add(self, id: int) -> None:
        """A key that is not there."""
        place = id * _SPREAD % _ROUND
        if not self._arcs:
            self._arcs.append(array("Q"))
            self._ends.append(place)
        at = min(bisect_left(self._ends, place), len(self._arcs) - 1)
        arc = self._arcs[at]
        arc.insert(bisect_left(arc, place), place)
        if len(arc) > _ARC:
            self._arcs[at : at + 1] = [arc[: _ARC // 2], arc[_ARC // 2 :]]
            self._ends.insert(at, arc[_ARC // 2 - 1])
            at += 1
        self._ends[at] = self._arcs[at][-1]

    def remove(self, id: int) -> None:
        """A key that is there."""
        place = id * _SPREAD % _ROUND
        at = bisect_left(self._ends, place)
        arc = self._arcs[at]
        del arc[bisect_left(arc, place)]
        if arc:
            self._ends[at] = arc[-1]
        else:
            del self._arcs[at], self._ends[at]

    def preferred(self, conversation: str, is_fit: Callable[[int], bool]) -> int:
        """The id of the key that a conversation prefers; 0 where none near its places is fit."""
        best, best_distance = 0, _ROUND
        for place in _places(conversation):
            found = self._next_fit(place, is_fit)
            if found >= 0 and (distance := (found - place) % _ROUND) < best_distance:
                best, best_distance = found * _GATHER % _ROUND, distance
        return best

    def _next_fit(self, place: int, is_fit: Callable[[int], bool]) -> int:
        """The place of the next fit key round the circle; -1 where none of the next few is."""
        if not self._arcs:
            return -1
        at = bisect_left(self._ends, place) % len(self._arcs)
        arc = self._arcs[at]
        step = bisect_left(arc, place) if place <= self._ends[at] else 0
        first = -1
        for _ in range(_STEPS):
            if step == len(arc):
                at, step = (at + 1) % len(self._arcs), 0
                arc = self._arcs[at]
            found = arc[step]
            if found == first:
                return -1
            if is_fit(found * _GATHER % _ROUND):
                return found
            first = found if first < 0 else first
            step += 1
        return -1


def _places(conversation: str) -> tuple[int, ...]:
    return _PLACES.unpack(blake2b(conversation.encode(), digest_size=_PLACES.size).digest())
