"""Very many short texts in memory without an object for each: they lie in blocks that never move."""

from __future__ import annotations

from typing import Final

_BLOCK_BITS: Final = 16
_BLOCK: Final = 1 << _BLOCK_BITS
"""Bytes. Smaller than what the C library takes from the kernel apart, so that freed blocks are used again."""


class Texts:
    """What was added stays there as long as all the others."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._blocks: list[bytes | bytearray] = []
        """All but the last are full."""
        self._last = bytearray()

    def add(self, text: bytes) -> int:
        """Where it lies. It must be shorter than a block."""
        if not self._blocks or len(self._last) + len(text) > _BLOCK:
            if self._blocks:
                self._blocks[-1] = bytes(self._last)
            self._last = bytearray()
            self._blocks.append(self._last)
        at = (len(self._blocks) - 1) << _BLOCK_BITS | len(self._last)
        self._last += text
        self.size_bytes += len(text)
        return at

    def at(self, where: int, size: int) -> bytes:
        begin = where & (_BLOCK - 1)
        return bytes(self._blocks[where >> _BLOCK_BITS][begin : begin + size]) if size else b""
