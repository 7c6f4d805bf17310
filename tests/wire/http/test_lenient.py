"""Answers that break the rules and that every client reads: one meaning, the one that others give them too."""

from __future__ import annotations

import contextlib
import http.client
import socket

import h11
import pytest
from hypothesis import given

from app.wire.http import http1, lenient
from app.wire.http.chunked import ChunkedDecoder
from app.wire.http.http1 import CHUNKED, UNTIL_CLOSE, HttpSyntaxError
from app.wire.http.lenient import LenientChunkedDecoder
from tests.support.examples import examples
from tests.support.http1_cases import BAD_ANSWERS, BAD_CHUNKS, GOOD_CHUNKS
from tests.support.http1_reading import every_split, one_by_one
from tests.support.http1_soup import ANSWERS
from tests.support.lenient_cases import FORGIVEN_ANSWERS, FORGIVEN_CHUNKS, LONG, OK, READ, READ_CHUNKS

REFUSED: dict[str, bytes] = {
    "lengths that differ": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "lengths that differ in a list": b"Content-Length: 5, 6\r\n",
    "lengths that are written differently": b"Content-Length: 5\r\nContent-Length: 05\r\n",
    "a length and an empty one": b"Content-Length: 5\r\nContent-Length:\r\n",
    "no length in a length": b"A : b\r\nContent-Length:\r\n",
    "a folded length": b"Content-Length: 5\r\n 6\r\n",
    "a signed length": b"Content-Length: +5\r\n",
    "a length with a control character": b"Content-Length: 5\x00\r\n",
    "a length behind a control character": b"\x0bContent-Length: 5\r\n",
    "a length without a colon": b"Content-Length 5\r\n",
    "a coding behind a carriage return": b"A: b\rTransfer-Encoding: chunked\r\n",
    "a coding with a control character": b"Transfer-Encoding: \x0bchunked\r\n",
    "a coding in a folded line of nothing": b" Transfer-Encoding: chunked\r\n",
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "a folded coding": b"Transfer-Encoding: chunked\r\n , identity\r\n",
    "too many fields": b"A: b\r\n" * 1001,
}


def content_of(data: bytes, decoder: ChunkedDecoder | None = None) -> bytes:
    decoder = decoder or LenientChunkedDecoder()
    content = decoder.feed(data)
    assert decoder.done
    return content


@pytest.mark.parametrize("case", READ)
def test_what_every_client_reads_is_read(case: str) -> None:
    """What the strict reading refuses has its fields and its content all the same, and its connection ends."""
    data, fields, content = READ[case]
    end = http1.find_head_end(data, 0, lenient.MAX_HEAD_BYTES)
    with pytest.raises(HttpSyntaxError):
        http1.parse_response_head(data[:end], "GET")
    head = lenient.parse_response_head(data[:end], "GET")
    assert (head.status, head.headers, head.keep_alive) == (200, fields, False)
    assert (content_of(data[end:]) if head.body_length == CHUNKED else data[end:][: head.body_length]) == content


@pytest.mark.parametrize("case", sorted(set(READ) - LONG))
def test_others_read_the_same(case: str) -> None:
    """http.client finds the same content in each, and h11 in each that it takes."""
    data, _, content = READ[case]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        with contextlib.closing(http.client.HTTPResponse(ours)) as response:
            response.begin()
            assert response.read() == content
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    try:
        events = list(iter(connection.next_event, h11.NEED_DATA))[:3]
    except h11.RemoteProtocolError:
        return
    assert b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data)) == content


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_two_meanings_is_refused(case: str) -> None:
    """Framing that two readers could understand differently is no answer, whatever else is forgiven."""
    with pytest.raises(HttpSyntaxError):
        lenient.parse_response_head(OK + REFUSED[case] + b"\r\n", "GET")


@examples(1500)
@given(ANSWERS)
def test_nothing_that_was_forgiven_can_split_an_answer(data: bytes) -> None:
    """Fields that are passed on are strict ones and frame the body once: written out they read the same, strictly."""
    end = data.find(b"\r\n\r\n") + 4
    try:
        head = lenient.parse_response_head(data[:end], "GET")
    except HttpSyntaxError:
        return
    written = http1.format_head(f"HTTP/1.1 {head.status} {head.reason}", head.headers)
    again = http1.parse_response_head(written, "GET")
    assert (again.headers, again.body_length) == (head.headers, head.body_length)


@examples(1000)
@given(ANSWERS)
def test_what_is_strict_reads_the_same(data: bytes) -> None:
    """The second reading gives an answer that the first one takes the same meaning."""
    end = data.find(b"\r\n\r\n") + 4
    try:
        strict = http1.parse_response_head(data[:end], "GET")
    except HttpSyntaxError:
        return
    again = lenient.parse_response_head(data[:end], "GET")
    assert (again.status, again.headers, again.body_length) == (strict.status, strict.headers, strict.body_length)


# --- chunks ---


@pytest.mark.parametrize("case", READ_CHUNKS)
def test_chunks_that_every_client_reads_are_read(case: str) -> None:
    """Blanks behind a size, and whatever stands in a trailer, change no content; however the bytes are split."""
    data = READ_CHUNKS[case]
    for pieces in [[data], one_by_one(data), *every_split(data)]:
        decoder = LenientChunkedDecoder()
        assert b"".join(decoder.feed(piece) for piece in pieces) == b"hello"
        assert (decoder.done, decoder.is_odd, decoder.rest) == (True, True, b"")


@pytest.mark.parametrize("case", GOOD_CHUNKS)
def test_correct_chunks_are_not_odd(case: str) -> None:
    """A body that keeps to the rules leaves its connection as good as it was."""
    data, content = GOOD_CHUNKS[case]
    decoder = LenientChunkedDecoder()
    assert (decoder.feed(data), decoder.done, decoder.is_odd) == (content, True, False)


@pytest.mark.parametrize("case", sorted(set(BAD_CHUNKS) - FORGIVEN_CHUNKS))
def test_other_chunks_stay_refused(case: str) -> None:
    """What could be read in two ways breaks the body."""
    with pytest.raises(HttpSyntaxError):
        LenientChunkedDecoder().feed(BAD_CHUNKS[case])


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_other_answers_stay_refused(case: str) -> None:
    """Of the answers that are refused strictly just those that are listed are forgiven."""
    try:
        end = http1.find_head_end(BAD_ANSWERS[case], 0, lenient.MAX_HEAD_BYTES)
        assert lenient.parse_response_head(BAD_ANSWERS[case][:end], "GET").body_length >= UNTIL_CLOSE - 1
    except HttpSyntaxError:
        assert case not in FORGIVEN_ANSWERS
    else:
        assert case in FORGIVEN_ANSWERS
