"""Edits of a body as splices: every byte outside of them, every number and the order stay as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from app.wire.bodies.members import Members


class Edit(NamedTuple):
    """Bytes `start` to `end` become `data`."""

    start: int
    end: int
    data: bytes


def model_edit(read: Members, upstream_model: str) -> Edit:
    """The edit that puts another model into a body that has one; a `models/` before it stays."""
    prefix = "models/" if read.model.startswith("models/") and not upstream_model.startswith("models/") else ""
    name = prefix + upstream_model
    return Edit(read.model_start, read.model_end, name.encode() if read.is_form else orjson.dumps(name))


def usage_edit(read: Members) -> Edit | None:
    """The edit of a body for OpenAI's chat that asks for the usage of the stream; None where it asks for that itself.

    Its `stream_options` must be among what was wanted of it.
    """
    written = read.values.get("stream_options")
    if written is None:
        return Edit(read.begin_at, read.begin_at, b'"stream_options":{"include_usage":true},')
    try:
        options = orjson.loads(written)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(options, dict):
        options = {}
    if options.get("include_usage") is True:
        return None
    return Edit(read.options_start, read.options_end, orjson.dumps({**options, "include_usage": True}))


def spliced(pieces: Iterable[bytes], edits: list[Edit]) -> Iterator[bytes]:
    """A body's pieces with edits made in them. The edits are in order and do not overlap; no piece is empty."""
    offset = 0
    waiting = list(edits)
    skip_to = 0
    for piece in pieces:
        at = max(0, skip_to - offset)
        while waiting and waiting[0].start < offset + len(piece):
            edit = waiting.pop(0)
            if edit.start - offset > at:
                yield piece[at : edit.start - offset]
            if edit.data:
                yield edit.data
            skip_to = edit.end
            at = skip_to - offset
        if at < len(piece):
            yield piece[at:] if at else piece
        offset += len(piece)
    for edit in waiting:
        if edit.data:
            yield edit.data


def length_with(length: int, edits: list[Edit]) -> int:
    """How long a body of `length` bytes is after the edits."""
    return length + sum([len(edit.data) - (edit.end - edit.start) for edit in edits])
