"""Looks at an answer's bytes as they pass, cut anywhere, and notes what they say. Changes none.

An event stream is read event by event until its first useful content. From then on only what may be an error or the end
marker is read, so that an event costs a search or two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from app.wire.dialects.asked import Asked
from app.wire.dialects.dialect import Dialect, OurError, Seen
from app.wire.json_array import ArraySplitter
from app.wire.sse import Event, Splitter
from app.wire.usage.meter import Meter

MAX_WHOLE_BYTES: Final = 1024 * 1024
"""A longer body of JSON is not judged."""
_MAX_OVERLOADED_BYTES: Final = 256
_NUMBER: Final = b'"sequence_number"'
COMMENT: Final = b": keep-alive\n\n"
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_EVENTS_BEGIN: Final = (b"data:", b"event:", b":")
_OVERLOADED: Final = ("当前模型负载过高".encode(), b"Current model load too high")
"""What some relays say in plain text with status 200."""


class Observer(Seen, ABC):
    """Of one answer. Look at its members after each piece."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect
        self.is_stream = False
        """Events, or a streamed array: what can still tell an error after it has begun."""
        self.is_html = False
        """A page where JSON was asked for."""
        self.is_empty = True
        """No byte has come."""
        self.meter: Meter | None = None
        """Is told of the same events, and reads the usage out of them."""

    @abstractmethod
    def feed(self, piece: bytes) -> None:
        """Takes note of the next piece."""

    @property
    def is_inside(self) -> bool:
        """A stream stands inside an event, of which nobody knows yet what it says."""
        return False

    def finish(self) -> None:
        """Takes note that the body has ended. More than once is as good as once."""

    def cut_off(self) -> None:
        """Takes note that the rest of the body will not come; for the meter, as far as that has not seen what came."""

    def comment(self) -> bytes:
        """What may be sent here to keep the connection from falling silent; empty where nothing may."""
        return b""

    def last_words(self, error: OurError) -> bytes | None:
        """What ends the stream here by telling an error; None where nothing can, and the body breaks visibly.

        After them the body ends in order where `dialect.ends_cleanly`, else it breaks.
        """
        return None


class EventObserver(Observer):
    """Of an event stream."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.is_stream = True
        self._events = Splitter()
        self._is_numbered = dialect.is_numbered
        self._numbered = b""
        """The latest events with a `sequence_number`."""

    def feed(self, piece: bytes) -> None:
        if self.is_useful and not self._events.is_inside:
            meter = self.meter
            if meter is not None and meter.knows(piece):
                return
            ends = piece[-2:] == b"\n\n" or piece[-4:] == b"\r\n\r\n"
            if ends and not self.dialect.is_telling(piece) and (meter is None or meter.passes(piece)):
                if self._is_numbered and _NUMBER in piece:
                    self._numbered = piece
                return
        if piece:
            self.is_empty = False
        for event in self._events.feed(piece):
            if self._is_numbered and _NUMBER in event.data:
                self._numbered = event.data
            self._read(event)

    @property
    def is_inside(self) -> bool:
        return self._events.is_inside

    def finish(self) -> None:
        for event in self._events.finish():
            if event.data.endswith((b"}", b"]")):  # whole but for the empty line
                self._read(event)
        if self.meter is not None:
            self.meter.is_whole = self.is_ended

    def _read(self, event: Event) -> None:
        meter = self.meter
        if meter is not None:
            if event.is_whole:
                meter.read(event.data)
            else:
                meter.give_up()
        if not event.is_whole:
            self.dialect.judge_long(event.data, self)
        elif not self.is_useful or event.name == b"error" or self.dialect.is_telling(event.data):
            self.dialect.judge_event(event.name, event.data, self)

    def comment(self) -> bytes:
        return COMMENT if self.dialect.allows_comments and not self._events.is_inside else b""

    def last_words(self, error: OurError) -> bytes | None:
        words = self.dialect.error_events(error, self.next_number(), self.response_id)
        return b"\n\n" + words if self._events.is_inside else words

    def next_number(self) -> int:
        """The `sequence_number` of an event that would follow; 0 where none was seen."""
        written = self._numbered.rpartition(_NUMBER)[2].lstrip(b": \t")
        digits = written[: len(written) - len(written.lstrip(b"0123456789"))][:15]
        return int(digits) + 1 if digits else 0


class WholeObserver(Observer):
    """Of a body in one piece of JSON, or of what came instead of it. It is judged at its end."""

    def __init__(self, dialect: Dialect, says_json: bool) -> None:
        super().__init__(dialect)
        self._says_json = says_json
        """Its `Content-Type` does."""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._is_finished = False

    def feed(self, piece: bytes) -> None:
        if piece and not self.is_useful:
            self.is_empty = False
            self._held.append(piece)
            self._held_bytes += len(piece)
            if self._held_bytes > MAX_WHOLE_BYTES:
                self.is_useful = True
                self._held = []
                if self.meter is not None:
                    self.meter.give_up()

    def finish(self) -> None:
        if self.is_useful or self._is_finished:
            return
        self._is_finished = True
        body = b"".join(self._held).strip(_BLANK)
        self._held = []
        if body[:1] == b"<":
            self.is_html = True
        elif self._says_json or body[:1] in (b"{", b"["):
            self.dialect.judge_whole(body, self)
        elif len(body) <= _MAX_OVERLOADED_BYTES and body.startswith(_OVERLOADED):
            self.error = body
        else:
            self.is_useful = True
        if self.meter is not None:
            self._measure(body, self.meter)
        self.whole = None

    def _measure(self, body: bytes, meter: Meter) -> None:
        meter.is_whole = True
        if body.startswith(_EVENTS_BEGIN):  # a stream that does not say that it is one
            events = Splitter()
            for event in (*events.feed(body), *events.finish()):
                meter.read(event.data)
        else:
            meter.read_whole(body, self.whole)

    def cut_off(self) -> None:
        if self.meter is not None and self._held:
            self.meter.read_begun(b"".join(self._held))


class ArrayObserver(Observer):
    """Of a streamed array of JSON objects, as Gemini sends it without `alt=sse`."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.is_stream = True
        self._elements = ArraySplitter()

    def feed(self, piece: bytes) -> None:
        self.is_empty = self.is_empty and not piece
        meter = self.meter
        for element in self._elements.feed(piece):
            if meter is not None:
                if element.is_whole:
                    meter.read(element.data)
                else:
                    meter.give_up()
            if not element.is_whole:
                self.dialect.judge_long(element.data, self)
            elif not self.is_useful or self.dialect.is_telling(element.data):
                self.dialect.judge_event(b"", element.data, self)
        if self._elements.is_other and not self.is_useful:
            self.is_malformed = True

    @property
    def is_inside(self) -> bool:
        return self._elements.is_inside

    def finish(self) -> None:
        if self.meter is not None:
            self.meter.is_whole = self.is_ended

    def last_words(self, error: OurError) -> bytes | None:
        elements = self._elements
        if elements.is_closed or (elements.is_inside and not elements.is_open):
            return None
        before = b"," if elements.is_inside or (elements.count and not elements.is_after_comma) else b""
        return (b"" if elements.is_open else b"[") + before + self.dialect.error_body(error) + b"]"


def observer_for(asked: Asked, content_type: str) -> Observer | None:
    """For the good answer to a call, by its `Content-Type`. None: it passes as it comes, and is not judged.

    A server that names no type, or `text/plain`, may mean JSON.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return EventObserver(asked.dialect)
    if not asked.is_judged:
        return None
    says_json = kind == "application/json" or kind.endswith("+json")
    if says_json and asked.speaks == "gemini" and asked.is_stream:
        return ArrayObserver(asked.dialect)
    if says_json or kind in ("", "text/plain", "text/html", "application/xhtml+xml"):
        return WholeObserver(asked.dialect, says_json)
    return None
