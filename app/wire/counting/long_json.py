"""A long JSON text read in short steps, and only as far as it is asked for.

A request may hold a conversation of some MB, which a parser would read at one go while all other calls wait. Here a
value that is short is read at once; a long one stays a `Long`, of which who knows what it is takes the members, the
elements or the text, piece by piece. What is passed over is passed over by C.

The brackets and quotes of the whole are known to match: wire/bodies has read it while it came. Raises ValueError for
what else is no JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any, Final

import orjson

LONG_BYTES: Final = 64 * 1024
"""Beyond that a value is not read at once. What is denser than any request takes a millisecond or two."""
GROUP_BYTES: Final = 32 * 1024
"""So many bytes of small elements are read at once."""
_MAX_KEY_BYTES: Final = 64 * 1024
_STEP_BYTES: Final = 256 * 1024
"""So many bytes are passed over between two steps, at most."""
_MAX_STOPS: Final = 500
"""So many brackets, quotes and commas are stopped at between two steps."""

_BLANK: Final = b" \t\r\n"
_BLANKS: Final = re.compile(rb"[ \t\r\n]*+")
_COARSE: Final = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]{0,100}+"[^"{}\[\]]*+)*+')
_FINE: Final = re.compile(rb'[^"{}\[\],]*+')
_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MEMBER: Final = re.compile(rb'[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_QUOTE, _BACKSLASH, _COMMA, _BRACE, _BRACKET = b'"\\,{['
_OPENS: Final = frozenset(b"{[")
_CLOSES: Final = {b'"': b'"', b"{": b"}", b"[": b"]"}


class Long:
    """A value that is too long to be read at once: what stands from `start` to `end` of `data`."""

    __slots__ = ("data", "end", "start")

    def __init__(self, data: bytes | bytearray, start: int, end: int) -> None:
        self.data = data
        self.start = start
        self.end = end

    @property
    def is_text(self) -> bool:
        return self.data[self.start] == _QUOTE

    def __len__(self) -> int:
        """Bytes, as it stands there; of a text without its quotes."""
        return self.end - self.start - 2 * self.is_text

    def head(self, size: int) -> bytes:
        """The first bytes of a text, as they stand there."""
        return bytes(self.data[self.start + 1 : min(self.start + 1 + size, self.end - 1)])

    def pieces(self, size: int) -> Iterator[str | bytes]:
        """A text in pieces of at most so many bytes, its escapes undone; of another value its JSON."""
        if not self.is_text:
            for start in range(self.start, self.end, size):
                yield bytes(self.data[start : min(start + size, self.end)])
            return
        at, end = self.start + 1, self.end - 1
        while at < end:
            stop = _uncut(self.data, at, at + size) if at + size < end else end
            piece = bytes(self.data[at:stop])
            yield _unescaped(piece) if _BACKSLASH in piece else piece
            at = stop


def value_of(data: bytes | bytearray, start: int = 0, end: int = -1) -> Any:
    """The value that stands there: what `orjson` makes of it, or a Long."""
    end = len(data) if end < 0 else end
    if end - start <= LONG_BYTES:
        return orjson.loads(data[start:end])
    blanks = _BLANKS.match(data, start, end)
    start = blanks.end() if blanks is not None else start
    close = _CLOSES.get(bytes(data[start : start + 1]))
    if close is None:
        raise ValueError("a number or a name is never so long")
    return Long(data, start, data.rfind(close, start, end) + 1)


def members(value: Any, wanted: frozenset[str]) -> Generator[None, None, dict[str, Any]]:
    """The wanted members of an object, of a name that stands twice the last; none of what is no object."""
    if not isinstance(value, Long):
        return {name: value[name] for name in wanted & value.keys()} if isinstance(value, dict) else {}
    found: dict[str, Any] = {}
    if value.data[value.start] != _BRACE:
        return found
    for group in _groups(value):
        if group is None:
            yield
            continue
        start, end = group
        if end - start <= LONG_BYTES:
            several: dict[str, Any] = orjson.loads(b"{%b}" % bytes(value.data[start:end]))
            found.update((name, several[name]) for name in wanted & several.keys())
            yield
            continue
        member = _MEMBER.match(value.data, start, min(end, start + _MAX_KEY_BYTES))
        if member is None:
            raise ValueError("no member")
        name = orjson.loads(member.group(1))
        if name in wanted:
            found[name] = value_of(value.data, member.end(), end)
    return found


def elements(value: Any) -> Iterator[list[Any]]:
    """The elements of an array, some at once, or none for a step; none of what is no array."""
    if isinstance(value, list):
        yield value
    elif isinstance(value, Long) and value.data[value.start] == _BRACKET:
        for group in _groups(value):
            if group is None:
                yield []
            elif group[1] - group[0] <= LONG_BYTES:
                yield orjson.loads(b"[%b]" % bytes(value.data[group[0] : group[1]]))
            else:
                yield [value_of(value.data, *group)]


def pieces_of(value: Any, size: int) -> Iterator[str | bytes]:
    """A text, or the JSON of a long value, in pieces of about so many bytes or characters; none of anything else."""
    if isinstance(value, Long):
        yield from value.pieces(size)
    elif isinstance(value, str):
        for start in range(0, len(value), size):
            yield value[start : start + size]


def is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, Long) and value.data[value.start] == _BRACKET)


def is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Long) and value.is_text)


def _groups(value: Long) -> Iterator[tuple[int, int] | None]:
    """Where elements or members stand, with commas between but not around them: several short ones or one long one.

    None for a step on the way.
    """
    begin = value.start + 1
    for comma in _commas(value, begin, GROUP_BYTES):
        if comma < 0:
            yield None
            continue
        if comma - begin <= LONG_BYTES:
            yield begin, comma
        else:  # one that is long, behind some that are not
            first = begin
            for each in _commas(Long(value.data, begin - 1, comma + 1), begin, 0):
                yield (first, each) if each >= 0 else None
                first = each + 1 if each >= 0 else first
        begin = comma + 1


def _commas(value: Long, at: int, every: int) -> Iterator[int]:
    """Where commas part the elements of what stands in brackets, none nearer to the one before than `every` bytes; its
    end last, unless it is empty. -1 for a step on the way."""
    data, end = value.data, value.end - 1
    depth = stops = 0
    begun = passed = at
    while at < end:
        is_fine = depth == 0 and at - begun >= every
        found = (_FINE if is_fine else _COARSE).match(data, at, min(end, at + LONG_BYTES))
        at = found.end() if found is not None else at
        stops += 1
        if stops >= _MAX_STOPS or at - passed >= _STEP_BYTES:
            yield -1
            stops, passed = 0, at
        if at >= end:
            break
        byte = data[at]
        if byte == _QUOTE:
            at = yield from _behind_string(data, at, end)
        elif byte == _COMMA:
            if is_fine:
                yield at
                begun = at + 1
            at += 1
        elif byte in _OPENS:
            depth += 1
            at += 1
        elif byte in b"}]":
            depth -= 1
            at += 1
    if data[begun:end].strip(_BLANK) if end - begun <= LONG_BYTES else True:
        yield end


def _behind_string(data: bytes | bytearray, quote: int, end: int) -> Generator[int, None, int]:
    """Where a string has ended that begins at `quote`; -1 for a step on the way."""
    close = data.find(b'"', quote + 1, end)
    if close > quote and data[close - 1] != _BACKSLASH:
        return close + 1
    at = passed = quote + 1
    while at < end:
        found = _STRING.match(data, at, min(end, at + LONG_BYTES))
        at = found.end() if found is not None else at
        if at < end and data[at] == _QUOTE:
            return at + 1
        if at == passed:  # a backslash alone, as the last byte
            return end
        yield -1
        passed = at
    return end


def _uncut(data: bytes | bytearray, start: int, stop: int) -> int:
    """`stop`, or the place before it where the escape or the character begins that it cuts; always behind `start`."""
    escape = data.rfind(b"\\", max(start, stop - 6), stop)
    while escape > start and data[escape - 1] == _BACKSLASH:
        escape -= 1
    if escape > start:
        return escape
    character = stop
    while character > max(start, stop - 3) and data[character] & 0xC0 == 0x80:  # a byte of UTF-8 that begins none
        character -= 1
    return character if character > start else stop


def _unescaped(piece: bytes) -> str:
    """The text for which a piece of a JSON string stands; half a surrogate pair may stand at its edges."""
    quoted = b'"%b"' % piece
    try:
        text: str = orjson.loads(quoted)
    except orjson.JSONDecodeError:
        text = json.loads(quoted.decode("utf-8", "replace"), strict=False)
    return text
