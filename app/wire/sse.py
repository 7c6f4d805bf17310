"""Event streams cut into events, as browsers and SDKs read them (https://html.spec.whatwg.org/#parsing-an-event-stream).

A stream comes in pieces that are cut anywhere. Lines end with LF, CR or both; an empty line ends an event.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MAX_EVENT_BYTES: Final = 256 * 1024
"""A longer event is not put together; only its end is looked for."""
_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)").search
_NEWLINES: Final = b"\r\n"
_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """What an event says. One without data is none, nor is a comment."""

    name: bytes
    """Of its field `event`; empty where it has none."""
    data: bytes
    """Its lines of data joined by LF."""


class Splitter:
    """Puts the events of one stream together."""

    def __init__(self) -> None:
        self.is_inside = False
        """True where the stream stands inside an event or a comment: no other may begin here."""
        self.met_long = False
        """An event was longer than MAX_EVENT_BYTES, and is passed over."""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._is_long = False
        self._tail = b""
        """The last bytes of what is held, in which its end may have begun."""
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
            self._hold(piece[:start])
            self._take(b"".join(self._held), events)
            self.is_inside = self._is_long = False
            self._held, self._held_bytes = [], 0
        while (end := _END(piece, start)) is not None:
            self._take(piece[start : end.end()], events)
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
            self._take(b"".join(self._held), events)
        return events

    def _hold(self, piece: bytes) -> None:
        self._tail = (self._tail + piece[-3:])[-3:]
        if self._is_long:
            return
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > MAX_EVENT_BYTES:
            self._is_long = self.met_long = True
            self._held = []

    def _take(self, block: bytes, events: list[Event]) -> None:
        if self._is_long:
            return
        if self._is_first:
            block = block.removeprefix(_BOM)
            self._is_first = False
        event = _parse(block)
        if event is not None:
            events.append(event)


def _parse(block: bytes) -> Event | None:
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
    return Event(name, text) if text else None
