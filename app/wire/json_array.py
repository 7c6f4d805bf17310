"""A streamed JSON array cut into its elements while its bytes come, cut anywhere."""

from __future__ import annotations

import re
from typing import Final

MAX_ELEMENT_BYTES: Final = 256 * 1024
"""A longer element is not put together; only its end is looked for."""
_BETWEEN = re.compile(rb"[ \t\r\n,]*+")
_PASSED = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class ArraySplitter:
    """Puts the elements of one array of objects together."""

    def __init__(self) -> None:
        self.is_open = False
        """Its `[` has come."""
        self.is_closed = False
        """Its `]` has come."""
        self.is_other = False
        """It is neither an array of objects nor one such object, which counts as an array of one."""
        self.is_inside = False
        """It stands inside an element."""
        self.met_long = False
        """An element was longer than MAX_ELEMENT_BYTES, and is passed over."""
        self.count = 0
        """Elements that have ended."""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The elements that end in the next piece."""
        elements: list[bytes] = []
        at = 0
        while at < len(piece) and not self.is_other:
            if self.is_inside:
                end = self._pass(piece, at)
                self._hold(piece[at:end])
                at = end
                if self._depth == 0:
                    self._end_element(elements)
            else:
                at = self._read_between(piece, at)
        return elements

    def _read_between(self, piece: bytes, at: int) -> int:
        blank = _BETWEEN.match(piece, at)
        at = blank.end() if blank is not None else at
        if at == len(piece):
            return at
        byte = piece[at : at + 1]
        if byte == b"{" and not self.is_closed and (self.is_open or not self.count):
            self.is_inside = True
            self._held, self._held_bytes = [], 0
            return at
        if byte == b"[" and not self.is_open and not self.count:
            self.is_open = True
        elif byte == b"]" and self.is_open and not self.is_closed:
            self.is_closed = True
        else:
            self.is_other = True
        return at + 1

    def _pass(self, piece: bytes, at: int) -> int:
        """Behind the end of the element, or of the piece."""
        length = len(piece)
        if self._is_escaped:
            self._is_escaped = False
            at += 1
        while at < length:
            passed = (_IN_STRING if self._in_string else _PASSED).match(piece, at)
            at = passed.end() if passed is not None else at
            if at == length:
                break
            byte = piece[at]
            at += 1
            if byte == 34:
                self._in_string = not self._in_string
            elif byte == 92:  # the last byte, in a string
                self._is_escaped = True
            elif byte == 123 or byte == 91:
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    break
        return at

    def _hold(self, data: bytes) -> None:
        self._held_bytes += len(data)
        if self._held_bytes <= MAX_ELEMENT_BYTES:
            self._held.append(data)
        else:
            self.met_long = True

    def _end_element(self, elements: list[bytes]) -> None:
        self.is_inside = False
        self.count += 1
        if self._held_bytes <= MAX_ELEMENT_BYTES:
            elements.append(b"".join(self._held))
        self._held = []
