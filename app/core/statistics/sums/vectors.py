"""Counts by small numbers as bytes: pairs of 32 bits, of which the lower ten are the number and the others its count.

A number may stand in it several times. So what two of them hold together is what the two have one after the other, and
many are counted at once, in C.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from struct import pack, unpack
from typing import Final

NUMBERS: Final = 1024
_BITS: Final = 10
_MOST: Final = (1 << 32 - _BITS) - 1
_PAIR_BYTES: Final = 4
_AT_ONCE_BYTES: Final = 40_000
"""Counted without looking whether another thread wants to run: a millisecond."""

Counts = dict[int, int]


def packed(counts: Mapping[int, int]) -> bytes:
    """`counts` of numbers below NUMBERS; none is negative."""
    pairs = []
    for number, count in counts.items():
        while count > _MOST:
            pairs.append(number | _MOST << _BITS)
            count -= _MOST
        pairs.append(number | count << _BITS)
    return pack(f"<{len(pairs)}I", *pairs)


def added(counts: Counts, vector: bytes) -> Counts:
    """Both together."""
    found = dict(counts)
    add(found, (vector,))
    return found


def add(counts: Counts, vectors: Iterable[bytes]) -> None:
    """Adds what they hold. Bytes at the end that are no pair are left out."""
    joined = b"".join(vectors)
    joined = joined[: len(joined) // _PAIR_BYTES * _PAIR_BYTES]
    for at in range(0, len(joined), _AT_ONCE_BYTES):
        piece = joined[at : at + _AT_ONCE_BYTES]
        for pair, times in Counter(unpack(f"<{len(piece) // _PAIR_BYTES}I", piece)).items():
            number = pair % NUMBERS
            counts[number] = counts.get(number, 0) + (pair >> _BITS) * times
