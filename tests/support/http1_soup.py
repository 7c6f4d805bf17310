"""Messages that are nearly HTTP/1.1, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.http1_reading import request

CUTS = st.lists(st.integers(0, 300), max_size=12)
EXTENSIONS = st.sampled_from([b"", b"", b"", b";a", b"; a =\tb", b';a="b\\"c"', b";a;b=c"])
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
