"""Reads the usage of one answer while it passes. Most events cost a search for a name and one for their text.

Whoever sees the answer's events tells the meter of each, once (`wire/dialects/observers.py`).
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from app.wire.dialects.asked import Asked
from app.wire.usage import text
from app.wire.usage.anthropic import AnthropicReader
from app.wire.usage.counts import NOTHING, OUTPUT, Counts, Reader
from app.wire.usage.gemini import GeminiReader
from app.wire.usage.openai import OpenAIReader
from app.wire.usage.text import Texts

_LOOKS: Final = 8
"""So many events in a row are looked at for what stands around their text, where that is another each time."""
_PADDING: Final = b'"obfuscation":"'
"""OpenAI's, of another length each time, so that the size of an event does not tell that of its text."""
_ODD: Final = re.compile(rb'["\\\r\n]').search
_SHORT: Final = 64
"""Compiled, a look at so many bytes costs less than a call of the pattern."""
_QUOTE: Final = 34
_BACKSLASH: Final = 92
_LINE_FEED: Final = 10
_CARRIAGE_RETURN: Final = 13
_USAGE: Final = re.compile(rb'"usage"\s*+:\s*+\{')
_USAGE_METADATA: Final = re.compile(rb'"usageMetadata"\s*+:\s*+\{')


class Told:
    """What an answer told, as far as it came."""

    __slots__ = ("counts", "has_output", "is_whole", "untold_bytes")

    def __init__(self, counts: Counts | None, has_output: bool, untold_bytes: int, is_whole: bool) -> None:
        self.counts = counts
        """None: it told nothing."""
        self.has_output = has_output
        """It told how much was put out, up to `untold_bytes`."""
        self.untold_bytes = untold_bytes
        """Of text that came after that; all of it where nothing was told."""
        self.is_whole = is_whole
        """It came to its end."""


UNKNOWN: Final = Told(None, False, 0, False)


class Meter:
    """Of one answer. What goes wrong in it, and what is too long for it, is the end of it and of nothing else."""

    def __init__(self, reader: Reader, pattern: re.Pattern[bytes], texts: Texts, whole_texts: Texts) -> None:
        self._reader = reader
        self._last_wins = reader.last_wins
        self._usage = pattern
        self._texts = texts
        self._whole_texts = whole_texts
        self._before_text = self._before_padding = self._after_text = b""
        """What stood around the text, and the padding if there was any, of an event that told nothing but text."""
        self._looks_left = _LOOKS
        self._text_bytes = 0
        self._told_bytes = 0
        """How much of the text had passed when the output was last told."""
        self._has_output = False
        self._last = self._before = b""
        """The latest event that may tell usage, and the one before it, where the latest tells nothing after all."""
        self._last_bytes = self._before_bytes = 0
        """How much of the text had passed then."""
        self.is_whole = False
        self.is_lost = False
        """Nothing is known."""
        self.error: Exception | None = None
        """A mistake of ours, for the log."""

    @property
    def text_bytes(self) -> int:
        """How much text has passed."""
        return self._text_bytes

    def knows(self, event: bytes) -> bool:
        """True for one that differs in its text alone from one that `passes`: takes note of it.

        A text without a quote, a backslash or an end of line says nothing but itself, whatever words are in it.
        """
        before, after = self._before_text, self._after_text
        if not before or not event.startswith(before) or not event.endswith(after):
            return False
        begin, last = len(before), len(event) - len(after)
        end = last_quote = _plain_end(event, begin)
        if end >= 0 and self._before_padding:
            if not event.startswith(self._before_padding, end):
                return False
            last_quote = _plain_end(event, end + len(self._before_padding))
        if end < 0 or last_quote != last:
            return False
        self._text_bytes += end - begin
        self._looks_left = _LOOKS
        return True

    def _get_to_know(self, event: bytes) -> None:
        """One that passes, and told nothing but text. Where no two are alike it is not tried for long."""
        if self._looks_left:
            self._looks_left -= 1
            begin, end = self._texts.place_alone(event)
            if begin >= 0:
                self._before_text, self._before_padding, self._after_text = event[:begin], b"", event[end:]
                named = event.find(_PADDING, end)
                padding = named + len(_PADDING)
                if named >= 0 and (padded := event.find(b'"', padding)) >= 0:
                    self._before_padding, self._after_text = event[end:padding], event[padded:]

    def passes(self, events: bytes) -> bool:
        """True for whole events that need not be read one by one: takes note of them."""
        at = events.find(b'"usage')
        if at >= 0 and self._may_tell(events, at):
            if not self._last_wins or events[:5] != b"data:" or b"\n" in events[5:].rstrip():
                return False
            self._keep(events[5:])
        else:
            self._text_bytes += self._texts.bytes_in(events)
            self._get_to_know(events)
        return True

    def read(self, data: bytes) -> None:
        """Takes note of the data of one event."""
        at = data.find(b'"usage')
        if at < 0 or not self._may_tell(data, at):
            self._text_bytes += self._texts.bytes_in(data)
        elif self._last_wins:
            self._keep(data)
        else:
            self._text_bytes += self._texts.bytes_in(data)
            self._take(data, self._text_bytes)

    def _may_tell(self, data: bytes, at: int) -> bool:
        """Whether usage may stand in events whose first `"usage` is there."""
        if data.startswith(b'":null', at + 6) and data.find(b'"usage', at + 6) < 0:
            return False  # as OpenAI has it in each event but the last
        return self._usage.search(data, at) is not None

    def _keep(self, data: bytes) -> None:
        """One that may tell usage, and makes those before it worthless; it is read when that is asked for."""
        self._text_bytes += self._texts.bytes_in(data)
        self._before, self._before_bytes = self._last, self._last_bytes
        self._last, self._last_bytes = data, self._text_bytes

    def read_whole(self, body: bytes, value: Any) -> None:
        """Takes note of a whole answer, and of the value of its JSON where it is an object."""
        if isinstance(value, dict):
            self._note(value, 0)
        if not self._has_output:
            self._text_bytes = self._whole_texts.bytes_in(body)

    def read_begun(self, body: bytes) -> None:
        """Takes note of the beginning of an answer of JSON whose end never came."""
        self._text_bytes = self._whole_texts.bytes_in(body)

    def give_up(self) -> None:
        """Something is too long to be read."""
        self.is_lost = True
        self._last = self._before = b""

    def told(self) -> Told:
        """What is known so far."""
        if self._last and self._take(self._last, self._last_bytes) == NOTHING and self._before:
            self._take(self._before, self._before_bytes)
        self._last = self._before = b""
        if self.is_lost:
            return UNKNOWN
        untold_bytes = self._text_bytes - self._told_bytes if self._has_output else self._text_bytes
        return Told(self._reader.counts(), self._has_output, untold_bytes, self.is_whole)

    def _take(self, data: bytes, text_bytes: int) -> int:
        try:
            value: Any = orjson.loads(data)
        except orjson.JSONDecodeError:
            return NOTHING
        return self._note(value, text_bytes) if isinstance(value, dict) else NOTHING

    def _note(self, value: dict[str, Any], text_bytes: int) -> int:
        try:
            told = self._reader.read(value)
        except Exception as error:  # whatever an upstream says: its client gets it all the same
            self.error = error
            self.give_up()
            return NOTHING
        if told == OUTPUT:
            self._has_output = True
            self._told_bytes = text_bytes
        return told


def meter_for(asked: Asked) -> Meter | None:
    """For the answer to a call; None where that used nothing: what is stored is read back, tokens are counted."""
    if not asked.is_judged or asked.counts_tokens or asked.lists_models:
        return None
    if asked.speaks == "gemini":
        return Meter(GeminiReader(), _USAGE_METADATA, text.GEMINI, text.GEMINI)
    if asked.speaks == "anthropic":
        return Meter(AnthropicReader(), _USAGE, text.ANTHROPIC, text.ANTHROPIC)
    if asked.speaks == "responses":
        return Meter(OpenAIReader(), _USAGE, text.RESPONSES, text.WHOLE_RESPONSES)
    texts = text.CHAT if asked.path.removesuffix("/").endswith("/chat/completions") else text.COMPLETIONS
    reader = OpenAIReader(tells_no_reasoning=asked.served_by == "gemini")
    return Meter(reader, _USAGE, texts, texts)


def _plain_end(data: bytes, begin: int) -> int:
    """Where the quote is that ends the text from `begin` on; -1 where that says anything but itself, or has no end."""
    short = min(begin + _SHORT, len(data))
    for at in range(begin, short):
        byte = data[at]
        if byte == _QUOTE:
            return at
        if byte in (_BACKSLASH, _LINE_FEED, _CARRIAGE_RETURN):
            return -1
    odd = _ODD(data, short)
    return odd.start() if odd is not None and data[odd.start()] == _QUOTE else -1
