"""What is stored of a channel's keys, without an object for any of them.

All sealed texts stand in one piece of memory, and each key's place says where its own begins. What a change leaves
behind stays there until the keys are read anew: so a change moves nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final, NamedTuple

from app.core.channels.keys import StoredKey
from app.storage.keys.packed import id_in, packed, unpacked
from app.storage.secrets import Secrets

_SPARE_BYTES: Final = 65_536
"""So much may always lie there unused."""


class Said(NamedTuple):
    """What the operator said of a key beside its secret."""

    note: str = ""
    models: tuple[str, ...] = ()
    enabled: bool = True


NOTHING: Final = Said()


class Rows:
    """By their places, which follow the ids. A key that was removed leaves its place empty."""

    def __init__(self, secrets: Secrets) -> None:
        self.ids = array("Q")
        """Ascending, so in the order in which they were added."""
        self.out_of_line = 0
        """Keys that are stored otherwise than ENCRYPTION_KEY says: plain, or encrypted with another one."""
        self.closed = 0
        """Of them those that nothing in ENCRYPTION_KEY opens."""
        self.kept: set[int] = set()
        """Keys whose stored text nothing in ENCRYPTION_KEY opens, and which stay here as they were before."""
        self.former: Rows | None = None
        """What was known before all keys were read anew, while they are."""
        self._secrets = secrets
        self._begins = array("I")
        self._sizes = array("H")
        self._texts = bytearray()
        self._unused_bytes = 0
        self._said: dict[int, Said] = {}
        """Of the keys of which anything was said; most have none."""

    @property
    def is_sparse(self) -> bool:
        """Half of the memory is of nobody: the keys should be read anew."""
        return self._unused_bytes > _SPARE_BYTES and self._unused_bytes * 2 > len(self._texts)

    def place_of(self, id: int) -> int:
        """-1 where there never was such an id."""
        place = bisect_left(self.ids, id)
        return place if place < len(self.ids) and self.ids[place] == id else -1

    def place_from(self, id: int) -> int:
        """Of the first key with this id or a larger one."""
        return bisect_left(self.ids, id)

    def sealed_at(self, place: int) -> str:
        """What is stored of its secret."""
        return unpacked(self._text_at(place))

    def stored_at(self, place: int) -> StoredKey:
        id = self.ids[place]
        return StoredKey(id, self.sealed_at(place), *self._said.get(id, NOTHING))

    def said_of(self, id: int) -> Said:
        return self._said.get(id, NOTHING)

    def names_one(self, place: int, models: tuple[str, ...]) -> bool:
        """Whether the key is kept for one of these."""
        return not set(models).isdisjoint(self.said_of(self.ids[place]).models)

    def insert(self, id: int) -> int:
        """An empty place: behind all others, unless somebody stored it late."""
        place = len(self.ids) if not self.ids or id > self.ids[-1] else bisect_left(self.ids, id)
        self.ids.insert(place, id)
        self._begins.insert(place, 0)
        self._sizes.insert(place, 0)
        return place

    def fill(self, place: int, key: StoredKey) -> None:
        before, text = self._text_at(place), self._readable(place, key)
        if text != before:
            self._count(before, -1)
            self._count(text, 1)
            self._unused_bytes += self._sizes[place]
            self._begins[place] = len(self._texts)
            self._sizes[place] = len(text)
            self._texts += text
        said = Said(key.note, key.models, key.enabled)
        if said != NOTHING:
            self._said[key.id] = said
        else:
            self._said.pop(key.id, None)

    def empty(self, place: int) -> None:
        self._count(self._text_at(place), -1)
        self.kept.discard(self.ids[place])
        self._unused_bytes += self._sizes[place]
        self._sizes[place] = 0
        self._said.pop(self.ids[place], None)

    def opens_at(self, place: int) -> bool:
        """False: nothing in ENCRYPTION_KEY opens it."""
        return self._opens(self._text_at(place))

    def _readable(self, place: int, key: StoredKey) -> bytes:
        """What to know of its secret. The text of a key never changes, so one that was read before will do."""
        text, id = packed(key.sealed), key.id
        self.kept.discard(id)
        if not self._opens(text):
            former = self.former.place_of(id) if self.former is not None else -1
            known = self._text_at(place) or (self.former._text_at(former) if self.former and former >= 0 else b"")
            if known and self._opens(known):
                self.kept.add(id)
                return known
        return text

    def _opens(self, text: bytes) -> bool:
        id = id_in(text)
        return not id or id in self._secrets.ids

    def _count(self, text: bytes, by: int) -> None:
        if text:
            self.out_of_line += by * (id_in(text) != self._secrets.first_id)
            self.closed += by * (not self._opens(text))

    def _text_at(self, place: int) -> bytes:
        begin = self._begins[place]
        return bytes(self._texts[begin : begin + self._sizes[place]])
