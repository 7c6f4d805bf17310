"""Counts by numbers as bytes: pairs of fixed length, of which the lower bits are the number and the others its count.

A number may stand in it several times. So what two of them hold together is what the two have one after the other:
databases join them, and many are counted at once, in C.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from struct import calcsize, pack, unpack
from typing import Final

Counts = dict[int, int]

_AT_ONCE_BYTES: Final = 40_000
"""Counted without looking whether another thread wants to run: a millisecond."""


class Packing:
    """How counts are written."""

    def __init__(self, letter: str, number_bits: int) -> None:
        """`letter`: how `struct` calls a pair."""
        self._letter = letter
        self._bytes = calcsize(f"<{letter}")
        self._bits = number_bits
        self._most = (1 << self._bytes * 8 - number_bits) - 1
        self.numbers = 1 << number_bits
        """How many there are, from 0 on."""

    def packed(self, counts: Mapping[int, int]) -> bytes:
        """None is negative."""
        pairs = []
        for number, count in counts.items():
            while count > self._most:
                pairs.append(number | self._most << self._bits)
                count -= self._most
            pairs.append(number | count << self._bits)
        return pack(f"<{len(pairs)}{self._letter}", *pairs)

    def add(self, counts: Counts, vectors: Iterable[bytes]) -> None:
        """Adds what they hold. Bytes at the end that are no pair are left out."""
        joined = b"".join(vectors)
        joined = joined[: len(joined) // self._bytes * self._bytes]
        for at in range(0, len(joined), _AT_ONCE_BYTES):
            piece = joined[at : at + _AT_ONCE_BYTES]
            for pair, times in Counter(unpack(f"<{len(piece) // self._bytes}{self._letter}", piece)).items():
                number = pair % self.numbers
                counts[number] = counts.get(number, 0) + (pair >> self._bits) * times

    def added(self, counts: Counts, vector: bytes) -> Counts:
        """Both together."""
        found = dict(counts)
        self.add(found, (vector,))
        return found


BINS: Final = Packing("I", 10)
MINUTES: Final = Packing("Q", 34)
"""Whose numbers are minutes since the epoch, twice: of calls, and of errors."""
