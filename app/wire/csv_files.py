"""Tables as text (RFC 4180): read as spreadsheets write them, and written so that spreadsheets run nothing in them.

A cell that begins like a formula is written with an apostrophe before it, which spreadsheets take for "this is text",
and read without it. Cells of more than a megabyte are usual here (the keys of a channel), so nothing looks at a
character alone: long stretches are passed over by searches in C, and `pause` is called between them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

BOM: Final = codecs.BOM_UTF8
"""Without it Excel takes a file for one in the encoding of its country."""

STEP_BYTES: Final = 256 * 1024
"""How much is read between two pauses: about a millisecond's work."""
_QUOTES_A_STEP: Final = 4000
"""Quotes within cells that are read between two pauses."""
_LINES_A_STEP: Final = 200
QUOTE: Final = '"'
DOUBLED: Final = '""'
_SHORT_BYTES: Final = 1000
"""Longer lines are not looked at for being blank."""
_LINE_FEED: Final = 10
_SEPARATORS: Final = b",;\t"
"""The first in the heading outside quotes is the file's: Excel writes semicolons where commas part decimals."""
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_QUOTED: Final = re.compile(rb'"[^"]*"?')
_MUST_BE_QUOTED: Final = re.compile('[",;\t\r\n]|^[ ]|[ ]$')


class Record(NamedTuple):
    """One line of a table, which may be several of its file."""

    line: int
    """Of the file, from 1, where it begins."""
    cells: list[str]
    error: str = ""
    """Why it cannot be read; there are no cells then."""


class _Broken(ValueError):
    """A record that is none. Its text says why, and what to do."""


def nothing() -> None:
    """A pause of those who need none."""


def read_records(data: bytes, pause: Callable[[], object] = nothing) -> Iterator[Record]:
    """All records but empty lines. One that is broken is told, and reading goes on at the file's next line."""
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    separator = _separator_of(data)
    place, line = (len(BOM) if data.startswith(BOM) else 0), 1
    paused_at = paused_line = 0
    while place < len(data):
        end = _line_end(data, place)
        if end - place < _SHORT_BYTES and not data[place:end].strip():
            after = end + 1
        else:
            record, after = _read_record(data, place, line, separator, pause)
            yield record
        line += data.count(b"\n", place, after)
        place = after
        if place - paused_at > STEP_BYTES or line - paused_line > _LINES_A_STEP:
            paused_at, paused_line = place, line
            pause()


def write_record(cells: Iterable[str]) -> str:
    """One line of a file, with its end."""
    return "".join(record_pieces(cells))


def record_pieces(cells: Iterable[str]) -> Iterator[str]:
    """The same in pieces, none of which is long."""
    before = ""
    for cell in cells:
        cell = guarded(cell)
        if len(cell) <= STEP_BYTES:
            yield f'{before}"{cell.replace(QUOTE, DOUBLED)}"' if _MUST_BE_QUOTED.search(cell) else before + cell
        else:
            yield before + QUOTE
            for begin in range(0, len(cell), STEP_BYTES):
                yield cell[begin : begin + STEP_BYTES].replace(QUOTE, DOUBLED)
            yield QUOTE
        before = ","
    yield "\r\n"


def guarded(cell: str) -> str:
    """A cell as it is written: none begins like a formula. A number stays one."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _separator_of(data: bytes) -> int:
    heading = _QUOTED.sub(b"", data[: _line_end(data, 0)][:65_536])
    return next((byte for byte in heading if byte in _SEPARATORS), _SEPARATORS[0])


def _read_record(data: bytes, begin: int, line: int, separator: int, pause: Callable[[], object]) -> tuple[Record, int]:
    """The record that begins there, and where the next does."""
    cells: list[str] = []
    place = begin
    try:
        while True:
            cell, place = _read_cell(data, place, separator, pause)
            cells.append(unguarded(cell))
            if place >= len(data) or data[place] != separator:
                break
            place += 1
    except UnicodeDecodeError:
        return Record(line, [], "it is no UTF-8: save the file as CSV in UTF-8"), _line_end(data, begin) + 1
    except _Broken as reason:
        return Record(line, [], str(reason)), _line_end(data, begin) + 1
    return Record(line, cells), _line_end(data, place) + 1


def _read_cell(data: bytes, place: int, separator: int, pause: Callable[[], object]) -> tuple[str, int]:
    """A cell, and the place of what follows it: a separator, or the record's end."""
    first = place
    while data[first : first + 1] == b" ":
        first += 1
    if data[first : first + 1] == b'"':
        return _read_quoted(data, first + 1, separator, pause)
    end = _line_end(data, place)
    found = data.find(separator, place, end)
    stop = found if found >= 0 else end
    text = _Text(pause)
    text.add(data, place, stop)
    return text.whole().strip(" \r"), stop


def _read_quoted(data: bytes, place: int, separator: int, pause: Callable[[], object]) -> tuple[str, int]:
    """`place` is behind the first quote."""
    text = _Text(pause)
    parts: list[bytes] = []
    while True:
        end = data.find(b'"', place)
        if end < 0:
            raise _Broken("a cell begins with a quote and has no other: close it, or double the quotes within it")
        if data[end + 1 : end + 2] == b'"':
            parts.append(data[place : end + 1])
            place = end + 2
        elif data[end - 1 : end] == b"\\" and not _ends_cell(data, end + 1, separator):
            parts.append(data[place : end - 1] + b'"')  # as ccLoad's README has it
            place = end + 1
        else:
            break
        if len(parts) == _QUOTES_A_STEP:
            text.add_all(parts)
            parts.clear()
            pause()
    if not _ends_cell(data, end + 1, separator):
        raise _Broken("a quote stands within a cell that is quoted: double it")
    text.add_all(parts)
    text.add(data, place, end)
    return text.whole(), _behind_blanks(data, end + 1)


def _ends_cell(data: bytes, place: int, separator: int) -> bool:
    after = _behind_blanks(data, place)
    return after >= len(data) or data[after] in (separator, _LINE_FEED)


def _behind_blanks(data: bytes, place: int) -> int:
    while data[place : place + 1] in (b" ", b"\r"):
        place += 1
    return place


class _Text:
    """A cell's text, of its bytes. Raises UnicodeDecodeError."""

    def __init__(self, pause: Callable[[], object]) -> None:
        self._pause = pause
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._parts: list[str] = []

    def add(self, data: bytes, begin: int, end: int) -> None:
        for place in range(begin, end, STEP_BYTES):
            self._parts.append(self._decode(data[place : min(end, place + STEP_BYTES)]))
            if end - place > STEP_BYTES:
                self._pause()

    def add_all(self, parts: Iterable[bytes]) -> None:
        data = b"".join(parts)
        self.add(data, 0, len(data))

    def whole(self) -> str:
        return "".join(self._parts) + self._decode(b"", final=True)


def _line_end(data: bytes, place: int) -> int:
    """Where the line's feed is, or the end."""
    end = data.find(b"\n", place)
    return end if end >= 0 else len(data)
