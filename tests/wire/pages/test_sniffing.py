"""What a browser takes an answer for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.http.headers import Headers
from app.wire.pages.address import parse_address
from app.wire.pages.fields import Site
from app.wire.pages.rewriting import rewriter_for
from app.wire.pages.sniffing import (
    RESOURCE_HEADER_BYTES,
    begins_as_page,
    content_type,
    is_attachment,
    may_sniff_pages,
)

SITE = Site(parse_address("https://site.example/"), "/proxy/", False, "n")
TAGS = "!DOCTYPE HTML,HTML,HEAD,SCRIPT,IFRAME,H1,DIV,FONT,TABLE,A,STYLE,TITLE,B,BODY,BR,P,!--".split(",")


def typed(*values: str) -> Headers:
    return [("Content-Type", value) for value in values]


def rewritten(body: bytes, fields: Headers, cuts: list[int]) -> bytes | None:
    rewriter = rewriter_for(fields, SITE)
    if rewriter is None:
        return None
    edges = [0, *cuts, len(body)]
    pieces = (body[start:end] for start, end in pairwise(edges))
    return b"".join(rewriter.feed(piece) for piece in pieces) + rewriter.finish()


@pytest.mark.parametrize(
    ("values", "essence", "text"),
    [
        (["text/html"], "text/html", "text/html"),
        (["Text/HTML ;charset=x"], "text/html", "Text/HTML ;charset=x"),
        (["text/plain", "text/html"], "text/html", "text/html"),
        (["text/html", "text/plain"], "text/plain", "text/plain"),
        (["text/plain, text/html;charset=utf-8"], "text/html", "text/html;charset=utf-8"),
        (["text/html;charset=utf-8, text/html"], "text/html", "text/html;charset=utf-8"),
        (["text/html;charset=utf-8, text/html;charset=gbk"], "text/html", "text/html;charset=gbk"),
        (["text/html", "*/*"], "text/html", "text/html"),
        (["text/html", "nonsense", ""], "text/html", "text/html"),
        (['text/html;x=",text/css"'], "text/html", 'text/html;x=",text/css"'),
        (["text/html x"], "", ""),
        ([], "", ""),
        ([""], "", ""),
        (["*/*"], "", ""),
        (["html"], "", ""),
        (["unknown/unknown"], "", ""),
        (["application/unknown"], "", ""),
        (["text/html", "unknown/unknown"], "", ""),
    ],
)
def test_the_last_type_counts(values: list[str], essence: str, text: str) -> None:
    """Of several fields and lists alike; what is no type is passed over, and what tells nothing is none."""
    told = content_type(typed(*values))
    assert (told.essence, told.text) == (essence, text)


def test_a_long_value_takes_no_time() -> None:
    """Whatever stands in it."""
    for value in ('"' * 60_000, "text/html;" + 'x="\\' * 9_000, "," * 60_000, "a/" * 30_000):
        content_type(typed(value))


@pytest.mark.parametrize("tag", TAGS)
def test_pages_are_known_by_their_first_tag(tag: str) -> None:
    """In any case, behind blanks, ended by a space or a `>`; as soon as that is there, and not before."""
    for written in (tag, tag.lower(), tag.title()):
        for blanks in (b"", b" \t\r\n\f"):
            begun = blanks + b"<" + written.encode()
            assert begins_as_page(begun + b" x") is True
            assert begins_as_page(begun + b">") is True
            assert all(begins_as_page(begun[:size]) is None for size in range(len(begun) + 1))
    assert begins_as_page(b"<" + tag.encode() + b"\n") is False


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"<pre>",
        b"<?xml version",
        b"<svg>",
        b"\xef\xbb\xbf<html>",
        b"\xff\xfe<\0",
        b"\x89PNG",
        b"%PDF-",
        b"<abbr>",
    ],
)
def test_all_else_is_no_page(body: bytes) -> None:
    """Plain text, XML, pictures; a byte order mark makes it plain text."""
    assert begins_as_page(body) is False


def test_what_lies_too_far_on_says_nothing() -> None:
    """The tag must have ended within the first 1,445 bytes, also where all came at once."""
    fits = b" " * (RESOURCE_HEADER_BYTES - 3) + b"<a>"
    assert begins_as_page(fits) is True
    assert begins_as_page(b" " + fits) is False
    assert begins_as_page(b" " * (RESOURCE_HEADER_BYTES - 1)) is None
    assert begins_as_page(b" " * RESOURCE_HEADER_BYTES) is False


@given(
    st.lists(
        st.sampled_from([b" ", b"\n", b"<", b"<!", b"!--", b"<a", b"<a ", b"href=/x>", b"<br>", b"<p", b"x", b"\xff"])
    ),
    st.data(),
)
def test_no_cut_makes_a_difference(parts: list[bytes], data: st.DataObject) -> None:
    """Whatever begins the body and wherever it is cut, the same comes out; and what is no page comes as it went in."""
    body = b"".join(parts) + b'<a href="/y">'
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    whole = rewritten(body, [], [])
    assert rewritten(body, [], cuts) == whole
    assert rewritten(body, [], list(range(1, len(body)))) == whole
    if begins_as_page(body):
        assert whole == rewritten(body, typed("text/html"), [])
    else:
        assert whole == body


def test_a_page_of_untold_type_is_rewritten() -> None:
    """Its links lead back."""
    assert rewritten(b"\n<p><a href=/x>", [], []) == b"\n<p><a href=/proxy/https://site.example/x>"


def test_only_what_may_become_a_page_is_held() -> None:
    """A stream of text goes on from its first byte, and so does a page from its first tag."""
    rewriter = rewriter_for([], SITE)
    assert rewriter is not None
    assert [rewriter.feed(piece) for piece in (b"\n<", b"di", b"v", b">text", b"more")] == [
        b"",
        b"",
        b"",
        b"\n<div>text",
        b"more",
    ]
    rewriter = rewriter_for([], SITE)
    assert rewriter is not None
    assert rewriter.feed(b"data: 1\n\n") == b"data: 1\n\n"


def test_nosniff_means_that_untold_is_no_page() -> None:
    """The first value counts; with a type the field says nothing of pages."""
    assert may_sniff_pages([])
    assert may_sniff_pages([("X-Content-Type-Options", "x, nosniff")])
    for value in ("nosniff", " NoSniff , x"):
        assert not may_sniff_pages([("X-Content-Type-Options", value)])
        assert rewriter_for([("X-Content-Type-Options", value)], SITE) is None
        assert rewriter_for([("X-Content-Type-Options", value), *typed("text/html")], SITE) is not None


@pytest.mark.parametrize(
    ("value", "saved"),
    [
        ("attachment", True),
        ('ATTACHMENT; filename="a.html"', True),
        ("save", True),
        ("inline", False),
        ("Inline ; filename=attachment", False),
        ("filename=attachment.html", False),
        ("", False),
    ],
)
def test_attachments_are_saved(value: str, saved: bool) -> None:
    """A page that is saved is the site's own; a stylesheet is loaded all the same."""
    fields = [("Content-Disposition", value)]
    assert is_attachment(fields) == saved
    for kind in ("text/html", "application/xhtml+xml", ""):
        assert (rewriter_for([*fields, *typed(kind)], SITE) is None) == saved
    assert rewriter_for([*fields, *typed("text/css")], SITE) is not None
