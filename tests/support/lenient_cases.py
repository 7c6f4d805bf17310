"""Answers that break the rules and that every client reads, as tables."""

from __future__ import annotations

from tests.support.http1_cases import BAD_CHUNKS

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
READ: dict[str, tuple[bytes, list[tuple[str, str]], bytes]] = {
    "a blank before the colon": (
        OK + b"A : b\r\nContent-Length\t : 5\r\n\r\nhello",
        [("A", "b"), ("Content-Length", "5")],
        b"hello",
    ),
    "a folded field": (
        OK + b"A: b\r\n  c\r\n\td \r\nContent-Length: 5\r\n\r\nhello",
        [("A", "b c d"), ("Content-Length", "5")],
        b"hello",
    ),
    "a value on the next line": (
        OK + b"A:\r\n b : c\r\nContent-Length:\r\n 5\r\n\r\nhello",
        [("A", "b : c"), ("Content-Length", "5")],
        b"hello",
    ),
    "a length twice": (
        OK + b"content-length: 5\r\nA: b\r\nContent-Length: 5\r\n\r\nhello",
        [("content-length", "5"), ("A", "b")],
        b"hello",
    ),
    "a list of equal lengths": (OK + b"Content-Length: 5, 5\r\n\r\nhello", [("Content-Length", "5")], b"hello"),
    "a length beside chunks": (
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO,
        [("Transfer-Encoding", "chunked")],
        b"hello",
    ),
    "chunks in HTTP/1.0": (
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO,
        [("Transfer-Encoding", "chunked")],
        b"hello",
    ),
    "a line without a colon": (
        OK + b"nonsense\r\nContent-Length: 5\r\n\r\nhello",
        [("Content-Length", "5")],
        b"hello",
    ),
    "a control character": (
        OK + b"A: b\x01c\r\nContent-Length: 5\r\n\r\nhello",
        [("Content-Length", "5")],
        b"hello",
    ),
    "a NUL": (OK + b"A: b\x00\r\nContent-Length: 5\r\n\r\nhello", [("Content-Length", "5")], b"hello"),
    "a bare carriage return": (
        OK + b"A: b\rSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello",
        [("Content-Length", "5")],
        b"hello",
    ),
    "a name that is none": (
        OK + b"a b: c\r\n: d\r\nContent-Length: 5\r\n\r\nhello",
        [("Content-Length", "5")],
        b"hello",
    ),
    "a folded line of what is left out": (
        OK + b"a b\r\n Set-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello",
        [("Content-Length", "5")],
        b"hello",
    ),
    "many fields": (
        OK + b"A: b\r\n" * 999 + b"Content-Length: 5\r\n\r\nhello",
        [("A", "b")] * 999 + [("Content-Length", "5")],
        b"hello",
    ),
    "a long head": (
        OK + b"A: " + b"b" * 250_000 + b"\r\nContent-Length: 5\r\n\r\nhello",
        [("A", "b" * 250_000), ("Content-Length", "5")],
        b"hello",
    ),
}
"""The bytes, their fields and their content."""
LONG = {"many fields", "a long head"}
"""What http.client and h11 find too long."""
READ_CHUNKS: dict[str, bytes] = {
    "blanks behind a size": b"2  \r\nhe\r\n3\t\r\nllo\r\n0 \r\n\r\n",
    "a blank before an extension": b"5 ;a=b\r\nhello\r\n0\r\n\r\n",
    "a blank behind an extension": b"5;a \r\nhello\r\n0\r\n\r\n",
} | {
    name: b"5\r\nhello\r\n" + BAD_CHUNKS[name][BAD_CHUNKS[name].index(b"0\r\n") :]
    for name in BAD_CHUNKS
    if name.endswith(" as a trailer")
    or name
    in ("a folded trailer", "a blank before a trailer's colon", "a trailer without a colon", "a NUL in a trailer")
}
FORGIVEN_CHUNKS = {name for name in BAD_CHUNKS if name in READ_CHUNKS} | {
    "a blank after the size",
    "a tab after the size",
    "an extension after a blank",
    "an extension before a blank",
    "too many trailers",
    "a carriage return at the end",
}
"""Of `BAD_CHUNKS` those that the second reading takes."""
FORGIVEN_ANSWERS = {
    "a bare carriage return in a value", "a folded line", "a blank before a colon", "an empty name",
    "length and chunks", "a length twice", "a list of lengths", "chunks in HTTP/1.0", "too many fields",
    "a head too long",
}  # fmt: skip
"""Of `BAD_ANSWERS` those that the second reading takes."""
