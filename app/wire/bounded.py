"""Bytes that are put together, up to a bound; of more the two ends stay."""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 1024 * 1024
EDGE_BYTES: Final = 2048
"""So much stays of each end of what is longer than MAX_BYTES."""


class Bounded:
    """Pieces of one whole."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self.is_long = False
        """It is longer than `max_bytes`, and no more than its ends are kept."""
        self._pieces: list[bytes] = []
        self._length = 0
        self._end = b""

    def add(self, piece: bytes) -> None:
        """The next piece of it."""
        if self.is_long:
            self._end = (self._end + piece[-EDGE_BYTES:])[-EDGE_BYTES:]
            return
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length > self._max_bytes:
            whole = b"".join(self._pieces)
            self._pieces = [whole[:EDGE_BYTES]]
            self._end = whole[-EDGE_BYTES:]
            self.is_long = True

    def take(self) -> bytes:
        """All of it, or its two ends; then it is empty again."""
        pieces = [*self._pieces, self._end] if self.is_long else self._pieces
        self._pieces, self._length, self._end, self.is_long = [], 0, b"", False
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
