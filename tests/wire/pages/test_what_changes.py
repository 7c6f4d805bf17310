"""What a page's bytes may change in, beside the addresses that a browser would follow."""

from __future__ import annotations

from itertools import pairwise

import pytest

from app.wire.pages.html.page import PageRewriter
from app.wire.pages.links import Links

ROOT = "/proxy/https://site.example"


def rewritten(page: str, cuts: range = range(0)) -> str:
    rewriter = PageRewriter(Links("https://site.example/dir/", "/proxy/"))
    data = page.encode()
    edges = [0, *cuts, len(data)]
    pieces = [rewriter.feed(data[start:end]) for start, end in pairwise(edges)]
    return (b"".join(pieces) + rewriter.finish()).decode()


@pytest.mark.parametrize(
    ("page", "changed"),
    [
        ('<div href="/x">', f'<div href="{ROOT}/x">'),
        ('<p src="https://a.example/">', '<p src="/proxy/https://a.example/">'),
        ('<a href="y" href="/x">', f'<a href="y" href="{ROOT}/x">'),
        ('<a href="http://h:99999/">', '<a href="/proxy/http://h:99999/">'),
        ('<a href="http://1.2.3.4.5/">', '<a href="/proxy/http://1.2.3.4.5/">'),
    ],
)
def test_an_attribute_is_judged_by_its_name_and_an_address_by_its_form(page: str, changed: str) -> None:
    """Also where no browser would follow it; the change is the same prefix, and no byte else."""
    assert rewritten(page) == changed
    assert rewritten(page, range(1, len(page))) == changed
    prefixes = (ROOT, "/proxy/")
    assert page in [changed.replace(prefix, "", 1) for prefix in prefixes]


@pytest.mark.parametrize(
    "page",
    [
        '<div data-href="/x">',
        '<div title="https://a.example/">',
        '</a href="/x">',
        "<p>/x https://a.example/</p>",
        '<!-- <a href="/x"> -->',
        '<textarea><a href="/x"></textarea>',
        '<div href="x" src="../dir/x" cite="#/x">',
        '<a href="https://"><a href="http://a b/"><a href="http://[/">',
    ],
)
def test_all_else_leaves_as_it_came(page: str) -> None:
    """Text, other attributes, end tags, what lies below the site's root, and what no parser takes for an address."""
    assert rewritten(page) == page
    assert rewritten(page, range(1, len(page))) == page
