"""Event streams cut into events, as browsers and SDKs read them (https://html.spec.whatwg.org/#parsing-an-event-stream).

A stream comes in pieces that are cut anywhere. Lines end with LF, CR or both; an empty line ends an event.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from app.wire.bounded import Bounded

_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)").search
_NEWLINES: Final = b"\r\n"
_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """What an event says. One without data is none, nor is a comment."""

    name: bytes
    """Of its field `event`; empty where it has none."""
    data: bytes
    """Its lines of data joined by LF."""
    is_whole: bool
    """False for an event that is too long to be put together: of its data the two ends stand there."""


class Splitter:
    """Puts the events of one stream together."""

    def __init__(self) -> None:
        self.is_inside = False
        """True where the stream stands inside an event or a comment: no other may begin here."""
        self._held = Bounded()
        self._tail = b""
        """The last byte of what is held, with which its end may have begun."""
        self._is_first = True

    def feed(self, piece: bytes) -> list[Event]:
        """The events that end in the next piece of the stream."""
        events: list[Event] = []
        start = 0
        if self.is_inside:
            tail = self._tail
            end = _END(tail + piece)
            if end is None:
                self._hold(piece)
                return events
            start = end.end() - len(tail)
            self._held.add(piece[:start])
            self._take_held(events)
            self.is_inside = False
        while (end := _END(piece, start)) is not None:
            self._take(piece[start : end.end()], True, events)
            start = end.end()
        rest = piece[start:].lstrip(_NEWLINES)  # the LF of a CR that ended the event
        if rest:
            self.is_inside = True
            self._tail = b""
            self._hold(rest)
        return events

    def finish(self) -> list[Event]:
        """The event that the stream's end cuts off, as far as it has come: some servers end with no empty line."""
        events: list[Event] = []
        if self.is_inside:
            self._take_held(events)
        return events

    def _hold(self, piece: bytes) -> None:
        self._tail = piece[-1:] or self._tail
        self._held.add(piece)

    def _take_held(self, events: list[Event]) -> None:
        is_whole = not self._held.is_long
        self._take(self._held.take(), is_whole, events)

    def _take(self, block: bytes, is_whole: bool, events: list[Event]) -> None:
        if self._is_first:
            block = block.removeprefix(_BOM)
            self._is_first = False
        event = _parse(block, is_whole)
        if event is not None:
            events.append(event)


def _parse(block: bytes, is_whole: bool) -> Event | None:
    """The event of the lines of a block; None where they hold no data."""
    name = b""
    data: list[bytes] = []
    for line in block.splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value[1:] if value.startswith(b" ") else value)
        elif field == b"event":
            name = value[1:] if value.startswith(b" ") else value
    text = data[0] if len(data) == 1 else b"\n".join(data)
    return Event(name, text, is_whole) if text else None


class Blocks:
    """Cuts a stream behind its events, every byte as it came: an event's lines, and the empty one that ends it."""

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes`: a longer event is given in pieces."""
        self._max_bytes = max_bytes
        self._held = b""

    @property
    def is_holding(self) -> bool:
        """The stream stands inside an event of which nothing was given."""
        return bool(self._held)

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that end in the next piece."""
        data = self._held + piece
        blocks: list[bytes] = []
        start = 0
        while (end := _END(data, start)) is not None:
            if end.end() == len(data) and piece[-1:] == b"\r":
                break  # its LF may come
            blocks.append(data[start : end.end()])
            start = end.end()
        self._held = data[start:]
        if len(self._held) > self._max_bytes:
            blocks.append(self.finish())
        return blocks

    def finish(self) -> bytes:
        """What the stream's end cuts off."""
        held, self._held = self._held, b""
        return held
