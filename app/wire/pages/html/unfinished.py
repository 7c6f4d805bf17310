"""A tag whose end has not come yet, followed from state to state, so that no byte of it is looked at twice."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from app.wire.pages.html.attributes import MAX_ATTRIBUTE_BYTES
from app.wire.pages.html.grammar import ATTRIBUTES, BLANK, TAG_NAME

_END: Final = ""
_BLANKS: Final = b"\t\n\f\r "


class _State(NamedTuple):
    """What is passed over; where which byte leads, and whether it is passed too; where any other leads."""

    passed: re.Pattern[bytes]
    leads: dict[bytes, tuple[str, int]]
    default: tuple[str, int] = (_END, 0)


_STATES: Final = {
    "open": _State(re.compile(rb"</?+"), {}, ("tag name", 0)),
    "tag name": _State(re.compile(rb"[^\t\n\f\r />]*+"), {_BLANKS + b"/": ("between", 0)}),
    "between": _State(ATTRIBUTES, {b">": (_END, 0)}, ("name", 1)),
    "name": _State(
        re.compile(rb"[^\t\n\f\r />=]*+"), {_BLANKS: ("after name", 0), b"/": ("between", 0), b"=": ("value", 1)}
    ),
    "after name": _State(re.compile(BLANK + rb"*+"), {b"=": ("value", 1), b">": (_END, 0)}, ("between", 0)),
    "value": _State(
        re.compile(BLANK + rb"*+"),
        {b'"': ("double-quoted", 1), b"'": ("single-quoted", 1), b">": (_END, 0)},
        ("unquoted", 0),
    ),
    "double-quoted": _State(re.compile(rb'[^"]*+'), {b'"': ("between", 1)}),
    "single-quoted": _State(re.compile(rb"[^']*+"), {b"'": ("between", 1)}),
    "unquoted": _State(re.compile(rb"[^\t\n\f\r >]*+"), {_BLANKS: ("between", 0)}),
}
"""The tokenizer's states in a tag (HTML standard, 13.2.5.6 to 13.2.5.40)."""


class Overflow(NamedTuple):
    """What of a long tag can go now."""

    raw: bytes
    """The rest of an attribute that is too long."""
    attributes: bytes
    """Complete attributes, with the tag's name before them if they are the first."""
    begun: bytes
    """The beginning of one that is too long."""


class UnfinishedTag:
    """Collects one tag. What is held never exceeds MAX_ATTRIBUTE_BYTES for long: see `overflow`."""

    def __init__(self) -> None:
        self.name = ""
        """In lower case, once something has overflown; empty where the name itself was too long."""
        self.is_end_tag = False
        self.has_overflown = False
        self._state = "open"
        self._pieces: list[bytes] = []
        self._size = 0
        self._first_end = -1
        """Where the attribute that `_pieces` begin with ends, -1 while that is not known."""
        self._complete = 0
        """Up to where all attributes are complete."""
        self._too_long = False
        """Whether `_pieces` begin within an attribute that is too long."""

    def take(self, data: bytes, at: int) -> int:
        """Follows the tag through `data` from there. Returns where it ends, or -1."""
        start = at
        while at < len(data):
            state = _STATES[self._state]
            if self._state == "between":
                self._mark(at - start, at - start)
            at = state.passed.match(data, at).end()  # type: ignore[union-attr]  # they match anything, and nothing
            if self._state == "between":
                self._mark(at - start, at - start)
            if at == len(data):
                break
            self._state, passed = _lead(state, data[at])
            if self._state == _END:
                self._mark(at - start, at + 1 - start)
                self._hold(data[start : at + 1])
                return at + 1
            at += passed
        self._hold(data[start:])
        return -1

    def text(self) -> bytes:
        """All that is held."""
        return b"".join(self._pieces)

    @property
    def is_full(self) -> bool:
        return self._size > MAX_ATTRIBUTE_BYTES

    def overflow(self) -> Overflow:
        """Gives away what is complete, and what is too long to be held until it is."""
        text = self.text()
        if not self.has_overflown:
            self.has_overflown = True
            self.is_end_tag = text.startswith(b"</")
            name = TAG_NAME.match(text)
            self.name = name[1].decode("latin-1").lower() if name else ""
        raw_end = 0
        if self._too_long:
            raw_end = len(text) if self._first_end < 0 else self._first_end
        complete = max(raw_end, self._complete)
        rest = text[complete:]
        self._too_long = (self._too_long and self._first_end < 0) or len(rest) > MAX_ATTRIBUTE_BYTES
        begun = b""
        if self._too_long:
            begun, rest = rest, b""
        self._pieces = [rest]
        self._size = len(rest)
        self._first_end, self._complete = -1, 0
        return Overflow(text[:raw_end], text[raw_end:complete], begun)

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)

    def _mark(self, ended: int, complete: int) -> None:
        if self._first_end < 0:
            self._first_end = self._size + ended
        self._complete = self._size + complete


def _lead(state: _State, byte: int) -> tuple[str, int]:
    for bytes_, lead in state.leads.items():
        if byte in bytes_:
            return lead
    return state.default
