"""Bodies of requests that hold one very long value, such as 100,000 keys: nothing looks at them at once.

The object is read without the value, and the value is passed on in the pieces in which it came, to be read by a task.
A body of the usual length is read as any other.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
from flask import request

from app.core.said.reading import Said
from app.routes.admin.answers import read_json
from app.routes.openapi.operation import Body
from app.waiting import give_way
from app.wire.bodies.top_level import TopLevel

SHORT_BYTES: Final = 65_536
"""A body up to this length is parsed at once; it takes a millisecond."""
PIECE_BYTES: Final = 65_536
_SEPARATORS: Final = re.compile(rb"(?:[\s,;]|\\[nrt])+")


class LongValue(NamedTuple):
    """A value that stands in an object as JSON, or a file."""

    name: str
    pieces: Sequence[bytes]
    entries: int
    """How many it holds at most, if they are keys or numbers."""

    def whole(self) -> bytes:
        return b"".join(self.pieces)


@dataclass
class LongBody(Body):
    """An object of JSON of which one value may be long; a route is given it as Said, and the long value apart."""

    long: tuple[str, ...] = ()
    """The fields whose values may be long. In place of one that is an empty list stands there."""

    def read(self) -> Any:
        """Raises AdminError and Invalid."""
        return self.read_long()

    def read_long(self) -> tuple[Said, LongValue | None]:
        """Raises AdminError and Invalid."""
        length = request.content_length
        if not request.is_json or (length is not None and length <= SHORT_BYTES):
            return self.said(read_json()), None
        members = TopLevel(frozenset(self.long))
        pieces: list[bytes] = []
        while piece := _next_piece(first=not pieces):
            pieces.append(piece)
            members.begin(piece)
            while members.step():
                give_way()
        members.finish()
        begin, end = members.left_out_start, members.left_out_end
        rest = [*cut(pieces, 0, begin), b"[]", *cut(pieces, end, 1 << 62)] if end else pieces
        try:
            value = None if members.is_unreadable else orjson.loads(b"".join(rest))
        except orjson.JSONDecodeError:
            value = None
        said = self.said(value)
        return said, long_value(members.left_out, cut(pieces, begin, end)) if end else None


def cut(pieces: Sequence[bytes], begin: int, end: int) -> Iterator[bytes]:
    """What stands from `begin` to `end` of all pieces together."""
    place = 0
    for piece in pieces:
        if part := piece[max(0, begin - place) : max(0, end - place)]:
            yield part
        place += len(piece)


def _next_piece(first: bool) -> bytes:
    give_way()
    piece = request.stream.read(PIECE_BYTES)
    return piece.removeprefix(codecs.BOM_UTF8) if first else piece


def long_value(name: str, pieces: Iterable[bytes]) -> LongValue:
    """Counts its entries, piece by piece."""
    kept, entries = [], 1
    for piece in pieces:
        kept.append(piece)
        entries += len(_SEPARATORS.findall(piece))
        give_way()
    return LongValue(name, kept, entries)
