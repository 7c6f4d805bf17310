"""Cookies of proxied sites: each comes back to its own site, and nothing else does."""

from __future__ import annotations

import pytest

from app.wire.pages.address import parse_address
from app.wire.pages.cookies import cookie_from, cookies_for

SITE = parse_address("https://www.example.com/a/b")
OTHER = parse_address("https://other.example/")
PREFIX = "/proxy/"
TAG = cookies_for.__globals__["_tag"](SITE)

SET = {
    "a=1": "a=1",
    "a=1; Path=/": "a=1; Path=/proxy/https://www.example.com/",
    "a=1; path=/deep/er": "a=1; Path=/proxy/https://www.example.com/deep/er",
    "a=1; Path=relative": "a=1",
    "a=1; Domain=example.com": "a=1",
    "a=1; Domain=.WWW.example.com; HttpOnly": "a=1; HttpOnly",
    "a=1; Domain=": "a=1",
    "a=b=c; Max-Age=60": "a=b=c; Max-Age=60",
    "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT": "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "__Host-a=1; Path=/": "__Host-a=1; Path=/proxy/https://www.example.com/",
    "a=1; SameSite=Strict": "a=1; SameSite=Lax",
    "a=1; SameSite=lax": "a=1; SameSite=lax",
    "a=1; Priority=High; Max-Age=1; What=ever": "a=1; Max-Age=1",
    "lonely": "=lonely",
}


@pytest.mark.parametrize("value", SET)
def test_a_cookie_is_bound_to_its_site(value: str) -> None:
    """Its name is tagged, its path lies below the site's proxied address, its domain is gone."""
    assert cookie_from(SITE, PREFIX, value, secure=True) == TAG + SET[value]


@pytest.mark.parametrize("domain", ["other.example", "ample.com", "a.www.example.com", "com.", "evilwww.example.com"])
def test_a_cookie_for_a_foreign_domain_is_refused(domain: str) -> None:
    """As a browser would refuse it from the site itself."""
    assert cookie_from(SITE, PREFIX, f"a=1; Domain={domain}", secure=True) is None


def test_what_only_tls_permits_is_kept_with_tls_only() -> None:
    """A browser that speaks plain HTTP to the gateway would refuse the whole cookie."""
    value = "a=1; Secure; SameSite=None; Partitioned; Path=/"
    kept = f"{TAG}a=1; Secure; SameSite=None; Partitioned; Path=/proxy/https://www.example.com/"
    assert cookie_from(SITE, PREFIX, value, secure=True) == kept
    assert cookie_from(SITE, PREFIX, value, secure=False) == f"{TAG}a=1; Path=/proxy/https://www.example.com/"


def test_a_cookie_without_a_name_comes_back_as_one() -> None:
    """Browsers send its value alone (RFC 6265bis, 5.8.3)."""
    assert cookies_for(SITE, [str(cookie_from(SITE, PREFIX, "lonely", secure=True))]) == "lonely"


def test_a_ticket_stands_in_the_path() -> None:
    """The path is that of the addresses that the browser asks for."""
    assert cookie_from(SITE, "/proxy/~t/", "a=1; Path=/x", secure=True) == (
        f"{TAG}a=1; Path=/proxy/~t/https://www.example.com/x"
    )


def test_only_the_sites_own_cookies_go_to_it() -> None:
    """Not another site's, not the gateway's own, not those of a scheme or port beside it."""
    plain = parse_address("http://www.example.com/")
    jar = [cookie_from(site, PREFIX, f"{name}=1", secure=True) for name, site in
           (("mine", SITE), ("theirs", OTHER), ("plain", plain))]  # fmt: skip
    fields = ["; ".join(["api_proxy_admin=s", *map(str, jar), "api_proxy_web=t", "~zz~x=1"]), f"{TAG}more=2"]
    assert cookies_for(SITE, fields) == "mine=1; more=2"
    assert cookies_for(OTHER, fields) == "theirs=1"
    assert cookies_for(parse_address("https://third.example/"), fields) == ""
