"""The framing of both sides: what is understood, what is refused, and that no split of the bytes makes a difference."""

from __future__ import annotations

import re
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.wire import http1
from app.wire.headers import KNOWN_NAMES, Headers
from app.wire.http1 import CHUNKED, UNTIL_CLOSE, ChunkedDecoder, HttpSyntaxError, RequestHead, ResponseHead

HOST = b"Host: a\r\n"


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


def parse_answer(data: bytes, method: str = "GET") -> ResponseHead:
    block, _ = take_head([data])
    return http1.parse_response_head(block, method)


def one_by_one(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def every_split(data: bytes, step: int = 1) -> list[list[bytes]]:
    return [[data[:index], data[index:]] for index in range(1, len(data), step)]


# --- request heads that are understood ---

GOOD_REQUESTS: dict[str, tuple[bytes, dict[str, object]]] = {
    "the shortest": (
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        {"method": "GET", "target": "/", "version": 11, "headers": [("Host", "a")], "body_length": 0}
        | {"keep_alive": True, "expects_continue": False},
    ),
    "a length": (with_field(b"Content-Length: 5"), {"body_length": 5}),
    "a length with leading zeros": (with_field(b"Content-Length: 0005"), {"body_length": 5}),
    "a length of nothing": (with_field(b"Content-Length: 0"), {"body_length": 0}),
    "the longest length": (with_field(b"Content-Length: " + b"9" * 18), {"body_length": 10**18 - 1}),
    "chunks": (with_field(b"Transfer-Encoding: chunked"), {"body_length": CHUNKED}),
    "chunks in capitals": (with_field(b"TRANSFER-ENCODING:\tCHUNKED \t"), {"body_length": CHUNKED}),
    "a method of one's own": (with_field(line=b"x!#$%&'*+-.^_`|~0 / HTTP/1.1"), {"method": "x!#$%&'*+-.^_`|~0"}),
    "a method in lower case": (with_field(line=b"get / HTTP/1.1"), {"method": "get"}),
    "an odd target": (
        with_field(line=b'GET //a/../%zz?b=?[]{}|\\^"<> HTTP/1.1'),
        {"target": '//a/../%zz?b=?[]{}|\\^"<>'},
    ),
    "raw bytes in the target": (with_field(line=b"GET /\xe4\xbd\xa0 HTTP/1.1"), {"target": "/\xe4\xbd\xa0"}),
    "a later minor version": (with_field(line=b"GET / HTTP/1.9"), {"version": 11, "keep_alive": True}),
    "spelling, order, number, blanks": (
        with_field(b"x-A:1", b"X-a: \t 2\t ", b"X-A:", b"X-B: a  b\tc"),
        {"headers": [("Host", "a"), ("x-A", "1"), ("X-a", "2"), ("X-A", ""), ("X-B", "a  b\tc")]},
    ),
    "bytes beyond ASCII in a value": (
        with_field(b"X: caf\xe9\x80\xa0"),
        {"headers": [("Host", "a"), ("X", "caf\xe9\x80\xa0")]},
    ),
    "an empty host": (request(b"GET / HTTP/1.1", b"Host:"), {"headers": [("Host", "")]}),
    "a host with a port": (request(b"GET / HTTP/1.1", b"hOST: a.b-c_d~%41:80"), {}),
    "a host in brackets": (request(b"GET / HTTP/1.1", b"Host: [::1]:80"), {}),
    "absolute form": (
        request(b"GET http://b:81/x?y HTTP/1.1", b"A: 1", b"Host: a"),
        {"target": "/x?y", "headers": [("Host", "b:81"), ("A", "1")]},
    ),
    "absolute form without a path": (with_field(line=b"GET HTTPS://b HTTP/1.1"), {"target": "/"}),
    "absolute form with a bare query": (with_field(line=b"GET http://[::1]?x HTTP/1.1"), {"target": "/?x"}),
    "absolute form with a second address": (
        with_field(line=b"GET http://b/http://c/ HTTP/1.1"),
        {"target": "/http://c/", "headers": [("Host", "b")]},
    ),
    "absolute form for the server itself": (with_field(line=b"OPTIONS http://b HTTP/1.1"), {"target": "*"}),
    "asterisk form": (with_field(line=b"OPTIONS * HTTP/1.1"), {"target": "*"}),
    "HTTP/1.0": (request(b"GET / HTTP/1.0"), {"version": 10, "keep_alive": False, "headers": []}),
    "HTTP/1.0 with a length": (request(b"POST / HTTP/1.0", b"Content-Length: 3"), {"body_length": 3}),
    "HTTP/1.0 keep-alive": (request(b"GET / HTTP/1.0", b"Connection: Keep-Alive"), {"keep_alive": True}),
    "HTTP/1.0 keep-alive and close": (
        request(b"GET / HTTP/1.0", b"Connection: keep-alive, close"),
        {"keep_alive": False},
    ),
    "HTTP/1.0 cannot expect": (request(b"POST / HTTP/1.0", b"Expect: 100-continue"), {"expects_continue": False}),
    "close": (with_field(b"Connection: close"), {"keep_alive": False}),
    "close in a list": (with_field(b"Connection: foo ,,\t CLOSE,"), {"keep_alive": False}),
    "close in a second field": (with_field(b"Connection: foo", b"connection: close"), {"keep_alive": False}),
    "something like close": (with_field(b"Connection: closed, not-close"), {"keep_alive": True}),
    "an expectation": (with_field(b"Expect: 100-Continue", b"Content-Length: 1"), {"expects_continue": True}),
    "an empty expectation": (with_field(b"Expect:"), {"expects_continue": False}),
    "200 fields": (with_field(*[b"A: b"] * 199), {}),
    "names as long as those that frame": (
        with_field(b"Ghost: b", b"Most: c", b"Content-Lengte: x", b"Transfer-Encodinh: y"),
        {},
    ),
}


@pytest.mark.parametrize("case", GOOD_REQUESTS)
def test_request_head_is_understood(case: str) -> None:
    """A correct head gives its values, and what follows it is left alone."""
    data, expected = GOOD_REQUESTS[case]
    head, rest = parse(data + b"rest\r\n\r\n")
    assert {name: getattr(head, name) for name in expected} == expected
    assert rest == b"rest\r\n\r\n"


def test_the_longest_head_is_understood() -> None:
    """A head of exactly 32 KiB is accepted, one byte more is not."""
    frame = with_field(b"A: ")
    fits = with_field(b"A: " + b"x" * (http1.MAX_HEAD_BYTES - len(frame)))
    assert len(fits) == http1.MAX_HEAD_BYTES
    for pieces in ([fits], one_by_one(fits), [fits[:-1], fits[-1:] + b"more"]):
        assert parse(fits, pieces)[0].body_length == 0
    for pieces in ([fits.replace(b"A: ", b"A: x")], one_by_one(fits.replace(b"A: ", b"A: x"))):
        with pytest.raises(HttpSyntaxError) as refused:
            parse(b"", pieces)
        assert refused.value.status == 431


# --- request heads that are refused ---

BAD_REQUESTS: dict[str, tuple[bytes, int]] = {
    # Framing: two ways to read where the body ends
    "length and chunks": (with_field(b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400),
    "chunks and length": (with_field(b"Transfer-Encoding: chunked", b"Content-Length: 5"), 400),
    "chunks and an empty length": (with_field(b"Transfer-Encoding: chunked", b"Content-Length:"), 400),
    "lengths that differ": (with_field(b"Content-Length: 5", b"Content-Length: 6"), 400),
    "a length twice": (with_field(b"Content-Length: 5", b"Content-Length: 5"), 400),
    "a length twice, spelt otherwise": (with_field(b"Content-Length: 5", b"cOnTeNt-lEnGtH: 5"), 400),
    "a list of lengths": (with_field(b"Content-Length: 5, 5"), 400),
    "a list of lengths that differ": (with_field(b"Content-Length: 5,6"), 400),
    "a list with an empty length": (with_field(b"Content-Length: 5,"), 400),
    "an empty length": (with_field(b"Content-Length:"), 400),
    "a signed length": (with_field(b"Content-Length: +5"), 400),
    "a negative length": (with_field(b"Content-Length: -5"), 400),
    "minus nothing": (with_field(b"Content-Length: -0"), 400),
    "an underscore in a length": (with_field(b"Content-Length: 5_0"), 400),
    "a hexadecimal length": (with_field(b"Content-Length: 0x5"), 400),
    "a hexadecimal digit": (with_field(b"Content-Length: a"), 400),
    "a decimal point": (with_field(b"Content-Length: 5.0"), 400),
    "an exponent": (with_field(b"Content-Length: 5e1"), 400),
    "a blank in a length": (with_field(b"Content-Length: 5 0"), 400),
    "a quoted length": (with_field(b'Content-Length: "5"'), 400),
    "a superscript length": (with_field(b"Content-Length: \xb2"), 400),
    "a length beyond 64 bits": (with_field(b"Content-Length: 18446744073709551621"), 400),
    "a length of 19 digits": (with_field(b"Content-Length: 0000000000000000005"), 400),
    "a length after a vertical tab": (with_field(b"Content-Length: \x0b5"), 400),
    "a length before a form feed": (with_field(b"Content-Length: 5\x0c"), 400),
    "a length with a NUL": (with_field(b"Content-Length: 5\x00"), 400),
    "chunked twice": (with_field(b"Transfer-Encoding: chunked, chunked"), 400),
    "chunked in two fields": (with_field(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
    "chunked, then identity": (with_field(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), 400),
    "identity, then chunked": (with_field(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"), 400),
    "identity": (with_field(b"Transfer-Encoding: identity"), 400),
    "gzip, chunked": (with_field(b"Transfer-Encoding: gzip, chunked"), 400),
    "chunked, gzip": (with_field(b"Transfer-Encoding: chunked, gzip"), 400),
    "xchunked": (with_field(b"Transfer-Encoding: xchunked"), 400),
    "chunkedx": (with_field(b"Transfer-Encoding: chunkedx"), 400),
    "chunked with a parameter": (with_field(b"Transfer-Encoding: chunked;q=1"), 400),
    "chunked in quotes": (with_field(b'Transfer-Encoding: "chunked"'), 400),
    "chunked after a comma": (with_field(b"Transfer-Encoding: ,chunked"), 400),
    "chunked before a comma": (with_field(b"Transfer-Encoding: chunked,"), 400),
    "no coding at all": (with_field(b"Transfer-Encoding:"), 400),
    "chunked after a vertical tab": (with_field(b"Transfer-Encoding: \x0bchunked"), 400),
    "chunked before a form feed": (with_field(b"Transfer-Encoding: chunked\x0c"), 400),
    "chunked after a no-break space": (with_field(b"Transfer-Encoding: \xa0chunked"), 400),
    "chunked with a NUL": (with_field(b"Transfer-Encoding: chunked\x00"), 400),
    "chunked after a carriage return": (with_field(b"Transfer-Encoding: \rchunked"), 400),
    "chunked on a folded line": (with_field(b"Transfer-Encoding:", b" chunked"), 400),
    "chunked on a line folded by a tab": (with_field(b"Transfer-Encoding:", b"\tchunked"), 400),
    "a blank before the colon of the coding": (with_field(b"Transfer-Encoding : chunked"), 400),
    "a tab before the colon of the coding": (with_field(b"Transfer-Encoding\t: chunked"), 400),
    "a blank before the coding's name": (with_field(b" Transfer-Encoding: chunked"), 400),
    "a vertical tab in the coding's name": (with_field(b"Transfer-Encoding\x0b: chunked"), 400),
    "a NUL in the coding's name": (with_field(b"Transfer-Encoding\x00: chunked"), 400),
    "the coding after a bare line feed": (with_field(b"A: b\nTransfer-Encoding: chunked"), 400),
    "the coding after a bare carriage return": (with_field(b"A: b\rTransfer-Encoding: chunked"), 400),
    "chunks in HTTP/1.0": (request(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked"), 400),
    # Lines
    "bare line feeds": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "a bare line feed after the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "a bare line feed after a field": (b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    "a bare line feed as the last line": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    "bare carriage returns": (b"GET / HTTP/1.1\rHost: a\r\r\n\r\n", 400),
    "two carriage returns": (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400),
    "a carriage return in a value": (with_field(b"A: b\rc"), 400),
    "a carriage return at a value's end": (with_field(b"A: b\r"), 400),
    "a folded line": (with_field(b"A: b", b" c"), 400),
    "a folded first line": (request(b"GET / HTTP/1.1", b" Host: a"), 400),
    "a line of blanks": (with_field(b" "), 400),
    "an empty line at the beginning": (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),  # the server passes over one
    "a line feed at the beginning": (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    # Fields
    "no colon": (with_field(b"A"), 400),
    "an empty name": (with_field(b": b"), 400),
    "a blank before a colon": (with_field(b"A : b"), 400),
    "a blank in a name": (with_field(b"A B: c"), 400),
    "a NUL in a name": (with_field(b"A\x00: b"), 400),
    "a NUL in a value": (with_field(b"A: b\x00c"), 400),
    "a delete in a value": (with_field(b"A: b\x7f"), 400),
    "an escape in a value": (with_field(b"A: \x1b[0m"), 400),
    "a byte beyond ASCII in a name": (with_field(b"\xe9: b"), 400),
    "a bracket in a name": (with_field(b"A(b): c"), 400),
    "a quote in a name": (with_field(b'"A": c'), 400),
    # Host
    "no host": (request(b"GET / HTTP/1.1"), 400),
    "no host in absolute form": (request(b"GET http://a/ HTTP/1.1"), 400),
    "two hosts": (with_field(b"Host: b"), 400),
    "the host twice": (with_field(b"HOST: a"), 400),
    "two hosts in HTTP/1.0": (request(b"GET / HTTP/1.0", b"Host: a", b"Host: a"), 400),
    "a list of hosts": (request(b"GET / HTTP/1.1", b"Host: a, b"), 400),
    "a host with a path": (request(b"GET / HTTP/1.1", b"Host: a/b"), 400),
    "a host with a user": (request(b"GET / HTTP/1.1", b"Host: u@a"), 400),
    "a host with a query": (request(b"GET / HTTP/1.1", b"Host: a?b"), 400),
    "a host with two ports": (request(b"GET / HTTP/1.1", b"Host: a:1:2"), 400),
    "a host with a named port": (request(b"GET / HTTP/1.1", b"Host: a:http"), 400),
    "a host with a blank": (request(b"GET / HTTP/1.1", b"Host: a b"), 400),
    "a host beyond ASCII": (request(b"GET / HTTP/1.1", b"Host: \xe9"), 400),
    "half a bracket": (request(b"GET / HTTP/1.1", b"Host: [::1"), 400),
    "an odd host beside absolute form": (request(b"GET http://a/ HTTP/1.1", b"Host: a/b"), 400),
    # Request line
    "two blanks": (with_field(line=b"GET  / HTTP/1.1"), 400),
    "two blanks before the version": (with_field(line=b"GET /  HTTP/1.1"), 400),
    "a tab": (with_field(line=b"GET\t/ HTTP/1.1"), 400),
    "a blank before the method": (with_field(line=b" GET / HTTP/1.1"), 400),
    "a blank after the version": (with_field(line=b"GET / HTTP/1.1 "), 400),
    "a blank in the target": (with_field(line=b"GET /a b HTTP/1.1"), 400),
    "no target": (with_field(line=b"GET HTTP/1.1"), 400),
    "no version": (with_field(line=b"GET /"), 400),
    "nothing at all": (b"\r\n\r\n", 400),
    "a colon in the method": (with_field(line=b"GE:T / HTTP/1.1"), 400),
    "a NUL in the target": (with_field(line=b"GET /\x00 HTTP/1.1"), 400),
    "a delete in the target": (with_field(line=b"GET /\x7f HTTP/1.1"), 400),
    "a version in lower case": (with_field(line=b"GET / http/1.1"), 400),
    "a version of one figure": (with_field(line=b"GET / HTTP/1"), 400),
    "a version of three figures": (with_field(line=b"GET / HTTP/1.10"), 400),
    "a version with a zero before it": (with_field(line=b"GET / HTTP/01.1"), 400),
    "a signed version": (with_field(line=b"GET / HTTP/+1.1"), 400),
    "another protocol": (with_field(line=b"GET / RTSP/1.1"), 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": (with_field(line=b"GET / HTTP/0.9"), 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    # Target
    "a fragment": (with_field(line=b"GET /a#b HTTP/1.1"), 400),
    "a relative target": (with_field(line=b"GET a/b HTTP/1.1"), 400),
    "a query alone": (with_field(line=b"GET ?a HTTP/1.1"), 400),
    "an asterisk for GET": (with_field(line=b"GET * HTTP/1.1"), 400),
    "an asterisk and more": (with_field(line=b"OPTIONS *a HTTP/1.1"), 400),
    "authority form": (with_field(line=b"GET a:80 HTTP/1.1"), 400),
    "a tunnel": (with_field(line=b"CONNECT a:80 HTTP/1.1"), 400),
    "a tunnel to a path": (with_field(line=b"CONNECT /a HTTP/1.1"), 400),
    "a tunnel to an address": (with_field(line=b"CONNECT http://a/ HTTP/1.1"), 400),
    "absolute form without a host": (with_field(line=b"GET http:///a HTTP/1.1"), 400),
    "absolute form with a port alone": (with_field(line=b"GET http://:80/a HTTP/1.1"), 400),
    "absolute form with a user": (with_field(line=b"GET http://u:p@a/ HTTP/1.1"), 400),
    "absolute form with a backslash": (with_field(line=b"GET http://a\\@b/ HTTP/1.1"), 400),
    "absolute form of another scheme": (with_field(line=b"GET ftp://a/ HTTP/1.1"), 400),
    "absolute form with one slash": (with_field(line=b"GET http:/a HTTP/1.1"), 400),
    # The rest
    "another expectation": (with_field(b"Expect: a-miracle"), 417),
    "two expectations": (with_field(b"Expect: 100-continue, b"), 417),
    "an expectation twice": (with_field(b"Expect: 100-continue", b"Expect: 100-continue"), 417),
    "201 fields": (with_field(*[b"A: b"] * 200), 431),
    "a head too long": (with_field(b"A: " + b"x" * http1.MAX_HEAD_BYTES), 431),
    "a head too long that does not end": (b"GET / HTTP/1.1\r\nA: " + b"x" * http1.MAX_HEAD_BYTES, 431),
    "a line too long": (b"GET /" + b"x" * http1.MAX_HEAD_BYTES, 414),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_request_head_is_refused(case: str) -> None:
    """What others may read differently is refused, with the status that says why."""
    data, status = BAD_REQUESTS[case]
    with pytest.raises(HttpSyntaxError) as refused:
        parse(data)
    assert refused.value.status == status


@pytest.mark.parametrize("case", GOOD_REQUESTS)
def test_good_head_in_pieces(case: str) -> None:
    """A head means the same however its bytes are split."""
    data, _ = GOOD_REQUESTS[case]
    whole, rest = parse(data)
    for pieces in [one_by_one(data), *every_split(data)]:
        head, rest_of_pieces = parse(data, pieces)
        assert (told(head), rest_of_pieces) == (told(whole), rest)


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=12), max_size=3), st.sampled_from([":", ": ", " :"]))
@example(["\xa0\xad\xff"], ": ")
@example(["a\tb", "\t", "\x7f"], ":")
def test_a_name_that_is_known_changes_nothing(values: list[str], colon: str) -> None:
    """A field whose name was seen before is judged and read as if it were the first of that name."""
    lines = "".join(f"X-Name{colon}{value}\r\n" for value in values)
    data = f"GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode("latin-1")

    def read() -> object:
        try:
            return told(parse(data)[0])
        except (HttpSyntaxError, EOFError) as error:
            return str(error)

    KNOWN_NAMES.clear()
    first = read()
    KNOWN_NAMES.update({"Host": "host", "X-Name": "x-name"})
    assert read() == first


def test_names_are_remembered_also_after_a_flood_of_others() -> None:
    """A flood of odd names takes a bounded place, and does not take it from the usual ones for good."""
    for number in range(http1.MAX_KNOWN_NAMES + 1):
        parse(with_field(b"X-%d: x" % number))
    assert len(KNOWN_NAMES) <= http1.MAX_KNOWN_NAMES
    parse(with_field(b"X-Usual: x"))
    assert "X-Usual" in KNOWN_NAMES


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_head_in_pieces(case: str) -> None:
    """A head that is refused is refused with the same status however its bytes are split."""
    data, status = BAD_REQUESTS[case]
    splits = every_split(data, 1 if len(data) < 1000 else len(data) // 50)
    for pieces in [one_by_one(data), *splits]:
        with pytest.raises(HttpSyntaxError) as refused:
            parse(data, pieces)
        assert refused.value.status == status


def test_search_for_the_end_goes_on_where_it_stopped() -> None:
    """What was searched is not searched again, so a head that drips in costs no more than one that comes at once."""
    assert http1.find_head_end(b"searched before: \n\r\n\r\n.", 23) == -1


# --- answers ---

GOOD_ANSWERS: dict[str, tuple[bytes, str, dict[str, object]]] = {
    "a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "GET",
        {"status": 200, "reason": "OK", "version": 11, "headers": [("Content-Length", "5")]}
        | {"body_length": 5, "keep_alive": True},
    ),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET",
        {"body_length": CHUNKED, "keep_alive": True},
    ),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\n", "GET", {"body_length": UNTIL_CLOSE, "keep_alive": False}),
    "close": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "GET", {"keep_alive": False}),
    "HTTP/1.0": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
        "GET",
        {"version": 10, "body_length": 5, "keep_alive": False},
    ),
    "HTTP/1.0 keep-alive": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
        "GET",
        {"version": 10, "keep_alive": True},
    ),
    "no reason": (b"HTTP/1.1 200 \r\n\r\n", "GET", {"reason": ""}),
    "no reason and no blank": (b"HTTP/1.1 200\r\n\r\n", "GET", {"reason": ""}),
    "a long reason": (b"HTTP/1.1 404 Nicht \t da: \xe9\r\n\r\n", "GET", {"reason": "Nicht \t da: \xe9"}),
    "a status of one's own": (b"HTTP/1.1 799 Odd\r\n\r\n", "GET", {"status": 799}),
    "HEAD with a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HEAD",
        {"body_length": 0, "keep_alive": True},
    ),
    "HEAD with chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HEAD",
        {"body_length": 0, "keep_alive": True},
    ),
    "HEAD with neither": (b"HTTP/1.1 200 OK\r\n\r\n", "HEAD", {"body_length": 0, "keep_alive": True}),
    "100": (b"HTTP/1.1 100 Continue\r\n\r\n", "POST", {"status": 100, "body_length": 0}),
    "103": (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", "GET", {"status": 103, "body_length": 0}),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", {"body_length": 0, "keep_alive": True}),
    "204 with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "GET", {"body_length": 0}),
    "304 with a length": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "GET",
        {"body_length": 0, "keep_alive": True},
    ),
}

BAD_ANSWERS: dict[str, bytes] = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/0.9": b"<html>\r\n\r\n",
    "a version in lower case": b"http/1.1 200 OK\r\n\r\n",
    "a status of two figures": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of four figures": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 OK\r\n\r\n",
    "a signed status": b"HTTP/1.1 +20 OK\r\n\r\n",
    "two blanks": b"HTTP/1.1  200 OK\r\n\r\n",
    "a tab": b"HTTP/1.1\t200 OK\r\n\r\n",
    "a NUL in the reason": b"HTTP/1.1 200 O\x00K\r\n\r\n",
    "a carriage return in the reason": b"HTTP/1.1 200 O\rK\r\n\r\n",
    "an empty line first": b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
    "a bare carriage return in a value": b"HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a blank before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "an empty name": b"HTTP/1.1 200 OK\r\n: 0\r\n\r\n",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 201 + b"\r\n",
    "a head too long": b"HTTP/1.1 200 OK\r\nA: " + b"x" * http1.MAX_HEAD_BYTES + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", GOOD_ANSWERS)
def test_response_head_is_understood(case: str) -> None:
    """A correct head of an answer gives its values, at once and in pieces."""
    data, method, expected = GOOD_ANSWERS[case]
    head = parse_answer(data, method)
    assert {name: getattr(head, name) for name in expected} == expected
    for pieces in [one_by_one(data), *every_split(data)]:
        assert told(http1.parse_response_head(take_head(pieces)[0], method)) == told(head)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_response_head_is_refused(case: str, method: str) -> None:
    """An answer is judged as strictly as a request."""
    with pytest.raises(HttpSyntaxError):
        parse_answer(BAD_ANSWERS[case], method)


@pytest.mark.parametrize("break_", ["\r", "\n", "\r\n", "\r\nX: y"])
def test_no_line_break_can_be_sent(break_: str) -> None:
    """A head of ours holds only the line breaks that we put there."""
    for first_line, fields in (
        (f"GET /{break_} HTTP/1.1", []),
        ("GET / HTTP/1.1", [("A", f"b{break_}")]),
        ("GET / HTTP/1.1", [(f"A{break_}", "b")]),
    ):
        with pytest.raises(ValueError, match="line break"):
            http1.format_head(first_line, fields)


# --- chunked bodies ---

GOOD_CHUNKS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"0\r\n\r\n", b""),
    "one": (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "several": (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    "hexadecimal in both cases": (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    "leading zeros": (b"0005\r\nhello\r\n000\r\n\r\n", b"hello"),
    "the longest size": (b"0000000000000001\r\na\r\n0\r\n\r\n", b"a"),
    "line breaks as content": (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    "a whole body as content": (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    "an extension": (b"1;a\r\nx\r\n0;b\r\n\r\n", b"x"),
    "extensions": (b'1; a = b;\tc="d;\\" \xe9";e\r\nx\r\n0\r\n\r\n', b"x"),
    "a trailer": (b"1\r\nx\r\n0\r\nA: b\r\n\r\n", b"x"),
    "trailers": (b"0\r\nA: b\r\nDigest: c\r\nA:\r\n\r\n", b""),
}

BAD_CHUNKS: dict[str, bytes] = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a blank after the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "a tab after the size": b"5\t\r\nhello\r\n0\r\n\r\n",
    "a vertical tab after the size": b"5\x0b\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a prefixed size": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "no hexadecimal": b"g\r\nhello\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "a bare line feed after the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare carriage return after the size": b"5\rhello\r\n0\r\n\r\n",
    "two carriage returns after the size": b"5\r\r\nhello\r\n0\r\n\r\n",
    "a bare line feed after the content": b"5\r\nhello\n0\r\n\r\n",
    "a bare carriage return after the content": b"5\r\nhello\r0\r\n\r\n",
    "nothing after the content": b"5\r\nhello0\r\n\r\n",
    "content longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
    "content shorter than its size": b"6\r\nhello\r\n0\r\n\r\n",
    "an extension without a name": b"5;\r\nhello\r\n0\r\n\r\n",
    "an extension without a value": b"5;a=\r\nhello\r\n0\r\n\r\n",
    "an extension with an open quote": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "an extension with a line feed": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "an extension with a line feed in quotes": b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    "an extension with a carriage return": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "an extension with a NUL": b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
    "an extension after a blank": b"5 ;a\r\nhello\r\n0\r\n\r\n",
    "an extension before a blank": b"5;a \r\nhello\r\n0\r\n\r\n",
    "an extension too long": b"5;a=" + b"b" * http1.MAX_CHUNK_LINE_BYTES + b"\r\nhello\r\n0\r\n\r\n",
    "an extension that does not end": b"5;a=" + b"b" * http1.MAX_CHUNK_LINE_BYTES,
    "more extensions than a body may have": (b"1;a=" + b"b" * 1000 + b"\r\nx\r\n") * 18,
    "a bare line feed at the end": b"0\r\n\n",
    "a bare line feed as the last": b"0\n\n",
    "a trailer after a bare line feed": b"0\r\nA: b\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a blank before a trailer's colon": b"0\r\nA : b\r\n\r\n",
    "a trailer without a colon": b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "a NUL in a trailer": b"0\r\nA: \x00\r\n\r\n",
    "a carriage return at the end": b"0\r\n\rA: b\r\n\r\n",
    "too many trailers": b"0\r\n" + b"A: b\r\n" * 201 + b"\r\n",
    "trailers too long": b"0\r\nA: " + b"x" * http1.MAX_TRAILER_BYTES + b"\r\n\r\n",
    "trailers that do not end": b"0\r\nA: " + b"x" * http1.MAX_TRAILER_BYTES,
} | {
    f"{name} as a trailer": b"1\r\nx\r\n0\r\nA: b\r\n%b: 1\r\n\r\n" % name.encode()
    for name in (
        "Content-Length transfer-encoding HOST Authorization Cookie Connection Trailer Content-Type Content-Encoding "
        "Set-Cookie Expect TE Upgrade Proxy-Authorization".split()
    )
}


def decode(pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    """Content, what follows the body, and whether it ended."""
    decoder = ChunkedDecoder()
    content = b""
    for number, piece in enumerate(pieces):
        content += decoder.feed(piece)
        if decoder.done:
            return content, decoder.rest + b"".join(pieces[number + 1 :]), True
    return content, b"", False


@pytest.mark.parametrize("case", GOOD_CHUNKS)
def test_chunks_are_understood(case: str) -> None:
    """A correct chunked body gives its content, and what follows is left alone, however the bytes are split."""
    data, content = GOOD_CHUNKS[case]
    follows = b"GET / HTTP/1.1\r\n"
    for pieces in [[data + follows], one_by_one(data + follows), *every_split(data + follows)]:
        assert decode(pieces) == (content, follows, True)


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_chunks_are_refused(case: str) -> None:
    """A malformed chunked body is refused, however the bytes are split, and never gives more than its first content."""
    data = BAD_CHUNKS[case]
    splits = every_split(data, 1 if len(data) < 200 else len(data) // 50)
    for pieces in [[data], one_by_one(data), *splits]:
        with pytest.raises(HttpSyntaxError):
            decode(pieces)


@pytest.mark.parametrize("case", GOOD_CHUNKS)
def test_chunks_cut_off_are_not_complete(case: str) -> None:
    """No beginning of a chunked body looks like a whole one."""
    data, content = GOOD_CHUNKS[case]
    for end in range(len(data)):
        begun, rest, done = decode([data[:end]])
        assert (done, rest) == (False, b"")
        assert content.startswith(begun)


@pytest.mark.parametrize("size", [1, 100], ids=["of one byte", "of a hundred bytes"])
def test_a_body_is_not_made_of_extensions(size: int) -> None:
    """Chunk lines may have 16 KiB more in all than 16 bytes and twice the content each; whatever the split."""
    line = b"%x;a=" % size
    line += b"b" * (16 + 2 * size + 64 - len(line) - 2) + b"\r\n"  # 64 bytes beyond what is usual
    wordy = line + b"x" * size + b"\r\n"
    allowed = http1.MAX_CHUNK_EXCESS_BYTES // 64
    for pieces in ([wordy * allowed], one_by_one(wordy * allowed), [wordy] * allowed):
        assert decode(pieces) == (b"x" * size * allowed, b"", False)
    for pieces in ([wordy * (allowed + 1)], one_by_one(wordy * (allowed + 1)), [wordy] * (allowed + 1)):
        with pytest.raises(HttpSyntaxError, match="extension"):
            decode(pieces)


def test_short_chunk_lines_make_up_for_long_ones() -> None:
    """A body of any length may have extensions now and then, and one of single bytes without any may be endless."""
    wordy = b"1;a=" + b"b" * 1000 + b"\r\nx\r\n"
    large = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    assert decode([wordy + large] * 100) == (b"x" * 4097 * 100, b"", False)
    assert decode([b"1\r\nx\r\n" * 50_000]) == (b"x" * 50_000, b"", False)


def test_longest_trailer_is_understood_in_every_split() -> None:
    """A trailer of exactly 8 KiB is accepted, one byte more is not, at once and byte by byte."""
    frame = b"A: \r\n\r\n"
    value = b"x" * (http1.MAX_TRAILER_BYTES - len(frame))
    for pieces in ([b"0\r\nA: " + value + b"\r\n\r\n"], one_by_one(b"0\r\nA: " + value + b"\r\n\r\n")):
        assert decode(pieces)[2]
    for pieces in ([b"0\r\nA: x" + value + b"\r\n\r\n"], one_by_one(b"0\r\nA: x" + value + b"\r\n\r\n")):
        with pytest.raises(HttpSyntaxError):
            decode(pieces)


def split_at(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(edges)] or [b""]


CUTS = st.lists(st.integers(0, 300), max_size=12)
EXTENSIONS = st.sampled_from([b"", b"", b"", b";a", b"; a =\tb", b';a="b\\"c"', b";a;b=c"])


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), EXTENSIONS), max_size=6), CUTS, st.binary(max_size=20))
def test_chunks_round_trip(chunks: list[tuple[bytes, bytes]], cuts: list[int], follows: bytes) -> None:
    """Whatever is sent in chunks comes out again, in any split."""
    data = b"".join(b"%x%b\r\n%b\r\n" % (len(content), extension, content) for content, extension in chunks)
    pieces = split_at(data + b"0\r\n\r\n" + follows, cuts)
    assert decode(pieces) == (b"".join(content for content, _ in chunks), follows, True)


# --- never laxer than h11 ---

NOT_ASCII = re.compile(rb"[\x80-\xff]")
TCHARS = b"!#$%&'*+-.^_`|~0129AZaz"


def mutated(texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Some of `texts`, with a few bytes put in, taken out or changed where it hurts."""
    nasty = st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"\t", b" ", b"\x00", b"\x0b", b"\x7f", b":", b",", b";", b"\x85", b"0", b"\xe9", b"+"]
    )
    edit = st.tuples(st.integers(0, 400), nasty, st.sampled_from(["insert", "replace", "delete"]))

    def apply(text: bytes, edits: list[tuple[int, bytes, str]]) -> bytes:
        for at, piece, how in edits:
            at %= len(text) + 1
            text = text[:at] + (b"" if how == "delete" else piece) + text[at if how == "insert" else at + 1 :]
        return text

    return st.builds(apply, texts, st.lists(edit, max_size=3))


LENGTHS = st.sampled_from(
    [b"0", b"3", b"5", b"05", b"5, 5", b"+5", b"5_0", b"0x5", b"-1", b"", b"\xb2", b"99999999999999999999"]
)
CODINGS = st.sampled_from(
    [b"chunked", b"Chunked", b"chunked, chunked", b"gzip, chunked", b"identity", b"chunked;q=1", b"\tchunked"]
)
HOSTS = st.sampled_from([b"a", b"a:80", b"[::1]", b"", b"a, b", b"a/b"])
FIELDS = st.one_of(
    st.builds(lambda value: b"Content-Length: " + value, LENGTHS),
    st.builds(lambda value: b"Transfer-Encoding: " + value, CODINGS),
    st.builds(lambda value: b"Host: " + value, HOSTS),
    st.sampled_from([b"Connection: close", b"Connection: keep-alive, x", b"connection:close", b"Expect: 100-continue"]),
    st.sampled_from([b"X: y", b"X:", b"X : y", b" X: y", b"X: a b\tc ", b"Content-Length: 4", b"Cookie: a=b"]),
    st.builds(
        lambda name, value: name + b": " + value,
        st.lists(st.sampled_from(list(TCHARS)), min_size=1, max_size=17).map(bytes),
        st.binary(max_size=8),
    ),
)
REQUEST_LINES = st.builds(
    lambda method, target, version: method + b" " + target + b" " + version,
    st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"get", b"M-SEARCH"]),
    st.sampled_from([b"/", b"/a?b=c", b"*", b"http://b/c", b"http://b", b"b:80", b"/a#b", b"/\xe4\xbd", b"//", b"a"]),
    st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1"]),
)
CHUNK_BODIES = mutated(
    st.builds(
        lambda chunks, trailers: (
            b"".join(b"%x%b\r\n%b\r\n" % (len(content), extension, content) for content, extension in chunks)
            + b"0\r\n"
            + b"".join(trailer + b"\r\n" for trailer in trailers)
            + b"\r\n"
        ),
        st.lists(st.tuples(st.binary(min_size=1, max_size=9), EXTENSIONS), max_size=3),
        st.lists(st.sampled_from([b"A: b", b"Content-Length: 3", b"C:"]), max_size=2),
    )
)
BODIES = st.one_of(st.binary(max_size=12), CHUNK_BODIES, st.just(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"))
HEADS = st.builds(
    lambda line, host, fields: request(line, *host, *fields),
    REQUEST_LINES,
    st.sampled_from([[b"Host: a"], [b"Host: a"], [b"Host: a"], []]),
    st.lists(FIELDS, max_size=4),
)
HARMLESS = st.sampled_from([b"X: y", b"x-a:b c\t", b"Cookie: a=b", b"Connection: close", b"Expect: 100-continue"])
FRAMING = st.sampled_from([b"Content-Length: 5", b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked", b"Y: z"])
PLAUSIBLE_HEADS = st.builds(
    lambda method, fields, framing: request(method + b" /a HTTP/1.1", b"Host: a", *fields, framing),
    st.sampled_from([b"GET", b"POST", b"HEAD"]),
    st.lists(HARMLESS, max_size=2),
    FRAMING,
)
REQUESTS = st.builds(
    lambda head, body: head + body, st.one_of(PLAUSIBLE_HEADS, mutated(PLAUSIBLE_HEADS), mutated(HEADS)), BODIES
)


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


@settings(max_examples=1500, deadline=None)
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


ANSWERS = st.builds(
    lambda head, body: head + body,
    mutated(
        st.builds(
            lambda line, fields: request(line, *fields),
            st.sampled_from(
                [
                    b"HTTP/1.1 200 OK",
                    b"HTTP/1.1 204 No",
                    b"HTTP/1.0 200 OK",
                    b"HTTP/1.1 500",
                    b"HTTP/1.1 304 ",
                    b"HTTP/2.0 200 OK",
                ]
            ),
            st.lists(FIELDS, max_size=3),
        )
    ),
    BODIES,
)


@settings(max_examples=1500, deadline=None)
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


@settings(max_examples=600, deadline=None)
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
