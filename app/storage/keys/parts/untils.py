"""Until when each key of a channel is left alone, as one number for each: very many may be in trouble."""

from __future__ import annotations

from array import array
from typing import Final

from app.core.judging.troubles import Trouble
from app.storage.keys.parts.rows import Rows

BLACKLISTED: Final = -1


def until_of(trouble: Trouble) -> int:
    """0: not at all; BLACKLISTED; else twice the time in ms when its rest is over, and one more where it was told."""
    if trouble.blacklisted_ms:
        return BLACKLISTED
    return trouble.until_ms * 2 + trouble.is_told() if trouble.until_ms else 0


class Untils:
    """Of the keys in `rows`, by their places."""

    def __init__(self, rows: Rows, before: Untils | None = None) -> None:
        """`before`: those of the pool whose place this one takes, until it does."""
        self._rows = rows
        self._before = before
        self._untils = array("q")
        self._early: dict[int, int] = {}
        """By id, of keys that are not known yet: others hear of a key's trouble by another way than of the key."""

    def insert(self, place: int) -> None:
        """Room for a key that has just come to `rows`."""
        self._untils.insert(place, 0)
        self._untils[place] = self._of_unknown(self._rows.ids[place])

    def at(self, place: int) -> int:
        return self._untils[place]

    def set(self, id: int, until: int) -> int:
        """The key's place; -1: it is not known yet."""
        place = self._rows.place_of(id)
        if place >= 0:
            self._untils[place] = until
        elif until or self._before is not None:
            self._early[id] = until
        else:
            self._early.pop(id, None)
        return place

    def take_over(self) -> None:
        """There is no `before` any more."""
        before, self._before = self._before, None
        for id, until in before._early.items() if before is not None else ():
            if self._rows.place_of(id) < 0:
                self._early.setdefault(id, until)

    def _of_unknown(self, id: int) -> int:
        if id in self._early:
            return self._early.pop(id)
        if self._before is None:
            return 0
        place = self._before._rows.place_of(id)
        return self._before.at(place) if place >= 0 else self._before._early.get(id, 0)
