"""Sealed texts in memory: as bytes, which take a quarter less than base64. Plain ones stay as they are."""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from typing import Final

from app.storage.secrets import PREFIX, id_of

_PACKED: Final = 0x20
"""Texts begin with a larger byte, packed ones with a smaller one: the place of their encryption key's id."""


class Packing:
    """Of the texts of one channel, which are sealed with few encryption keys."""

    def __init__(self) -> None:
        self._ids: list[str] = []

    def packed(self, stored: str) -> bytes:
        """Of what is stored of a secret."""
        id = id_of(stored)
        if id and (id in self._ids or len(self._ids) < _PACKED):
            if id not in self._ids:
                self._ids.append(id)
            try:
                small = bytes((self._ids.index(id),)) + a2b_base64(stored[len(PREFIX) + len(id) + 1 :])
            except (Error, ValueError):
                return stored.encode()
            if self.unpacked(small) == stored:  # whoever compares it with Redis needs each character
                return small
        return stored.encode()

    def id_in(self, small: bytes) -> str:
        """Of the encryption key with which it is sealed; empty: it is plain."""
        return self._ids[small[0]] if small and small[0] < _PACKED else id_of(small.decode())

    def unpacked(self, small: bytes) -> str:
        """What is stored."""
        if not small or small[0] >= _PACKED:
            return small.decode()
        return f"{PREFIX}{self._ids[small[0]]} {b2a_base64(small[1:], newline=False).decode()}"
