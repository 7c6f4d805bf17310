"""Nothing is read more laxly than h11 reads it, and no split of the bytes makes a difference."""

from __future__ import annotations

import re

import h11
from hypothesis import example, given
from hypothesis import strategies as st

from app.wire.http import http1
from app.wire.http.headers import Headers
from app.wire.http.http1 import CHUNKED, UNTIL_CLOSE, HttpSyntaxError, RequestHead
from tests.support.examples import examples
from tests.support.http1_reading import decode, parse, split_at, take_head, told, with_field
from tests.support.http1_soup import ANSWERS, CUTS, REQUESTS

NOT_ASCII = re.compile(rb"[\x80-\xff]")


def our_request(data: bytes) -> tuple[RequestHead, bytes, bytes, bool] | None:
    """Head, content, leftover and whether the body was whole; None when refused or not complete."""
    try:
        head, rest = parse(data)
        if head.body_length == CHUNKED:
            return head, *decode([rest])
    except (HttpSyntaxError, EOFError):
        return None
    body = rest[: head.body_length]
    return head, body, rest[head.body_length :], len(body) == head.body_length


def h11_events(connection: h11.Connection, data: bytes) -> tuple[list[h11.Event], bytes, bool]:
    """What h11 reads in `data` of one message; leftover and whether the message was whole."""
    connection.receive_data(data)
    events = []
    while True:
        event = connection.next_event()
        if event in (h11.NEED_DATA, h11.PAUSED):
            return events, connection.trailing_data[0], False
        events.append(event)
        if isinstance(event, h11.EndOfMessage):
            return events, connection.trailing_data[0], True


def content_of(events: list[h11.Event]) -> bytes:
    return b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data))


def for_h11(data: bytes) -> bytes:
    """`data` without what we take and h11 does not, all of it within the request line.

    Raw bytes beyond ASCII in a target: clients send them, nobody frames by them, and they pass untouched.
    """
    line, separator, rest = data.partition(b"\r\n")
    return NOT_ASCII.sub(b"x", line) + separator + rest


def as_h11(fields: Headers) -> list[tuple[bytes, bytes]]:
    """The fields as h11 gives them: names in lower case, and the coding's name too."""
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in pairs]


@examples(1500)
@given(REQUESTS)
@example(with_field(b"Content-Length: 3", b"Connection: close") + b"abcGET / HTTP/1.1\r\n\r\n")
@example(with_field(b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
def test_no_request_is_read_more_laxly_than_h11_reads_it(data: bytes) -> None:
    """What we accept h11 accepts too, with the same method, target, fields, content and leftover."""
    ours = our_request(data)
    if ours is None:
        return
    head, content, rest, complete = ours
    events, their_rest, their_complete = h11_events(h11.Connection(h11.SERVER), for_h11(data))
    theirs = events[0]
    assert isinstance(theirs, h11.Request)
    assert theirs.method == head.method.encode()
    if not theirs.target.startswith(b"http"):
        assert theirs.target == NOT_ASCII.sub(b"x", head.target.encode("latin-1"))
        assert list(theirs.headers) == as_h11(head.headers)
    assert content_of(events) == content
    assert complete == their_complete
    if complete:
        assert rest == their_rest


@examples(1500)
@given(ANSWERS, st.sampled_from(["GET", "HEAD"]))
def test_no_answer_is_read_more_laxly_than_h11_reads_it(data: bytes, method: str) -> None:
    """What we accept of an upstream h11 accepts too, with the same status, fields, content and end."""
    try:
        block, rest = take_head([data])
        head = http1.parse_response_head(block, method)
        content, complete = rest, False
        if head.body_length == CHUNKED:
            content, rest, complete = decode([rest])
        elif head.body_length != UNTIL_CLOSE:
            content, rest = rest[: head.body_length], rest[head.body_length :]
            complete = len(content) == head.body_length
    except (HttpSyntaxError, EOFError):
        return
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    events, their_rest, their_complete = h11_events(connection, data)
    theirs = events[0]
    assert isinstance(theirs, h11.Response)
    assert theirs.status_code == head.status
    assert list(theirs.headers) == as_h11(head.headers)
    assert content_of(events) == content
    assert complete == their_complete
    if complete:
        assert rest == their_rest


@examples(600)
@given(REQUESTS, CUTS)
def test_no_split_changes_a_request(data: bytes, cuts: list[int]) -> None:
    """Head, content and leftover, or the refusal, are the same however the bytes are split."""

    def read(pieces: list[bytes]) -> object:
        try:
            block, rest = take_head(pieces)
            head = http1.parse_request_head(block)
            body = decode(split_at(rest, cuts)) if head.body_length == CHUNKED else rest
            return told(head), body
        except HttpSyntaxError:
            return "refused"
        except EOFError:
            return "not complete"

    whole = read([data])
    in_pieces = read(split_at(data, cuts))
    assert in_pieces == whole
