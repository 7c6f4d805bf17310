"""A second reading of answers that break the rules of HTTP/1.1, for those that every client reads all the same.

Upstreams cannot be mended by who calls them. `http1` reads first, and strictly; only what it refuses comes here.
Each fault has one meaning here, that of RFC 9112 where it names one, and what two readers could frame differently is
refused here, too. Requests never come here, and a connection that has spoken so is not used again: where its next
answer begins is a matter of opinion.
"""

from __future__ import annotations

import re
from typing import Final

from app.wire.http.chunked import EXTENSIONS, ChunkedDecoder
from app.wire.http.headers import Headers, by_name
from app.wire.http.http1 import FIELD_LINE, LONE_LF, HttpSyntaxError, ResponseHead, answer_length, parse_status_line

MAX_HEAD_BYTES: Final = 256 * 1024
MAX_HEADERS: Final = 1000

_FRAMES = re.compile(r"content-length|transfer-encoding", re.IGNORECASE)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*+(?:" + EXTENSIONS + rb"[ \t]*+)?+\r\n")


def parse_response_head(block: bytes, request_method: str) -> ResponseHead:
    """The head of an answer that `http1` refused. Raises HttpSyntaxError when it has no one meaning.

    What is no field, or holds a control character, is left out. The body is framed as RFC 9112, 6.3 says: by chunks
    where they are said, else by a length that is the same however often it is said.
    """
    status, reason, version, start = parse_status_line(block)
    lines = block[start:-4].decode("latin-1").split("\r\n") if len(block) - 4 > start else []
    if len(lines) > MAX_HEADERS:
        raise HttpSyntaxError(f"more than {MAX_HEADERS} header fields")
    headers = _framed_once(_fields(_unfolded(lines)))
    fields = by_name(headers)
    length = answer_length(fields, request_method, status)
    return ResponseHead(status, reason, version, headers, length, False, fields.get("connection", ""), 0.0)


def _unfolded(lines: list[str]) -> list[str]:
    """Each field on one line: what is folded is joined with one blank (RFC 9112, 5.2)."""
    joined: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and joined:
            joined[-1] = joined[-1].rstrip(" \t") + " " + line.strip(" \t")
        else:
            joined.append(line)
    return joined


def _fields(lines: list[str]) -> Headers:
    """The lines that are fields, with no blank before the colon (RFC 9112, 5.1)."""
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        field = FIELD_LINE.fullmatch(name.rstrip(" \t") + colon + value)
        if field is not None:
            headers.append((field[1], field[2]))
        elif _FRAMES.search(line):
            raise HttpSyntaxError("a malformed field that may frame the body")
    return headers


def _framed_once(headers: Headers) -> Headers:
    """The fields with one Content-Length for several that agree, and with none beside a Transfer-Encoding."""
    fields = by_name(headers)
    said = fields.get("content-length")
    if said is None:
        return headers
    lengths = {length.strip(" \t") for length in said.split(",")}
    kept = None if "transfer-encoding" in fields else lengths.pop()
    if kept is not None and lengths:
        raise HttpSyntaxError("several values of Content-Length")
    once: Headers = []
    for name, value in headers:
        if name.lower() != "content-length":
            once.append((name, value))
        elif kept is not None:
            once.append((name, kept))
            kept = None
    return once


class LenientChunkedDecoder(ChunkedDecoder):
    """Takes blanks behind a chunk's size, and drops whatever stands in a trailer: by then the content is whole."""

    __slots__ = ()

    def _other_chunk_line(self, data: bytes, position: int) -> re.Match[bytes] | None:
        line = _CHUNK_LINE.match(data, position)
        self.is_odd = self.is_odd or line is not None
        return line

    def _check_trailer(self, block: bytes) -> None:
        if LONE_LF.search(block):
            raise HttpSyntaxError("malformed trailer")  # where it ends is a matter of opinion
        try:
            super()._check_trailer(block)
        except HttpSyntaxError:
            self.is_odd = True
