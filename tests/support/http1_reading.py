"""Writes messages of HTTP/1.1, cuts them into pieces, and reads them as both of our sides do."""

from __future__ import annotations

from itertools import pairwise

from app.wire.http import http1
from app.wire.http.chunked import ChunkedDecoder
from app.wire.http.http1 import RequestHead, ResponseHead


def request(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def with_field(*fields: bytes, line: bytes = b"POST / HTTP/1.1") -> bytes:
    return request(line, b"Host: a", *fields)


def parse(data: bytes, pieces: list[bytes] | None = None) -> tuple[RequestHead, bytes]:
    """The head of `data` and what follows it, fed as the server feeds it. Raises HttpSyntaxError, EOFError."""
    block, rest = take_head(pieces or [data])
    return http1.parse_request_head(block), rest


def take_head(pieces: list[bytes]) -> tuple[bytes, bytes]:
    buffer = b""
    for number, piece in enumerate(pieces):
        searched = len(buffer)
        buffer += piece
        end = http1.find_head_end(buffer, searched)
        if end >= 0:
            return buffer[:end], buffer[end:] + b"".join(pieces[number + 1 :])
    raise EOFError


FIGURES = "method target status reason version headers body_length keep_alive expects_continue connection".split()


def told(head: RequestHead | ResponseHead) -> dict[str, object]:
    """All that a head says."""
    return {name: getattr(head, name) for name in FIGURES if hasattr(head, name)}


def one_by_one(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def every_split(data: bytes, step: int = 1) -> list[list[bytes]]:
    return [[data[:index], data[index:]] for index in range(1, len(data), step)]


def decode(pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    """Content, what follows the body, and whether it ended."""
    decoder = ChunkedDecoder()
    content = b""
    for number, piece in enumerate(pieces):
        content += decoder.feed(piece)
        if decoder.done:
            return content, decoder.rest + b"".join(pieces[number + 1 :]), True
    return content, b"", False


def split_at(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(edges)] or [b""]
