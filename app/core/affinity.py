"""Which conversation a call belongs to, and which key that prefers: providers' prompt caches belong to an account.

The names of fields and members are those of common clients (interfaces of the data plane, chapter 10).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from hashlib import blake2b

import orjson

FIELDS = ("x-claude-code-session-id", "session-id", "x-session-id", "x-session-affinity")
"""Request fields that name a conversation, in lower case; the first that is there counts."""
MEMBERS = frozenset({"prompt_cache_key", "session_id", "metadata"})
"""Members at the top of a JSON body that may name one, where no field does."""
PREFIX_BYTES = 4096
"""Prompts shorter than about 1,024 tokens are cached nowhere, and as many bytes as that begin a longer one."""

_PROBES = 16


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
    value = _loaded(json)
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
    keys have equal shares (multi-probe consistent hashing, Appleton and O'Reilly, 2015).
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._keys = sorted((_places(id)[0], id) for id in ids)

    def add(self, id: str) -> None:
        insort(self._keys, (_places(id)[0], id))

    def discard(self, id: str) -> None:
        key = (_places(id)[0], id)
        place = bisect_left(self._keys, key)
        if self._keys[place : place + 1] == [key]:
            del self._keys[place]

    def preferred(self, conversation: str, is_fit: Callable[[str], bool]) -> str:
        """The id of the key that a conversation prefers; empty where none is fit."""
        best, best_distance = "", 2**32
        for place in _places(conversation):
            found = self._next_fit(place, is_fit)
            if found is None:
                return ""
            distance = (found[0] - place) % 2**32
            if not best or distance < best_distance:
                best, best_distance = found[1], distance
        return best

    def _next_fit(self, place: int, is_fit: Callable[[str], bool]) -> tuple[int, str] | None:
        keys = self._keys
        begin = bisect_left(keys, (place, ""))
        for step in range(len(keys)):
            key = keys[(begin + step) % len(keys)]
            if is_fit(key[1]):
                return key
        return None


def _places(id: str) -> list[int]:
    digest = blake2b(id.encode(), digest_size=4 * _PROBES).digest()
    return [int.from_bytes(digest[at : at + 4], "big") for at in range(0, len(digest), 4)]
