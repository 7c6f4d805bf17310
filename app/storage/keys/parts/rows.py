"""What is stored of a channel's keys, without an object for any of them.

All sealed texts lie together, and each key's place says where its own begins. What a change leaves behind stays there
until the keys are read anew: so a change moves nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

from app.core.channels.keys import StoredKey
from app.storage.keys.parts.packed import Packing
from app.storage.keys.parts.texts import Texts
from app.storage.secrets import Secrets

_LARGEST_SMALL: Final = 2**32 - 1
_SPARE_BYTES: Final = 65_536
"""So much may always lie there unused."""


class Rows:
    """By their places, which follow the ids. A key that was removed leaves its place empty."""

    def __init__(self, secrets: Secrets) -> None:
        self.ids = array("I")
        """Ascending, so in the order in which they were added. Those beyond 32 bits make it one of 64."""
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
        self._texts = Texts()
        self._packing = Packing()
        self._unused_bytes = 0
        self._notes: dict[int, str] = {}
        self._models: dict[int, tuple[str, ...]] = {}
        self._disabled: dict[int, bool] = {}
        """All three by id, and of the keys that have any: of dictionaries of plain values the garbage collector knows
        that it need not look into them."""
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}
        """Each set of models once."""

    @property
    def is_sparse(self) -> bool:
        """Half of the memory is of nobody: the keys should be read anew."""
        return self._unused_bytes > _SPARE_BYTES and self._unused_bytes * 2 > self._texts.size_bytes

    def place_of(self, id: int) -> int:
        """-1 where there never was such an id."""
        place = bisect_left(self.ids, id)
        return place if place < len(self.ids) and self.ids[place] == id else -1

    def place_from(self, id: int) -> int:
        """Of the first key with this id or a larger one."""
        return bisect_left(self.ids, id)

    def sealed_at(self, place: int) -> str:
        """What is stored of its secret."""
        return self._packing.unpacked(self._text_at(place))

    def stored_at(self, place: int) -> StoredKey:
        id = self.ids[place]
        models, enabled = self._models.get(id, ()), self.is_enabled(id)
        return StoredKey(id, self.sealed_at(place), self.note_of(id), models, enabled)

    def note_of(self, id: int) -> str:
        return self._notes.get(id, "")

    def is_enabled(self, id: int) -> bool:
        return id not in self._disabled

    def names_one(self, place: int, models: tuple[str, ...]) -> bool:
        """Whether the key is kept for one of these."""
        return not set(models).isdisjoint(self._models.get(self.ids[place], ()))

    def insert(self, id: int) -> int:
        """An empty place: behind all others, unless somebody stored it late."""
        place = len(self.ids) if not self.ids or id > self.ids[-1] else bisect_left(self.ids, id)
        if id > _LARGEST_SMALL and self.ids.typecode == "I":
            self.ids = array("Q", self.ids)
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
            self._begins[place] = self._texts.add(text)
            self._sizes[place] = len(text)
        self._forget(key.id)
        if key.note:
            self._notes[key.id] = key.note
        if key.models:
            self._models[key.id] = self._same.setdefault(key.models, key.models)
        if not key.enabled:
            self._disabled[key.id] = True

    def empty(self, place: int) -> None:
        self._count(self._text_at(place), -1)
        self.kept.discard(self.ids[place])
        self._unused_bytes += self._sizes[place]
        self._sizes[place] = 0
        self._forget(self.ids[place])

    def _forget(self, id: int) -> None:
        self._notes.pop(id, None)
        self._models.pop(id, None)
        self._disabled.pop(id, None)

    def opens_at(self, place: int) -> bool:
        """False: nothing in ENCRYPTION_KEY opens it."""
        return self._opens(self._text_at(place))

    def _readable(self, place: int, key: StoredKey) -> bytes:
        """What to know of its secret. The text of a key never changes, so one that was read before will do."""
        text, id = self._packing.packed(key.sealed), key.id
        self.kept.discard(id)
        if not self._opens(text):
            known = self._text_at(place)
            former = self.former
            if not known and former is not None and (at := former.place_of(id)) >= 0:
                known = self._packing.packed(former.sealed_at(at))
            if known and self._opens(known):
                self.kept.add(id)
                return known
        return text

    def _opens(self, text: bytes) -> bool:
        id = self._packing.id_in(text)
        return not id or id in self._secrets.ids

    def _count(self, text: bytes, by: int) -> None:
        if text:
            self.out_of_line += by * (self._packing.id_in(text) != self._secrets.first_id)
            self.closed += by * (not self._opens(text))

    def _text_at(self, place: int) -> bytes:
        return self._texts.at(self._begins[place], self._sizes[place])
