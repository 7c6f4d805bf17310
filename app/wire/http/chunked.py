"""Bodies in chunks (RFC 9112, 7.1): taken apart as strictly as `http1` reads heads."""

from __future__ import annotations

import re
from typing import Final

from app.wire.http.http1 import LONE_LF, TOKEN, HttpSyntaxError, parse_fields

MAX_CHUNK_LINE_BYTES: Final = 1024
MAX_CHUNK_EXCESS_BYTES: Final = 16 * 1024
"""How much longer than usual a body's chunk lines may be together, see ChunkedDecoder."""
MAX_TRAILER_BYTES: Final = 8 * 1024

_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'
# RFC 9112, 7.1.1, less the blank that it would suffer before the semicolon: nobody sends it, and few accept it.
EXTENSIONS: Final = rb"(?:;[ \t]*+" + TOKEN + rb"++(?:[ \t]*+=[ \t]*+(?:" + TOKEN + rb"++|" + _QUOTED + rb"))?+)*+"
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})" + EXTENSIONS + rb"\r\n")
# RFC 9110, 6.5.1: fields that frame, route, authenticate or describe the content have no place after it.
_FORBIDDEN_TRAILERS = frozenset(
    "authorization cache-control connection content-encoding content-length content-range content-type cookie expect "
    "host keep-alive max-forwards proxy-authenticate proxy-authorization range set-cookie te trailer "
    "transfer-encoding upgrade www-authenticate".split()
)


class ChunkedDecoder:
    """Takes a chunked body apart (RFC 9112, 7.1). Extensions and trailers are checked and dropped.

    Extensions cost work and carry nothing, so a body may not be made of them. As in Go's net/http, 16 bytes and twice
    the content are usual for a chunk's line; what lines have beyond that adds up, and shorter ones take it back.
    """

    __slots__ = ("_chunk_left", "_excess", "_in_trailer", "_pending", "before_fault", "done", "is_odd")

    def __init__(self) -> None:
        self._chunk_left = -1
        """Bytes that the current chunk still lacks, its closing CRLF included; -1 where a chunk line is due."""
        self._excess = 0
        self._pending = b""
        """The beginning of a line that is not complete."""
        self._in_trailer = False
        self.done = False
        self.is_odd = False
        """True when something broke the rules and was read all the same; here never."""
        self.before_fault = b""
        """The content that stood before what was refused, in the same bytes."""

    @property
    def rest(self) -> bytes:
        """Once done: what was fed beyond the body's end."""
        return self._pending

    def feed(self, data: bytes) -> bytes:
        """The content in `data`; b"" while there is none. Raises HttpSyntaxError."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        content: list[bytes] = []
        position = 0
        size = len(data)
        try:
            while position < size and not self.done:
                if self._in_trailer:
                    position = self._end_trailer(data, position)
                elif self._chunk_left < 0:
                    position = self._begin_chunk(data, position)
                else:
                    end = min(position + self._chunk_left, size)
                    content.append(self._take(data, position, end))
                    position = end
        except HttpSyntaxError:
            self.before_fault = b"".join(content)
            raise
        if self.done:
            self._pending = data[position:]
        return content[0] if len(content) == 1 else b"".join(content)

    def _begin_chunk(self, data: bytes, position: int) -> int:
        line = _CHUNK_LINE.match(data, position) or self._other_chunk_line(data, position)
        if line is None:
            if data.find(b"\n", position) >= 0 or len(data) - position > MAX_CHUNK_LINE_BYTES:
                raise HttpSyntaxError("malformed chunk size or extension")
            self._check_line_start(data, position)
            self._pending = data[position:]
            return len(data)
        line_bytes = line.end() - position
        length = int(line[1], 16)
        excess = self._excess + line_bytes - 16 - 2 * length
        self._excess = excess if excess > 0 else 0
        if line_bytes > MAX_CHUNK_LINE_BYTES or excess > MAX_CHUNK_EXCESS_BYTES:
            raise HttpSyntaxError("chunk extension too long")
        if length == 0:
            self._in_trailer = True
        else:
            self._chunk_left = length + 2
        return line.end()

    def _other_chunk_line(self, data: bytes, position: int) -> re.Match[bytes] | None:
        """A chunk line that is not as it should be; its first group is the size."""
        return None

    @staticmethod
    def _check_line_start(data: bytes, position: int) -> None:
        if data[position : position + 1] not in b"0123456789abcdefABCDEF":
            raise HttpSyntaxError("malformed chunk size")

    def _take(self, data: bytes, start: int, end: int) -> bytes:
        """The content of the current chunk in data[start:end], which may reach into its closing CRLF."""
        left_after = self._chunk_left - (end - start)
        content_end = end - max(0, 2 - left_after)
        ending = data[max(start, content_end) : end]
        expected = b"\r\n"[2 - left_after - len(ending) : 2 - left_after] if left_after < 2 else b""
        if ending != expected:
            raise HttpSyntaxError("a chunk is longer than its size says")
        self._chunk_left = left_after or -1
        return data[start : max(start, content_end)]

    def _end_trailer(self, data: bytes, position: int) -> int:
        if data.startswith(b"\r\n", position):
            self.done = True
            return position + 2
        end = data.find(b"\r\n\r\n", position)
        if (end + 4 if end >= 0 else len(data)) - position > MAX_TRAILER_BYTES:
            raise HttpSyntaxError("trailer too long")
        if end < 0:
            if LONE_LF.search(data, position):
                raise HttpSyntaxError("malformed trailer")
            self._pending = data[position:]
            return len(data)
        self._check_trailer(data[position : end + 4])
        self.done = True
        return end + 4

    def _check_trailer(self, block: bytes) -> None:
        _, trailers = parse_fields(block, 0)
        if not _FORBIDDEN_TRAILERS.isdisjoint(trailers):
            raise HttpSyntaxError("a field that must not stand in a trailer")
