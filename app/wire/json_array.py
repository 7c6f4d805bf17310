"""A streamed JSON array cut into its elements while its bytes come, cut anywhere."""

from __future__ import annotations

import re
from typing import NamedTuple

from app.wire.bounded import MAX_BYTES, Bounded

_BETWEEN = re.compile(rb"[ \t\r\n,]*+")
_PASSED = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class Element(NamedTuple):
    """An object of the array."""

    data: bytes
    is_whole: bool
    """False for one that is too long to be put together: its two ends stand there."""


class ArraySplitter:
    """Puts the elements of one array of objects together."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """`max_bytes`: of an element, which is not put together where it is longer."""
        self.is_open = False
        """Its `[` has come."""
        self.is_closed = False
        """Its `]` has come."""
        self.is_other = False
        """It is neither an array of objects nor one such object, which counts as an array of one."""
        self.is_inside = False
        """It stands inside an element."""
        self.is_after_comma = False
        """Another element must follow."""
        self.count = 0
        """Elements that have ended."""
        self._held = Bounded(max_bytes)
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def feed(self, piece: bytes) -> list[Element]:
        """The elements that end in the next piece."""
        elements: list[Element] = []
        at = 0
        while at < len(piece) and not self.is_other:
            if self.is_inside:
                end = self._pass(piece, at)
                self._held.add(piece[at:end])
                at = end
                if self._depth == 0:
                    self._end_element(elements)
            else:
                at = self._read_between(piece, at)
        return elements

    def _read_between(self, piece: bytes, at: int) -> int:
        blank = _BETWEEN.match(piece, at)
        end = blank.end() if blank is not None else at
        if b"," in piece[at:end]:
            self.is_after_comma = True
        at = end
        if at == len(piece):
            return at
        byte = piece[at : at + 1]
        if byte == b"{" and not self.is_closed and (self.is_open or not self.count):
            self.is_inside = True
            self.is_after_comma = False
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

    def _end_element(self, elements: list[Element]) -> None:
        self.is_inside = False
        self.count += 1
        is_whole = not self._held.is_long
        elements.append(Element(self._held.take(), is_whole))
