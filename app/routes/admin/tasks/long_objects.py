"""Bodies of requests that hold one very long value, such as 100,000 keys: nothing looks at them at once.

The object is read without the value, and the value is passed on in the pieces in which it came, to be read by a task.
A body of the usual length is read as any other.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson
from flask import request

from app.routes.admin.answers import AdminError, known_fields, read_object
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


def read_long_object(
    example: str, long: Sequence[str], known: tuple[str, ...] = ()
) -> tuple[dict[str, Any], LongValue | None]:
    """The JSON object in the body; where one of the members `long` is long None stands there, and it comes apart.

    Raises AdminError, as `read_object` does.
    """
    length = request.content_length
    if not request.is_json or (length is not None and length <= SHORT_BYTES):
        return read_object(example, known=known), None
    members = TopLevel(frozenset(long))
    pieces: list[bytes] = []
    while piece := _next_piece(first=not pieces):
        pieces.append(piece)
        members.begin(piece)
        while members.step():
            give_way()
    members.finish()
    wrong = AdminError(400, "bad_json", f"Invalid request body: send a JSON object such as {example}")
    if members.is_unreadable:
        raise wrong
    begin, end = members.left_out_start, members.left_out_end
    rest = [*cut(pieces, 0, begin), b"null", *cut(pieces, end, 1 << 62)] if end else pieces
    try:
        body = orjson.loads(b"".join(rest))
    except orjson.JSONDecodeError:
        raise wrong from None
    return known_fields(body, known), _long_value(members.left_out, list(cut(pieces, begin, end))) if end else None


def long_file(name: str, data: bytes) -> LongValue:
    return _long_value(name, [data[begin : begin + PIECE_BYTES] for begin in range(0, len(data), PIECE_BYTES)])


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


def _long_value(name: str, pieces: Sequence[bytes]) -> LongValue:
    entries = 1
    for piece in pieces:
        entries += len(_SEPARATORS.findall(piece))
        give_way()
    return LongValue(name, pieces, entries)
