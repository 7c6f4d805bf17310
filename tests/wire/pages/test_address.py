"""What people type behind `/proxy/`, and the address that is meant."""

from __future__ import annotations

import pytest

from app.wire.pages.address import InvalidAddress, parse_address

UNDERSTOOD = {
    "https://example.com/docs?x=1": "https://example.com/docs?x=1",
    "https://example.com": "https://example.com/",
    "https://example.com?x=1": "https://example.com/?x=1",
    # as browsers and reverse proxies squeeze it
    "https:/example.com/docs": "https://example.com/docs",
    "https:///example.com/docs": "https://example.com/docs",
    "https:example.com/docs": "https://example.com/docs",
    "HTTPS://EXAMPLE.Com/Docs": "https://example.com/Docs",
    # path and query as typed
    "https://example.com/a%2Fb/%7Ec/..%2f?q=%2F&&=": "https://example.com/a%2Fb/%7Ec/..%2f?q=%2F&&=",
    "https://example.com//a//b/": "https://example.com//a//b/",
    "https://example.com/?next=https://other.example/?a=1": "https://example.com/?next=https://other.example/?a=1",
    "https://example.com/a/../b": "https://example.com/a/../b",
    "https://example.com/caf\xc3\xa9?q=\xff": "https://example.com/caf%C3%A9?q=%FF",
    # ports
    "http://example.com:80/": "http://example.com/",
    "https://example.com:443/": "https://example.com/",
    "http://example.com:8080/": "http://example.com:8080/",
    "http://example.com:/": "http://example.com/",
    # hosts as browsers read them
    "http://[2001:DB8:0::1]:8080/": "http://[2001:db8::1]:8080/",
    "http://%5B::1%5D:8080/": "http://[::1]:8080/",
    "http://m\xc3\xbcnchen.example/": "http://xn--mnchen-3ya.example/",
    "http://m%C3%BCnchen.example/": "http://xn--mnchen-3ya.example/",
    "http://0x7f.1/": "http://127.0.0.1/",
    "http://2130706433/": "http://127.0.0.1/",
    "http://0177.0.0.1/": "http://127.0.0.1/",
    "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1/": "http://127.0.0.1/",
    "http://example.com./": "http://example.com./",
    # percent-encoded as a whole
    "https%3A%2F%2Fexample.com%2Fdocs%3Fx%3D1%252F": "https://example.com/docs?x=1%2F",
    "https:%2F%2Fexample.com%2Fdocs": "https://example.com/docs",
}


@pytest.mark.parametrize("typed", UNDERSTOOD)
def test_an_address_is_understood_as_a_browser_would(typed: str) -> None:
    """Scheme and host come out canonical; path and query stay as they were typed."""
    assert parse_address(typed).url == UNDERSTOOD[typed]


@pytest.mark.parametrize("url", sorted(set(UNDERSTOOD.values())))
def test_a_canonical_address_is_its_own_canonical_form(url: str) -> None:
    """The redirect to the canonical form leads there in one step."""
    assert parse_address(url).url == url


def test_an_address_is_taken_apart_for_dialling() -> None:
    """Host without brackets, port as a number, authority as `Host` has it."""
    address = parse_address("HTTPS://[2001:db8::1]:8443/a?b")
    assert (address.scheme, address.host, address.port) == ("https", "2001:db8::1", 8443)
    assert (address.authority, address.target) == ("[2001:db8::1]:8443", "/a?b")
    assert address.origin == "https://[2001:db8::1]:8443"


@pytest.mark.parametrize(
    "typed",
    ["example.com", "ftp://example.com/", "javascript:alert(1)", "https://", "https:///", "http://?x", "https://a b/",
     "http://1.2.3.4.5/", "http://exa<mple.com/", "http://[::1", "http://example.com:99999/", "http://\xff\xfe/",
     "http://%00/", "//example.com/", "httpss://example.com/",
     "https://../../admin", "https://a../", "https://.a/"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused_with_an_example(typed: str) -> None:
    """The caller is told what would do."""
    with pytest.raises(InvalidAddress, match=r"/proxy/https://example\.com"):
        parse_address(typed)


def test_credentials_in_an_address_are_refused() -> None:
    """They would stand in every log and history on the way."""
    with pytest.raises(InvalidAddress, match="password"):
        parse_address("https://user:secret@example.com/")
