"""The page that leaves, read by a parser that is not ours, means what the page that came means, through the proxy."""

from __future__ import annotations

from collections.abc import Iterator

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax import lexbor

from app.wire.pages.html.page import PageRewriter
from app.wire.pages.links import Links
from tests.support.examples import examples
from tests.support.page_table import TABLE, read

PAGE = "https://site.example/dir/page?q"
PROXIED = "http://proxy.example/proxy/"
ADDRESSES = frozenset(
    "action background cite codebase dynsrc formaction href longdesc lowsrc manifest poster src xlink:href".split()
)
OTHERWISE_REWRITTEN = frozenset(
    "attributionsrc content filter from imagesrcset ping srcdoc srcset style to values".split()
)

Element = tuple[str, list[tuple[str, str]]]


def rewritten(page: bytes) -> bytes:
    rewriter = PageRewriter(Links(PAGE, "/proxy/"))
    return rewriter.feed(page) + rewriter.finish()


def elements(page: bytes) -> list[Element]:
    """All elements in the page's order, with their attributes."""
    tree = lexbor.LexborHTMLParser(page.decode("utf-8", "replace"))
    return [(node.tag, [(name, value or "") for name, value in node.attributes.items()]) for node in walk(tree.root)]


def walk(node: object) -> Iterator[object]:
    nodes = [node]
    while nodes:
        current = nodes.pop()
        yield current
        nodes += reversed(list(current.iter(include_text=False)))  # type: ignore[attr-defined]


def follow(base: str, reference: str) -> str:
    try:
        return ada_url.join_url(base, reference)
    except ValueError:
        return "nowhere"


def assert_same_meaning(came: bytes, left: bytes) -> None:
    before, after = elements(came), elements(left)
    assert [tag for tag, _ in before] == [tag for tag, _ in after]
    for (tag, old), (_, new) in zip(before, after, strict=True):
        assert [name for name, _ in old] == [name for name, _ in new]
        for (name, meant), (_, got) in zip(old, new, strict=True):
            if name in ADDRESSES or (tag, name) == ("object", "data"):
                assert_leads_through_the_proxy(meant, got)
            elif name not in OTHERWISE_REWRITTEN:
                assert meant == got, (tag, name)


def assert_leads_through_the_proxy(meant: str, got: str) -> None:
    target = follow(PAGE, meant)
    followed = follow(PROXIED + PAGE, got)
    if not target.startswith(("http:", "https:")):
        assert got == meant
    elif ada_url.URL(target).hostname not in (".", ".."):  # which no path can hold
        assert PROXIED + follow(target, followed.removeprefix(PROXIED)) == PROXIED + target, (meant, got)


CASES = [
    marked
    for group, cases in TABLE.items()
    if group not in ("the base", "integrity", "scripts", "frames")
    for marked in cases.values()
]


@pytest.mark.parametrize("marked", CASES)
def test_the_table_means_the_same(marked: str) -> None:
    """Each line of the table, as another parser reads it."""
    came, _ = read(marked)
    assert_same_meaning(came, rewritten(came))


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
                "<textarea",
                "<xmp",
                "<iframe",
                "<object",
                "<div",
                "</",
                "<b",
            ),
            *(
                "</a",
                "</script",
                "</style",
                "</title",
                "</textarea",
                "</xmp",
                "</iframe",
                "</object",
                "<!doctype html>",
            ),
            *(
                ">",
                ">",
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
            ),
            *(
                "href",
                "src=",
                " title=",
                ' href="',
                " src=",
                " cite='",
                " data=",
                "&amp;",
                "&sol;",
                "&colon",
                "&#x2e;",
                "&lt",
            ),
            *(
                "/x",
                "//o.example/y",
                "https://o.example/z",
                "../../x",
                "#f",
                "\\",
                "\t",
                "?q",
                ":",
                "a:b",
                "http:",
                "é",
                "%2e",
            ),
        ]
    ),
    max_size=40,
).map("".join)


@examples(1000)
@given(SOUP)
def test_any_page_means_the_same(page: str) -> None:
    """Whatever the page: the other parser finds the same elements, and each address leads through the proxy."""
    assert_same_meaning(page.encode(), rewritten(page.encode()))
