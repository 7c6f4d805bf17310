"""Which references would leave the proxy, and how they read instead."""

from __future__ import annotations

import ada_url
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.wire.pages.links import Links
from tests.support.examples import examples

PAGE = "https://h.example:8443/a/b/page?q=/x/y/z"

STAY = [
    *(b"", b"#top", b"?next=https://x/", b"other.html", b"./x", b"../x", b"../../x?y#z", b"..", b"a/../b", b"a//b"),
    *(b"%2e%2e/x", b"a/.hidden", b"x/https://y", b"index.html?a:b", b"\t", b"two words"),
    *(b"data:image/png,x", b"blob:https://x/1", b"javascript:go('/x')", b"mailto:a@b", b"tel:1", b"about:blank"),
    *(b"JavaScript:1", b"ftp://x/y", b"ws://x/y", b"a:b", b"https://", b"https://a b/", b"http://x:99999/\\"),
]

INSERTED = {
    b"https://x/y?\xc3\xa9": b"/proxy/https://x/y?\xc3\xa9",
    b"http://x": b"/proxy/http://x",
    b"https://X.example:80/%7Ea/b.c#d": b"/proxy/https://X.example:80/%7Ea/b.c#d",
    b"https://x?/../..": b"/proxy/https://x?/../..",
    b"//x/y z ": b"/proxy/https://x/y z ",
    b"/": b"/proxy/https://h.example:8443/",
    b"/y?a=1&b=2": b"/proxy/https://h.example:8443/y?a=1&b=2",
    b"/proxy/https://x/": b"/proxy/https://h.example:8443/proxy/https://x/",
}

RESOLVED = {
    b"../../../x": b"/proxy/https://h.example:8443/x",
    b"../../..": b"/proxy/https://h.example:8443/",
    b"a/../../../../x": b"/proxy/https://h.example:8443/x",
    b".%2e/.%2E/%2e./x": b"/proxy/https://h.example:8443/x",
    b"/a/../../x": b"/proxy/https://h.example:8443/x",
    b"https://x/../y": b"/proxy/https://x/y",
    b"https://x/%2e%2e/y": b"/proxy/https://x/y",
    b"\\\\x\\y": b"/proxy/https://x/y",
    b"/\\x": b"/proxy/https://x/",
    b"\\y": b"/proxy/https://h.example:8443/y",
    b"///x/y": b"/proxy/https://x/y",
    b"/\t/x": b"/proxy/https://x/",
    b"ht\ntps://x/": b"/proxy/https://x/",
    b" https://x/ ": b"/proxy/https://x/",
    b"HTTPS://X/Y": b"/proxy/https://x/Y",
    b"https:/x": b"/proxy/https://h.example:8443/x",
    b"https:x": b"/proxy/https://h.example:8443/a/b/x",
    b"http:x": b"/proxy/http://x/",
    b"http:///x": b"/proxy/http://x/",
    b"https://[::1]/x": b"/proxy/https://[::1]/x",
    b"https://b\xc3\xbccher.example/": b"/proxy/https://xn--bcher-kva.example/",
}


@pytest.mark.parametrize("reference", STAY)
def test_what_stays(reference: bytes) -> None:
    """Fragments, other schemes, references below the site's root and what is no URL stay byte for byte."""
    assert Links(PAGE, "/proxy/").rewrite(reference) is None


@pytest.mark.parametrize(("reference", "expected"), (INSERTED | RESOLVED).items())
def test_what_would_leave(reference: bytes, expected: bytes) -> None:
    """What leads to the site's root or to other hosts gets the prefix in front; odd spellings are resolved."""
    assert Links(PAGE, "/proxy/").rewrite(reference) == expected


def test_the_ticket_is_part_of_the_prefix() -> None:
    """Any prefix will do."""
    assert Links(PAGE, "/proxy/~t/").rewrite(b"//x/") == b"/proxy/~t/https://x/"


@pytest.mark.parametrize(
    ("reference", "encoding", "expected"),
    [
        ("https:/ü?ü#ü".encode("latin-1"), "latin-1", b"/proxy/https://h.example:8443/%C3%BC?%FC#%C3%BC"),
        ("https:/?表\\".encode("shift_jis"), "shift_jis", b"/proxy/https://h.example:8443/?%95\\\\"),
        (b"https:/?\x81", "shift_jis", b"/proxy/https://h.example:8443/?%26%2365533%3B"),
    ],
)
def test_queries_are_encoded_in_the_pages_encoding(reference: bytes, encoding: str, expected: bytes) -> None:
    """Where a reference must be resolved, its query is encoded as the browser would: in the page's own encoding."""
    assert Links(PAGE, "/proxy/").rewrite(reference, encoding) == expected


def test_a_backslash_as_a_second_byte_is_no_slash() -> None:
    """0x5C within a character of Shift_JIS separates no segments."""
    reference = "表/../x".encode("shift_jis")
    assert Links("https://h/", "/proxy/").rewrite(b"/" + reference, "shift_jis") == b"/proxy/https://h/x"
    assert Links("https://h/", "/proxy/").rewrite(reference, "shift_jis") is None


def test_the_base_decides() -> None:
    """After `<base href>` references are relative to it, and it may name another host."""
    links = Links(PAGE, "/proxy/")
    assert links.set_base(b"//other/deep/er/") == b"/proxy/https://other/deep/er/"
    assert links.rewrite(b"/x") == b"/proxy/https://other/x"
    assert links.rewrite(b"../../x") is None
    assert links.rewrite(b"../../../x") == b"/proxy/https://other/x"


def test_the_first_base_counts() -> None:
    """A second base is relative to the page and changes nothing; an invalid first one keeps its place."""
    links = Links(PAGE, "/proxy/")
    assert links.set_base(b"https://[/") is None
    assert links.set_base(b"/else/") == b"/proxy/https://h.example:8443/else/"
    assert links.rewrite(b"/x") == b"/proxy/https://h.example:8443/x"


def test_a_base_that_is_no_web_address() -> None:
    """Relative to an FTP server everything but an absolute link leads to it; `data:` and `javascript:` are no bases."""
    links = Links(PAGE, "/proxy/")
    assert links.set_base(b"ftp://f/x/") is None
    assert [links.rewrite(reference) for reference in (b"x", b"/x", b"//x", b"../../../x")] == [None] * 4
    assert links.rewrite(b"https://x/") == b"/proxy/https://x/"
    links = Links(PAGE, "/proxy/")
    assert links.set_base(b"data:text/html,x") is None
    assert links.rewrite(b"/x") == b"/proxy/https://h.example:8443/x"


def test_a_base_within_is_not_a_base_without() -> None:
    """A nested document starts from this one's base and cannot change it."""
    links = Links(PAGE, "/proxy/")
    links.set_base(b"https://other/")
    nested = links.nested()
    assert nested.rewrite(b"/x") == b"/proxy/https://other/x"
    nested.set_base(b"https://third/")
    assert nested.rewrite(b"/x") == b"/proxy/https://third/x"
    assert links.rewrite(b"/x") == b"/proxy/https://other/x"


PARTS = st.sampled_from(
    [
        *"/\\.:?#@%& \t\n",
        "..",
        "../",
        "./",
        "/../",
        "//",
        "http:",
        "https://",
        "HTTP:",
        "a",
        "x.example",
        "%2e",
        "é",
        ":80",
    ]
)


@examples(2000)
@given(
    st.lists(PARTS, max_size=12).map("".join),
    st.sampled_from([PAGE, "http://h/", "https://x.example/a//b/c", "http://1.2.3.4/p/"]),
)
def test_the_browser_comes_to_the_proxied_address(reference: str, page: str) -> None:
    """Any reference, resolved against the proxied page, leads to the prefix and what the page itself means."""
    # A host named `.` or `..` cannot be written in a path; nor does it exist.
    rewritten = Links(page, "/proxy/").rewrite(reference.encode())
    given_text = reference if rewritten is None else rewritten.decode()
    try:
        meant = ada_url.join_url(page, reference)
    except ValueError:
        assert rewritten is None or rewritten.endswith(reference.encode())
        return
    got = ada_url.join_url("http://proxy.example/proxy/" + page, given_text)
    assume(ada_url.URL(meant).hostname not in (".", ".."))
    if not meant.startswith("http"):
        assert got == meant
    else:
        assert canonical(got) == "http://proxy.example/proxy/" + meant


def canonical(proxied: str) -> str:
    """Where the route redirects to: the target in its canonical form, the fragment kept by the browser."""
    ours, _, target = proxied.partition("/proxy/")
    return f"{ours}/proxy/{ada_url.normalize_url(target)}"
