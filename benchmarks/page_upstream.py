"""The site whose pages are proxied: `python -m benchmarks.page_upstream <port>`.

All that it sends is made before it is asked for, or once; a thread serves each connection.

`GET /3/...`                        the documents of `documents.real`
`GET /large/KIND?bytes=N&coding=C`  one of LARGE, repeated until it has so many bytes; C is `gzip` or `identity`
`POST` whatever                     a small JSON answer
"""

from __future__ import annotations

import contextlib
import functools
import re
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

from benchmarks import documents

PIECE_BYTES = 1 << 20
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
_TYPES = {"html": b"text/html; charset=utf-8", "css": b"text/css"}
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'


def page_of_text() -> bytes:
    """What real pages are full of, and a page of links where there are none."""
    return b"".join(documents.real(".html").values())[:PIECE_BYTES] or documents.links()


LARGE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "page": ("html", page_of_text),
    "pictures": ("html", documents.pictures),
    "sheet": ("css", lambda: b"".join(documents.real(".css").values()) or documents.rules()),
}
"""The type of each and what it repeats."""


@functools.cache
def large(kind: str, size: int, coding: str) -> tuple[bytes, list[bytes]]:
    """The head of an answer, and its body in pieces."""
    content_type, made = LARGE[kind]
    piece = made()
    pieces = [piece] * (size // len(piece)) + [piece[: size % len(piece)]]
    if coding == "gzip":
        pieces = [*_gzipped(pieces)]
    return _HEAD % (_TYPES[content_type], coding.encode(), sum(map(len, pieces))), pieces


def _gzipped(pieces: list[bytes]) -> Iterator[bytes]:
    coder = zlib.compressobj(6, wbits=16 + zlib.MAX_WBITS)
    yield from map(coder.compress, pieces)
    yield coder.flush()


@functools.cache
def document(path: str) -> bytes:
    """The whole answer."""
    suffix = path.rpartition(".")[2]
    body = documents.real("." + suffix)[path]
    return _HEAD % (_TYPES[suffix], b"identity", len(body)) + body


def serve(sock: socket.socket) -> None:
    with sock, contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        while piece := sock.recv(65536):
            data += piece
            head, found, body = data.partition(b"\r\n\r\n")
            length = int(match[1]) if (match := _LENGTH.search(head)) else 0
            if found and len(body) >= length:
                data = b""
                _answer(sock, head)


def _answer(sock: socket.socket, head: bytes) -> None:
    method, target = head.decode("latin-1").split(" ", 2)[:2]
    parts = urlsplit(target)
    if method == "POST":
        sock.sendall(_JSON)
    elif parts.path.startswith("/large/"):
        query = parse_qs(parts.query)
        begun, pieces = large(parts.path.removeprefix("/large/"), int(query["bytes"][0]), query["coding"][0])
        sock.sendall(begun)
        for piece in pieces:
            sock.sendall(piece)
    else:
        sock.sendall(document(parts.path))


def main() -> None:
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096) as listener:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
