"""Fields of a multipart form found while its bytes come (RFC 7578); its files are passed over unread."""

from __future__ import annotations

import re
from typing import Final

from app.wire.bodies.members import MAX_STEPS, MAX_VALUE_BYTES, Members

MAX_HEAD_BYTES: Final = 16 * 1024
"""The fields before a part's content; more is taken for no form."""
_BOUNDARY = re.compile(
    r'multipart/form-data[ \t]*;(?:.*;)?[ \t]*boundary=(?:"([^"]{1,70})"|([^ \t;"]{1,70}))', re.IGNORECASE
)
_NAME = re.compile(
    rb'\r\ncontent-disposition:[ \t]*form-data\b[^\r\n]*?;[ \t]*name=(?:"([^"\r\n]*)"|([^ \t;"\r\n]+))', re.IGNORECASE
)
_FILE = re.compile(rb"\r\ncontent-disposition:[^\r\n]*;[ \t]*filename\*?=", re.IGNORECASE)
_DELIMITS = re.compile(rb"--|\r\n|[ \t]")
"""What follows a delimiter; others only begin like it."""

_BEFORE: Final = 0
_AFTER_BOUNDARY: Final = 1
_HEAD: Final = 2
_CONTENT: Final = 3
_AFTER_ALL: Final = 4


def boundary_of(content_type: str) -> bytes:
    """What parts a form's parts; empty where the type is none of a form."""
    found = _BOUNDARY.match(content_type)
    return (found.group(1) or found.group(2)).encode("latin-1", "replace") if found is not None else b""


class Form(Members):
    """Reads a form. A value is what stands in the part, at most MAX_VALUE_BYTES of it."""

    def __init__(self, boundary: bytes, wanted: frozenset[str] = frozenset()) -> None:
        """`wanted`: names of fields whose values are kept, besides `model` and `stream`."""
        super().__init__(wanted, True)
        self._delimiter = b"\r\n--" + boundary
        self._state = _BEFORE
        self._data = b"\r\n"
        """What is being read. The first delimiter may stand at the very beginning, without the end of a line before."""
        self._at = 0
        """How far it has been read."""
        self._offset = -2
        """Where `_data` stands in the body."""
        self._name = ""
        """Of the field whose content comes; empty where it is not wanted."""
        self._value_start = 0
        self._value = b""

    def begin(self, piece: bytes) -> None:
        self._data = self._data[self._at :] + piece
        self._offset += self._at
        self._at = 0

    def step(self) -> bool:
        data = self._data
        for _ in range(MAX_STEPS):
            if self.is_unreadable or self._state == _AFTER_ALL:
                self._at = len(data)
                return False
            if self._state == _HEAD:
                ended = self._read_head(data, self._at)
            elif self._state == _AFTER_BOUNDARY:
                ended = self._read_boundary_line(data, self._at)
            else:
                ended = self._pass_content(data, self._at)
            if ended < 0:
                return False
            self._at = ended
        return True

    def finish(self) -> None:
        if self._state != _AFTER_ALL:
            self.is_unreadable = True

    def _read_boundary_line(self, data: bytes, at: int) -> int:
        if data.startswith(b"--", at):
            self._state = _AFTER_ALL
            return at + 2
        end = data.find(b"\r\n", at)
        if end < 0:
            if len(data) - at > MAX_HEAD_BYTES:
                self.is_unreadable = True
            return -1
        self._state = _HEAD
        return end

    def _read_head(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if len(data) - at > MAX_HEAD_BYTES:
                self.is_unreadable = True
            return -1
        head = data[at : end + 2]
        name = _NAME.search(head)
        written = (name.group(1) or name.group(2) or b"") if name is not None else b""
        field = written.decode("utf-8", "replace")
        self._name = self._wanted_name(field) if _FILE.search(head) is None else ""
        self._value = b""
        self._value_start = self._offset + end + 4
        self._state = _CONTENT
        return end + 4

    def _pass_content(self, data: bytes, at: int) -> int:
        end = data.find(self._delimiter, at)
        behind = end + len(self._delimiter)
        while end >= 0 and behind + 2 <= len(data) and _DELIMITS.match(data, behind) is None:
            end = data.find(self._delimiter, behind)
            behind = end + len(self._delimiter)
        is_found = end >= 0 and behind + 2 <= len(data)
        if end < 0:  # the delimiter may have begun
            end = max(at, len(data) - len(self._delimiter) + 1)
        if self._name:
            if len(self._value) <= MAX_VALUE_BYTES:
                self._value += data[at:end]
            if is_found:
                self._take(self._name, self._offset + end)
        if not is_found:
            self._at = end
            return -1
        self.is_begun = True
        self._name = ""
        self._state = _AFTER_BOUNDARY
        return behind

    def _take(self, name: str, end: int) -> None:
        value = self._value
        if len(value) > MAX_VALUE_BYTES:
            return
        if name == "model":
            self.model = value.decode("utf-8", "replace").strip()
            self.model_start, self.model_end = self._value_start, end
        elif name == "stream":
            self.is_stream = value.strip().lower() in (b"true", b"1")
        if name in self._wanted:
            self.values[name] = value
