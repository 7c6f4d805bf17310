"""What a page looks like behind the proxy, and that no cut of its bytes makes a difference."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.pages.html.attributes import MAX_ATTRIBUTE_BYTES
from app.wire.pages.html.page import PageRewriter
from app.wire.pages.links import Links
from tests.support.examples import examples
from tests.support.page_table import PAGE, SCRIPT, TABLE, read

CASES = [
    pytest.param(marked, id=f"{group}-{name}".replace(" ", "-"))
    for group, cases in TABLE.items()
    for name, marked in cases.items()
]


def policy(content: bytes) -> bytes:
    return b'adapted "' + content + b'"'


def rewriter(encoding: str = "utf-8") -> PageRewriter:
    return PageRewriter(Links(PAGE, "/proxy/"), encoding=encoding, script=SCRIPT, policy=policy)


def fed(pieces: list[bytes], encoding: str = "utf-8") -> bytes:
    page = rewriter(encoding)
    return b"".join([*map(page.feed, pieces), page.finish()])


def one_by_one(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize("marked", CASES)
def test_what_leaves(marked: str) -> None:
    """Each line of the table, whole."""
    given_page, expected = read(marked)
    assert fed([given_page]).decode() == expected.decode()


@pytest.mark.parametrize("marked", CASES)
def test_cuts_make_no_difference(marked: str) -> None:
    """Each line of the table, split at every place, and byte by byte."""
    given_page, expected = read(marked)
    assert fed(one_by_one(given_page)) == expected
    for index in range(1, len(given_page)):
        assert fed([given_page[:index], given_page[index:]]) == expected


# --- what is held back ---


@pytest.mark.parametrize(
    "flowing",
    [
        *("text ", "<title>t", "<textarea>t", "<script>var a = 1;", "<style>a{b:c}", "<!-- c", "<!doctype ", "<?php "),
        *(
            "<iframe>",
            "<plaintext>t",
            "<script><!-- <script> t",
            "<noscript>text",
            "<svg><![CDATA[t",
            "<svg><style>a{b:c}",
        ),
        *('<a href="x">', "<noscript><!-- t"),
    ],
)
def test_what_is_no_tag_flows_at_once(flowing: str) -> None:
    """Text, scripts, styles and comments go on as they come."""
    page = PageRewriter(Links(PAGE, "/proxy/"))
    assert page.feed(flowing.encode()) + page.feed(b", more;") == flowing.encode() + b", more;"


@pytest.mark.parametrize(
    "unfinished", ['<a href="/x', "<scr", "<!-", "<", "</", "<a b=c ", "<title></tit", "<style>a{b:c"]
)
def test_what_never_ends_leaves_in_the_end(unfinished: str) -> None:
    """What a page breaks off with is no tag, and leaves as it came."""
    page = PageRewriter(Links(PAGE, "/proxy/"))
    assert page.feed(b"text" + unfinished.encode()) + page.finish() == b"text" + unfinished.encode()


LONG = "y" * MAX_ATTRIBUTE_BYTES
BLANKS = " " * MAX_ATTRIBUTE_BYTES
LONG_TAGS = {
    "an attribute": f'<a href="/{LONG}" src="«§»/x" href=«§»/z><a href="«§»/x">',
    "an attribute that does not matter": f'<a href="«§»/x" title="{LONG}" src="«§»/y" href=«§»/z><a href="«§»/x">',
    "an attribute without quotes": f"<a href=/{LONG}/ src=«§»/x><a href=«§»/x>",
    "a name": f"<{LONG} href=«§»/x><a {LONG}href=/x href=«§»/x>",
    "blanks": f"<a href{BLANKS}=/x src={' ' * 99}«§»/x><a{BLANKS} href=«§»/x>",
    "many attributes": f"<a href=«§»/x {'a ' * MAX_ATTRIBUTE_BYTES} href=«§»/y src=«§»/x>",
    "a meta": f'<meta http-equiv=refresh content="0;url=/x" title="{LONG}"><base title="{LONG}" href="«¶»https://o/">',
    "a script": f'«[script]»<script title="{LONG}" src="«§»/x"><a href=/x></script><a href="«§»/x">',
    "attributes like tags": f'<a <b="x href=/x" title="{LONG}" <b="x href=/x" href=«§»/x>',
    "an end tag": f'</a href="/x" title="{LONG}" src="/x"><a href="«§»/x">',
    "a run": f'<a href="«§»/x"><a href="/{LONG}"><img src="«§»/y" srcset="/{LONG} 1x, /b 2x"><a href="«§»/x">',
    "a long run": f'<a href="«§»/x">{"y" * 900}' * 90 + '<a href="«§»/x">',
    "a style": f'<style title="{LONG}">a{{b:url(«§»/x)}}</style><svg title="{LONG}"><title><a href="«§»/x">',
    "an image in it": f'<img src="data:{LONG}" srcset="«§»/x"><p style="a:url(/{LONG})"><a href="«§»/x">',
}


@pytest.mark.parametrize("marked", LONG_TAGS.values(), ids=LONG_TAGS)
@pytest.mark.parametrize("size", [1 << 20, 5000, 4096, 777])
def test_long_tags(marked: str, size: int) -> None:
    """An attribute of more than 64 KiB stays as it is, whichever way it comes; the others of its tag do not."""
    given_page, expected = read(marked)
    assert fed([given_page[at : at + size] for at in range(0, len(given_page), size)]) == expected


ENDLESS = {
    "an open quote": b'<a href="' + b"/x " * 20,
    "another open quote": b"<a href='" + b'<a href="/x">' * 9,
    "tags within tags": b"<a " * 20,
    "attributes": b"<a " + b"href=/x " * 20,
    "names": b"<a " + b"href" * 20,
    "blanks": b"<a href" + b" \n" * 20,
    "a data address": b"<img src=data:" + b"A" * 40,
    "a policy": b"<meta http-equiv=refresh content=" + b"'0;url=/x'" * 9,
    "slashes": b"<a " + b"/" * 40,
    "equals signs": b"<a " + b"= " * 20,
    "signs": b"<" * 40,
    "end tags": b"</" * 20,
    "a comment": b"<!--" + b"-- - --!" * 5,
    "comments": b"<!--" * 10,
    "declarations": b"<!" * 20,
    "scripts": b"<script>" + b"<!--<script" * 5,
    "ends of scripts": b"<script>" + b"</script" * 5,
    "a title": b"<title>" + b"</titl" * 9,
    "SVG": b"<svg>" * 9,
    "points": b"<svg><desc>" * 4,
    "CDATA": b"<svg><![CDATA[" + b"]] ]" * 9,
    "styles in SVG": b"<svg>" + b"<style>url(" * 5,
    "frames": b"<iframe srcdoc=" * 4,
    "references": b'<a href="' + b"&amp" * 9,
    "candidates": b'<img srcset="' + b",a ( " * 9,
    "lists of candidates": b'<img srcset="' + b"/a.b 1x, " * 9,
    "links": b'<a href="/' + b"x" * 9 + b'">text</a>',
    "links that end oddly": b'<a href="/x">text<p class="a" odd>',
    "links with long texts": b'<a href="/x">' + b"t" * 999,
    "points without scripts": b"<noscript><!--" * 4,
    "dots": b'<a href="' + b"../" * 5 + b'">',
}


@pytest.mark.soak
@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS)
def test_nothing_is_looked_at_again_and_again(piece: bytes) -> None:
    """Four times as much takes about four times as long, however it comes, and hardly anything is held back."""
    seconds: dict[int, float] = {}
    for size in (100_000, 400_000):
        pieces = list(small_pieces((piece * (size // len(piece) + 1))[:size]))
        page = rewriter()
        began = time.process_time()
        held = most = 0
        for small in pieces:
            held += len(small) - len(page.feed(small))
            most = max(most, held)
        page.finish()
        seconds[size] = time.process_time() - began
    assert most <= MAX_ATTRIBUTE_BYTES + 1000
    assert seconds[400_000] < 10 * seconds[100_000] + 0.2


def small_pieces(data: bytes) -> Iterator[bytes]:
    """Pieces of 1 to 60 bytes."""
    at = 0
    while at < len(data):
        size = 1 + at * 7 % 60
        yield data[at : at + size]
        at += size


# --- any page ---

SOUP = st.lists(
    st.sampled_from(
        [
            *(
                "<a",
                "<img",
                "<p",
                "<script",
                "<style",
                "<title",
                "<svg",
                "<math",
                "<base",
                "<meta",
                "<noscript",
                "<desc",
            ),
            *(
                "</a",
                "</script",
                "</style",
                "</title",
                "</svg",
                "</math",
                "</noscript",
                "</desc",
                "<textarea",
                "</textarea",
            ),
            *(
                ">",
                "/>",
                " ",
                "\n",
                "=",
                '"',
                "'",
                "/",
                "<",
                "&",
                ";",
                "<!--",
                "-->",
                "--!>",
                "<![CDATA[",
                "]]>",
                "<!",
                "<?",
            ),
            *(
                "href",
                "src",
                "srcset",
                "style",
                "srcdoc",
                "content",
                "http-equiv=refresh",
                ' href="',
                " src=",
                " style='",
            ),
            *(
                "/x",
                "//o.example/y",
                "https://o.example/z",
                "../../x",
                "#f",
                "url(",
                ")",
                "@import ",
                "a:b",
                "0;url=",
                "\0",
                "é",
            ),
        ]
    ),
    max_size=40,
).map(lambda parts: "".join(parts).encode())


@examples(500)
@given(SOUP, st.lists(st.integers(0, 300), max_size=6))
def test_random_cuts_make_no_difference(page: bytes, cuts: list[int]) -> None:
    """Whatever the page and wherever it is cut."""
    places = sorted({0, len(page), *(cut for cut in cuts if cut < len(page))})
    pieces = [page[start:end] for start, end in pairwise(places)]
    assert fed(pieces) == fed([page]) == fed(one_by_one(page))


@examples(500)
@given(SOUP.filter(lambda page: b"../" not in page and b"&" not in page and b"srcdoc" not in page))
def test_what_is_inserted_is_all_that_changes(page: bytes) -> None:
    """Where no address must be resolved and no value escaped, the page is what leaves less what was inserted."""
    rewriter = PageRewriter(Links(PAGE, "/proxy/"))
    left = rewriter.feed(page) + rewriter.finish()
    assert inserted_only(left, page)


CANDIDATES = st.lists(
    st.sampled_from(
        ["/a", "/b.png", "//o.example/c", "https://o.example/d", "e.png", " 1x", " 480w", ", ", ", /", ",", " "]
    )
    | st.sampled_from([*" \n\t\f,/.:%()?#\\h0"]),
    max_size=20,
).map("".join)
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                *["<a href=@/x@>"] * 5,
                "<img src=@/x@ srcset=@/y 1x, /z 2x@>",
                "<p class=@c@>",
                "<a",
                "<img",
                ">",
                "</a>",
                "<br />",
            ),
            *(
                " href=@",
                " src=@",
                " srcset=@",
                " alt=@",
                "@",
                "@>",
                "/x",
                " /y",
                ", ",
                "text",
                " / ",
                "=",
                "<title>",
                "odd",
            ),
        ]
    ),
    max_size=30,
).map("".join)


@examples(1000)
@given(st.one_of(CANDIDATES.map("<img src=@/x@ srcset=@{}@><a href=@/x@>".format), PIECES))
def test_the_usual_quotes_make_no_difference(page: str) -> None:
    """What is quick to rewrite, between double quotes, reads as it does between others, where each value is parsed."""
    usual, other = (fed([page.replace("@", quote).encode()]) for quote in "\"'")
    assert usual.replace(b'"', b"'") == other


def inserted_only(longer: bytes, shorter: bytes) -> bool:
    """Whether `longer` is `shorter` with a prefix here and there."""
    inserts = re.compile(rb"/proxy/(?:https:(?://site\.example|(?=//))|http:(?=//)|(?=https?://))|[\s\S]")
    return b"".join(part for part in inserts.findall(longer) if len(part) == 1) == shorter


# --- encodings and XML ---


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('<p>表<a href="«§»/x?表">ソ<a title="表" href=«§»/x?ソ>', "shift_jis"),
        ("<p>功<a href=\"«§»/x?許\"><a title='許' href=«§»/x>", "big5"),
        ('<p>é<a href="«§»/é?é"><a style="a:\'é\';b:url(«§»/x)">', "latin-1"),
    ],
)
def test_other_encodings(text: str, encoding: str) -> None:
    """The bytes of other encodings leave as they came, also those whose second bytes look like signs."""
    given_page, expected = (part.decode().encode(encoding) for part in read(text))
    assert fed([given_page], encoding) == fed(one_by_one(given_page), encoding) == expected


def test_a_reference_to_a_character_that_the_encoding_lacks() -> None:
    """It stays one where its value must be written anew, and is part of the address where that is resolved."""
    page = b'<p style="a:\'&#9731;\';b:url(/x)"><a href="../../&#9731;"><img src="/&#9731;">'
    assert fed([page], "latin-1") == (
        b"<p style=\"a:'&#9731;';b:url(/proxy/https://site.example/x)\">"
        b'<a href="/proxy/https://site.example/%E2%98%83"><img src="/proxy/https://site.example/&#9731;">'
    )


XML = (
    '<?xml version="1.0"?><html><title/><style/><a href="«§»/x"/>«[script]»<script src="«§»/x"/><a href="«§»/x"/>'
    '<style>a{b:url(«§»/x)}<![CDATA[c{d:url(«§»/x)}]]></style><p>url(/x)<![CDATA[<a href="/x">]]></p>'
    '<textarea><a href="«§»/x"/></textarea><script>a &lt; b <![CDATA[ "<a href=\'/x\'>" ]]></script></html>'
)


def test_xml_is_read_by_its_own_rules() -> None:
    """In XHTML and SVG no element holds raw text, any may be empty, and CDATA is found everywhere."""
    given_page, expected = read(XML)
    for pieces in ([given_page], one_by_one(given_page)):
        page = PageRewriter(Links(PAGE, "/proxy/"), script=SCRIPT, xml=True)
        assert b"".join([*map(page.feed, pieces), page.finish()]).decode() == expected.decode()
