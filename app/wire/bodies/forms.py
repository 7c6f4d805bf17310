"""Fields of a multipart form found while its bytes come (RFC 7578); its files are passed over unread."""

from __future__ import annotations

import re
from typing import Final

from app.wire.bodies.members import MAX_VALUE_BYTES, Members

MAX_HEAD_BYTES: Final = 16 * 1024
"""The fields before a part's content; more is taken for no form."""
_BOUNDARY = re.compile(
    r'multipart/form-data[ \t]*;(?:.*;)?[ \t]*boundary=(?:"([^"]{1,70})"|([^ \t;"]{1,70}))', re.IGNORECASE
)
_NAME = re.compile(
    rb'\r\ncontent-disposition:[ \t]*form-data\b[^\r\n]*?;[ \t]*name=(?:"([^"\r\n]*)"|([^ \t;"\r\n]+))', re.IGNORECASE
)
_FILE = re.compile(rb"\r\ncontent-disposition:[^\r\n]*;[ \t]*filename\*?=", re.IGNORECASE)

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
        self._rest = b"\r\n"
        """What has not been read yet. The first delimiter may stand at the very beginning, without its line's end."""
        self._offset = -2
        """Where `_rest` stands in the body."""
        self._name = ""
        """Of the field whose content comes; empty where it is not wanted."""
        self._value_start = 0
        self._value = b""

    def feed(self, piece: bytes) -> None:
        data = self._rest + piece
        at = 0
        while not self.is_unreadable and self._state != _AFTER_ALL:
            if self._state == _HEAD:
                ended = self._read_head(data, at)
            elif self._state == _AFTER_BOUNDARY:
                ended = self._read_boundary_line(data, at)
            else:
                ended = self._pass_content(data, at)
                if ended < 0:
                    at = max(at, len(data) - len(self._delimiter) + 1)  # in which the delimiter may have begun
            if ended < 0:
                break
            at = ended
        self._rest = data[at:] if self._state != _AFTER_ALL else b""
        self._offset += at

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
        self._name = field if _FILE.search(head) is None and self._is_wanted(field) else ""
        self._value = b""
        self._value_start = self._offset + end + 4
        self._state = _CONTENT
        return end + 4

    def _pass_content(self, data: bytes, at: int) -> int:
        end = data.find(self._delimiter, at)
        if self._state == _CONTENT and self._name:
            kept = data[at:end] if end >= 0 else data[at : max(at, len(data) - len(self._delimiter) + 1)]
            if len(self._value) <= MAX_VALUE_BYTES:
                self._value += kept
            if end >= 0:
                self._take(self._name, self._offset + end)
        if end < 0:
            return -1
        self.is_begun = True
        self._name = ""
        self._state = _AFTER_BOUNDARY
        return end + len(self._delimiter)

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
