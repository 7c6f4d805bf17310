"""Which keys of a channel rest until when: who is back first is at hand, however many rest."""

from __future__ import annotations

import heapq
from typing import Final, NamedTuple

_ID_BITS: Final = 64
_ID: Final[int] = 2**_ID_BITS - 1


class Backs(NamedTuple):
    """Of the keys that rest; 0 and -1: there is none."""

    first_ms: int
    """When the first is back."""
    first_guessed_ms: int
    """The same of those whose rest we guessed."""
    guessed_place: int
    """Which of them that is."""


class Rest(NamedTuple):
    until_ms: int
    id: int


class Rests:
    """Heaps, one for each class of keys, and for rests that were told and those that we guessed.

    What is no longer so stays in them until somebody comes by it. A rest is one number, which takes a third of a tuple
    and which the garbage collector need not look into: until when it lasts, and behind that the id.
    """

    def __init__(self) -> None:
        self._heaps: dict[tuple[int, bool], list[int]] = {}

    @property
    def next_ms(self) -> int:
        """When the first of all is over; 0: there is none."""
        return min([heap[0] >> _ID_BITS for heap in self._heaps.values() if heap], default=0)

    def add(self, one: int, told: bool, until_ms: int, id: int) -> None:
        heap = self._heaps.get((one, told))
        if heap is None:
            heap = self._heaps[one, told] = []
        heapq.heappush(heap, until_ms << _ID_BITS | id)

    def first(self, one: int, told: bool) -> Rest | None:
        heap = self._heaps.get((one, told))
        return _rest(heap[0]) if heap else None

    def drop_first(self, one: int, told: bool) -> None:
        heapq.heappop(self._heaps[one, told])

    def all_of(self, one: int, told: bool) -> list[Rest]:
        return [_rest(number) for number in self._heaps.get((one, told), [])]

    def pop_over(self, now_ms: int) -> int:
        """The id of one whose rest may be over, which is taken out; 0: there is none."""
        for heap in self._heaps.values():
            if heap and heap[0] >> _ID_BITS <= now_ms:
                return _rest(heapq.heappop(heap)).id
        return 0


def _rest(number: int) -> Rest:
    return Rest(number >> _ID_BITS, number & _ID)
