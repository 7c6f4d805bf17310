"""Top-level members of a JSON object found while its bytes come.

A request's body may be long, and only a few of its members are wanted. So nothing else of it is parsed: C code passes
over strings and nested values, piece by piece, and nothing that was passed over is kept.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

from app.wire.bodies.members import MAX_STEPS, MAX_VALUE_BYTES, Members

MAX_KEY_BYTES: Final = 4096
"""A longer name at the top is taken for no JSON."""
MAX_DEPTH: Final = 1024
"""What nests deeper is taken for no JSON, as orjson does."""

_BLANK = re.compile(rb"[ \t\r\n]*+")
_MEMBER = re.compile(rb'[ \t\r\n]*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_MEMBER_BEGUN = re.compile(rb'[ \t\r\n]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:\\|"[ \t\r\n]*+)?+)?+', re.DOTALL)
_SIMPLE = re.compile(
    rb'[ \t\r\n]*+"([^"\\]*+)"[ \t\r\n]*+:[ \t\r\n]*+'
    rb'("[^"\\]*+"|true|false|null|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+)[ \t\r\n]*+[,}]'
)
"""What most members are, with what follows them: at once."""
_STRING = re.compile(rb'"[^"\\]*+"')
_SCALAR = re.compile(rb'[^ \t\r\n,"{}\[\]:]*+')
_SCALARS = re.compile(rb"true|false|null|NaN|-?Infinity|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+")
_PASSED = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]{0,100}+"[^"{}\[\]]*+)*+')
"""Inside a nested value: what neither opens nor closes one, and short strings. A long string is found quicker."""
_MODEL: Final = b'"model"'
_QUOTE: Final = 34
_BACKSLASH: Final = 92
_CLOSES: Final = {123: 125, 91: 93}

_BEFORE: Final = 0
_KEY_OR_END: Final = 1
_KEY: Final = 2
_VALUE: Final = 3
_STRING_VALUE: Final = 4
_NESTED: Final = 5
_AFTER_VALUE: Final = 6
_AFTER_ALL: Final = 7


class TopLevel(Members):
    """Reads a JSON object. The values are JSON texts; those longer than MAX_VALUE_BYTES are left out.

    Of these `left_out` says where the last that was wanted stands.
    """

    def __init__(self, wanted: frozenset[str] = frozenset()) -> None:
        """`wanted`: names of members whose values are kept, besides `model` and `stream`."""
        super().__init__(wanted, False)
        self.left_out = ""
        """Its name."""
        self.left_out_start = self.left_out_end = 0
        self._state = _BEFORE
        self._data = b""
        """What is being read: the latest piece, after what could not be read before it came."""
        self._at = 0
        """How far it has been read."""
        self._offset = 0
        """Where `_data` stands in the body."""
        self._steps_left = 0
        self._key = ""
        """Of the value that is being read; empty where it is not wanted."""
        self._value_start = 0
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._open = bytearray()
        """What would close the values that are open, inside the one that is being passed over."""
        self._in_string = False
        self._is_escaped = False
        """The next byte belongs to a backslash of the piece before."""

    def begin(self, piece: bytes) -> None:
        self._data = self._data[self._at :] + piece if self._at < len(self._data) else piece
        self._offset += self._at
        self._at = 0

    def step(self) -> bool:
        data = self._data
        length = len(data)
        if self._state == _BEFORE and length <= MAX_KEY_BYTES and self._read_whole(data):
            return False
        at = self._at
        self._steps_left = MAX_STEPS
        while at < length and not self.is_unreadable:
            if self._steps_left <= 0:
                self._at = at
                return True
            self._steps_left -= 1
            state = self._state
            if state == _VALUE:
                ended = self._begin_value(data, at)
            elif state in (_STRING_VALUE, _NESTED):
                ended = self._pass_value(data, at)
            elif state in (_KEY, _KEY_OR_END):
                ended = self._read_key(data, at)
            else:
                ended = self._read_between(data, at)
            if ended < 0:
                break
            at = ended
        self._at = at
        return False

    def finish(self) -> None:
        if self._state != _AFTER_ALL:
            self.is_unreadable = True

    def _read_whole(self, data: bytes) -> bool:
        """Reads a short object that has come whole. False, and nothing is read, where that takes a closer look."""
        if self._at or data[-1:] != b"}":
            return False
        if b"\\" in data and b"\\u" in data:  # an escape may stand for a letter of a name
            return False
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(found, dict):
            return False
        values: dict[str, bytes] = {}
        if not self._wanted.isdisjoint(found):
            for name in self._wanted.intersection(found):
                value = found[name]
                if type(value) is not int:  # of others the text counts, as it stands there
                    return False
                values[name] = b"%d" % value
        if "stream" in found:
            if data.count(b'"stream"') != 1:
                return False
            self.is_stream = found["stream"] is True
        if "model" in found:
            model, named = found["model"], data.find(_MODEL)
            if type(model) is not str or not model or data.find(_MODEL, named + 1) >= 0:
                return False
            start = data.find(b'"', named + len(_MODEL))
            end = data.find(b'"', start + 1) + 1
            if data.find(b"\\", start, end) >= 0:
                return False
            self.has_model = True
            self.model = model
            self.model_start, self.model_end = self._offset + start, self._offset + end
        self.values.update(values)
        self.is_begun = True
        self.begin_at = self._offset + data.find(b"{") + 1
        self._state = _AFTER_ALL
        self._at = len(data)
        return True

    # Each of these reads on from `at`, and gives where it came to; -1 where more must come first.

    def _read_between(self, data: bytes, at: int) -> int:
        blank = _BLANK.match(data, at)
        at = blank.end() if blank is not None else at
        if at == len(data):
            return at
        byte = data[at]
        if self._state == _BEFORE and byte == 123:
            self._state = _KEY_OR_END
            self.is_begun = True
            self.begin_at = self._offset + at + 1
        elif self._state == _AFTER_VALUE and byte == 44:
            self._state = _KEY
        elif self._state == _AFTER_VALUE and byte == 125:
            self._state = _AFTER_ALL
        else:
            return self._give_up()
        return at + 1

    def _read_key(self, data: bytes, at: int) -> int:
        simple = _SIMPLE.match(data, at)
        if simple is not None:
            self._begin_member(simple.group(1))
            if self._key and not self.is_unreadable:
                self._value_start = self._offset + simple.start(2)
                self._take(simple.group(2), self._offset + simple.end(2))
            end = simple.end()
            self._state = _KEY if data[end - 1] == 44 else _AFTER_ALL
            return end
        member = _MEMBER.match(data, at)
        if member is not None and member.end() < len(data):
            self._begin_member(member.group(1))
            self._state = _VALUE
            return member.end()
        if member is None and self._state == _KEY_OR_END:
            blank = _BLANK.match(data, at)
            end = blank.end() if blank is not None else at
            if end < len(data) and data[end] == 125:
                self._state = _AFTER_ALL
                return end + 1
        begun = _MEMBER_BEGUN.match(data, at)
        is_begun = member is not None or (begun is not None and begun.end() == len(data))
        return -1 if is_begun and len(data) - at <= MAX_KEY_BYTES else self._give_up()

    def _begin_member(self, written: bytes) -> None:
        if b"\\" in written:
            try:
                self._key = self._wanted_name(orjson.loads(b'"%b"' % written))
            except orjson.JSONDecodeError:
                self._give_up()
        else:
            self._key = self._wanted_name(written.decode("utf-8", "replace"))

    def _begin_value(self, data: bytes, at: int) -> int:
        byte = data[at]
        if byte == _QUOTE:
            string = _STRING.match(data, at)
            if string is not None:
                self._value_start = self._offset + at
                self._take(data[at : string.end()] if self._key else b"", self._offset + string.end())
                return string.end()
            self._begin_passing(at)
            self._keep(b'"')
            self._in_string = True
            self._state = _STRING_VALUE
            return at + 1
        if byte in _CLOSES:
            self._begin_passing(at)
            self._state = _NESTED
            return at
        scalar = _SCALAR.match(data, at)
        end = scalar.end() if scalar is not None else at
        if end == len(data):
            return -1 if end - at <= MAX_KEY_BYTES else self._give_up()
        if _SCALARS.fullmatch(data, at, end) is None:
            return self._give_up()
        self._value_start = self._offset + at
        self._take(data[at:end], self._offset + end)
        return end

    def _begin_passing(self, at: int) -> None:
        self._value_start = self._offset + at
        self._kept, self._kept_bytes = [], 0
        self._is_escaped = False

    def _pass_value(self, data: bytes, at: int) -> int:
        end = self._pass_string(data, at) if self._state == _STRING_VALUE else self._pass_nested(data, at)
        if end < 0:
            return end
        if self._key:
            self._keep(data[at:end])
        if not self._in_string and not self._open:
            kept = b"".join(self._kept) if self._kept_bytes <= MAX_VALUE_BYTES else b""
            self._take(kept, self._offset + end)
        return end

    def _pass_string(self, data: bytes, at: int) -> int:
        """Behind the quote that ends the string, or the end of what has come."""
        start = at + 1 if self._is_escaped else at
        self._is_escaped = False
        quote = data.find(b'"', start)
        while quote > start and data[quote - 1] == _BACKSLASH:
            if not _is_escaped(data, start, quote):
                break
            start = quote + 1
            quote = data.find(b'"', start)
        if quote >= 0:
            self._in_string = False
            return quote + 1
        self._is_escaped = _is_escaped(data, start, len(data))
        return len(data)

    def _pass_nested(self, data: bytes, at: int) -> int:
        """Behind what closes the value, or the end of what has come."""
        length = len(data)
        closes = self._open
        passed = _PASSED.match
        steps = self._steps_left
        while at < length and steps > 0:
            steps -= 1
            if self._in_string:
                at = self._pass_string(data, at)
                continue
            found = passed(data, at)
            at = found.end() if found is not None else at
            if at == length:
                break
            byte = data[at]
            at += 1
            if byte == _QUOTE:
                self._in_string = True
            elif byte == 123 or byte == 91:
                if len(closes) >= MAX_DEPTH:
                    return self._give_up()
                closes.append(byte + 2)  # `}` and `]` stand two behind what they close
            elif closes[-1] != byte:
                return self._give_up()
            else:
                closes.pop()
                if not closes:
                    break
        self._steps_left = steps
        return at

    def _keep(self, data: bytes) -> None:
        self._kept_bytes += len(data)
        if self._kept_bytes <= MAX_VALUE_BYTES:
            self._kept.append(data)

    def _take(self, written: bytes, end: int) -> None:
        """A value has been read; `written` is empty where it is not wanted, or too long."""
        self._state = _AFTER_VALUE
        key = self._key
        if not key or not written or len(written) > MAX_VALUE_BYTES:
            if key:
                self.left_out, self.left_out_start, self.left_out_end = key, self._value_start, end
            return
        if key == "model":
            self.model = _text(written)
            self.model_start, self.model_end = self._value_start, end
        elif key == "stream":
            self.is_stream = written == b"true"
        elif key == "stream_options":
            self.options_start, self.options_end = self._value_start, end
        if key in self._wanted:
            self.values[key] = written

    def _give_up(self) -> int:
        self.is_unreadable = True
        return -1


def _is_escaped(data: bytes, start: int, end: int) -> bool:
    """True where an odd number of backslashes stands before `end`, and none of them before `start`."""
    at = end
    while at > start and data[at - 1] == _BACKSLASH:
        at -= 1
    return (end - at) % 2 == 1


def _text(written: bytes) -> str:
    """The text that a JSON string stands for; empty for any other value."""
    if written[0] != _QUOTE:
        return ""
    try:
        value = orjson.loads(written)
    except orjson.JSONDecodeError:
        return ""
    return value if isinstance(value, str) else ""
