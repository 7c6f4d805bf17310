"""Which fit key of a channel is next, found by a search for a byte: it passes over 10,000 in a microsecond."""

from __future__ import annotations

from random import randrange

from app.storage.keys.parts.classes import MIXED, Classes
from app.storage.keys.parts.rows import Rows


class Rounds:
    """Of one channel's keys. Those that serve the same models take turns."""

    def __init__(self, rows: Rows, classing: Classes, start_index: int | None) -> None:
        """`start_index`: the place at which they begin; None: anywhere."""
        self.counts: dict[int, int] = {}
        """How many are fit, by class."""
        self._rows = rows
        self._classing = classing
        self._start_index = start_index
        self._fit = bytearray()
        """At each key's place its class while it is fit, else 0."""
        self._cursors: dict[bytes, int] = {}

    def insert(self, place: int) -> None:
        """Room for a key, which is not fit yet."""
        self._fit.insert(place, 0)
        if place + 1 < len(self._fit):
            self._cursors = {classes: cursor + (cursor > place) for classes, cursor in self._cursors.items()}

    def mark(self, place: int, one: int) -> None:
        """That it is fit, and of which class; 0: it is not."""
        before = self._fit[place]
        if before:
            self.counts[before] -= 1
        if one:
            self.counts[one] = self.counts.get(one, 0) + 1
        self._fit[place] = one

    def go_on(self, before: Rounds) -> None:
        """With those of a pool whose place this one takes."""
        ids = before._rows.ids
        at = {classes: ids[cursor - 1] for classes, cursor in before._cursors.items() if 0 < cursor <= len(ids)}
        self._cursors = {classes: self._rows.place_from(id + 1) for classes, id in at.items()}

    def is_fit_for(self, place: int, models: tuple[str, ...]) -> bool:
        one = self._fit[place]
        if not one or one not in self._classing.serving(models):
            return False
        return one != MIXED or self._rows.names_one(place, models)

    def next(self, sequential: bool, models: tuple[str, ...], tried: list[int]) -> int:
        """Its place; -1: there is none that was not tried. Round robin goes on behind it next time."""
        classes = self._classing.serving(models)
        start = 0 if sequential else self._cursor(classes)
        for _ in range(len(tried) + 1):
            place = self._seek(classes, models, start)
            if place < 0:
                return -1
            start = place + 1
            if self._rows.ids[place] not in tried:
                self._cursors[classes] = start
                return place
        return -1

    def _cursor(self, classes: bytes) -> int:
        """Where the round stands; each process begins somewhere else, unless it is said where."""
        cursor = self._cursors.get(classes)
        if cursor is None:
            size, begin = len(self._fit), self._start_index
            cursor = self._cursors[classes] = 0 if not size else randrange(size) if begin is None else begin % size
        return cursor

    def _seek(self, classes: bytes, models: tuple[str, ...], start: int) -> int:
        """The first fit place from `start` on, round the end; -1: there is none."""
        if len(classes) == 1:
            place = self._fit.find(classes, start)
            return place if place >= 0 else self._fit.find(classes, 0, start)
        for begin, end in ((start, len(self._fit)), (0, start)):
            found = [self._find(one, models, begin, end) for one in classes if self.counts.get(one)]
            places = [place for place in found if place >= 0]
            if places:
                return min(places)
        return -1

    def _find(self, one: int, models: tuple[str, ...], begin: int, end: int) -> int:
        place = self._fit.find(one, begin, end)
        while one == MIXED and place >= 0 and not self._rows.names_one(place, models):
            place = self._fit.find(one, place + 1, end)
        return place
