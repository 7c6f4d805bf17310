"""The heads of both sides: what is understood, what is refused, and that no split of the bytes makes a difference."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.wire.http import http1
from app.wire.http.headers import KNOWN_NAMES
from app.wire.http.http1 import CHUNKED, UNTIL_CLOSE, HttpSyntaxError, ResponseHead
from tests.support.http1_cases import BAD_ANSWERS, BAD_REQUESTS
from tests.support.http1_reading import every_split, one_by_one, parse, request, take_head, told, with_field

HOST = b"Host: a\r\n"


def parse_answer(data: bytes, method: str = "GET") -> ResponseHead:
    block, _ = take_head([data])
    return http1.parse_response_head(block, method)


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


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=12), max_size=3), st.sampled_from([":", ": ", " :"]))
@example(["a", "a", "b"], ": ")
@example(["a\tb", "a\rb", "\x7f"], ": ")
def test_a_line_that_is_known_changes_nothing(values: list[str], colon: str) -> None:
    """A line that was seen before is read as it was then, in whatever head it stands."""
    lines = "".join(f"Accept{colon}{value}\r\n" for value in values)
    heads = [f"GET / HTTP/1.1\r\nHost: a\r\n{lines}{odd}\r\n".encode("latin-1") for odd in ("", "X: \t\xff\r\n")]

    def read() -> list[object]:
        found: list[object] = []
        for head in heads:
            try:
                found.append(told(parse(head)[0]))
            except (HttpSyntaxError, EOFError) as error:
                found.append(str(error))
        return found

    KNOWN_NAMES.clear()
    http1._known_lines.clear()
    first = read()
    assert read() == first
    http1._known_lines.clear()
    assert read() == first


def test_lines_are_remembered_of_recurring_fields_alone_and_no_more_than_so_many() -> None:
    """No key is: neither by a name that is known for one nor by any that we do not know."""
    http1._known_lines.clear()
    secret = "sk-secret"
    names = ("Authorization", "Proxy-Authorization", "Cookie", "x-api-key", "api-key", "X-Own-Key", "Set-Cookie")
    for name in names:
        parse(with_field(f"{name}: {secret}".encode()))
    parse(with_field(b"User-Agent: " + b"a" * http1.MAX_KNOWN_LINE_BYTES))
    assert {line.partition(":")[0] for line in http1._known_lines} == {"Host"}
    for number in range(http1.MAX_KNOWN_LINES + 1):
        parse(with_field(b"User-Agent: client/%d" % number))
    assert 0 < len(http1._known_lines) <= http1.MAX_KNOWN_LINES


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
