"""Header fields between a browser and a proxied site, which must each see the other's addresses.

What describes the gateway's own origin stays with the gateway; what names addresses is mapped.
A proxied page has the origin `null`, as a foreign page can have. A request that bears the site's cookies tells the
site so; one without them could have been sent by anybody, and is told as the site's own. Any other origin is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from app.wire.browsers import FOR_AN_ORIGIN
from app.wire.http.codings import is_undone
from app.wire.http.forwarded import is_forwarded, is_of_a_hop
from app.wire.http.headers import Headers, find, tokens
from app.wire.pages.address import InvalidAddress, WebAddress, parse_address
from app.wire.pages.cookies import cookie_from, cookies_for
from app.wire.pages.html.refresh import rewrite_refresh
from app.wire.pages.links import Links
from app.wire.pages.policy import OWN_POLICY, adapt_policy

ROOT = "/proxy/"
"""Where proxied addresses begin."""
_PROXIED = re.compile(r"(?:https?://[^/?#]*)?(/proxy/(?:~[\w.-]+/)?)(https?:.*)", re.IGNORECASE | re.DOTALL)

_NOT_TO_SITE = frozenset(
    "available-dictionary cookie dictionary-id origin referer service-worker x-original-uri x-original-url "
    "x-rewrite-url".split()
)
"""Of the browser's view of the gateway, or of the reverse proxies before us; some come back mapped.

What reverse proxies add (wire.forwarded, too) holds the person's address, and some of it our own address of the page
with the ticket in it. Here it never goes on: a browser says nothing of the kind by itself.
"""
_NOT_TO_BROWSER = FOR_AN_ORIGIN | frozenset(
    "access-control-allow-credentials access-control-allow-headers access-control-allow-methods "
    "access-control-allow-origin access-control-allow-private-network access-control-expose-headers "
    "access-control-max-age content-security-policy-report-only cross-origin-embedder-policy "
    "cross-origin-embedder-policy-report-only cross-origin-opener-policy cross-origin-opener-policy-report-only "
    "cross-origin-resource-policy origin-agent-cluster referrer-policy reporting-endpoints sourcemap "
    "speculation-rules x-frame-options x-lighttpd-send-file x-litespeed-location x-reproxy-url x-robots-tag "
    "x-sendfile x-sourcemap".split()
)
_NOT_TO_BROWSER_BEGINS = ("x-accel-",)
"""They speak for an origin, which here is the gateway's, or send the browser past the gateway; or they are orders
to a reverse proxy before us, which would answer with a file or a page of its own and without our policy."""
_OF_THE_BYTES = frozenset(
    "accept-ranges content-digest content-encoding content-length content-md5 digest repr-digest".split()
)
"""They describe bytes that rewriting changes."""
_LINK = re.compile(r"<([^>]*)>")
_BASIC = re.compile(r"\bBasic\b", re.IGNORECASE)
_WITH_OUR_NAME = re.compile(r"\b(?:Digest|Negotiate|NTLM)\b", re.IGNORECASE)
"""Schemes whose proof holds the server's name or address, which is ours. The last two need nobody's consent."""
_REALM = re.compile(r"""\brealm[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]+))""", re.IGNORECASE)


class Site(NamedTuple):
    """A proxied page's address and how the browser came to it."""

    address: WebAddress
    prefix: str
    """What stands before the address in links: `/proxy/`, or that with a ticket."""
    secure: bool
    """True when the browser speaks TLS to the gateway."""
    nonce: str
    """Lets our script pass the page's own policy."""


def proxied_address(reference: str) -> tuple[str, WebAddress] | None:
    """The prefix of a proxied address (a Referer, say) and the address that it stands for; None when it is none."""
    match = _PROXIED.fullmatch(reference)
    if match is None:
        return None
    try:
        return match[1], parse_address(match[2])
    except InvalidAddress:
        return None


def request_fields(fields: Headers, site: Site) -> Headers:
    """What goes to the site of what the browser sent."""
    cookies = cookies_for(site.address, [value for name, value in fields if name.lower() == "cookie"])
    proxied = proxied_address(find(fields, "referer") or "")
    referer = proxied[1] if proxied else None
    mapped: Headers = []
    for name, value in fields:
        lower = name.lower()
        if lower == "accept-encoding":
            value = ", ".join(token for token in tokens(value) if _is_decoded(token))
        if lower in _NOT_TO_SITE or is_of_a_hop(lower) or is_forwarded(lower):
            continue
        if value and (cookies or not lower.startswith("sec-fetch-")):
            mapped.append((name, value))
    if referer is not None:
        mapped.append(("Referer", referer.url))
    sent = find(fields, "origin") or ""
    if sent in ("", "null") or sent.partition("://")[2] == find(fields, "host"):
        sent = _origin(sent, referer, site.address, has_cookies=bool(cookies))
    if sent:
        mapped.append(("Origin", sent))
    if cookies:
        mapped.append(("Cookie", cookies))
    return mapped


def _is_decoded(token: str) -> bool:
    coding = token.partition(";")[0].strip()
    return coding == "identity" or is_undone(coding)


def _origin(sent: str, referer: WebAddress | None, address: WebAddress, *, has_cookies: bool) -> str:
    if not sent:
        return ""
    if referer is not None:
        return referer.origin
    return "null" if has_cookies else address.origin


def response_fields(fields: Headers, site: Site, *, rewritten: bool) -> Headers:
    """What goes to the browser of what the site answered; `rewritten` says that the body's bytes will change."""
    links = Links(site.address.url, site.prefix)
    mapped: Headers = []
    for name, value in fields:
        lower = name.lower()
        if lower in _NOT_TO_BROWSER or lower.startswith(_NOT_TO_BROWSER_BEGINS):
            continue
        if rewritten and lower in _OF_THE_BYTES:
            continue
        adapt = _ADAPTED.get(lower)
        changed = adapt(value, links, site) if adapt else value
        if rewritten and lower == "etag" and not value.startswith("W/"):
            changed = f"W/{value}"  # equal in meaning, not in bytes (RFC 9110, 8.8.1)
        if changed is not None:
            mapped.append((name, changed))
    mapped.append(("Content-Security-Policy", OWN_POLICY))
    mapped.append(("Referrer-Policy", "same-origin"))  # stylesheets and modules tell by it whose root `/` is
    mapped.append(("X-Robots-Tag", "noindex"))
    return mapped


def _map_reference(value: str, links: Links, _: Site) -> str:
    changed = links.rewrite(value.encode("latin-1"))
    return value if changed is None else changed.decode("latin-1")


def _map_links(value: str, links: Links, site: Site) -> str:
    return _LINK.sub(lambda link: f"<{_map_reference(link[1], links, site)}>", value)


def _map_refresh(value: str, links: Links, _: Site) -> str:
    changed = rewrite_refresh(value.encode("latin-1"), links, "utf-8")
    return value if changed is None else changed.decode("latin-1")


def _map_cookie(value: str, _: Links, site: Site) -> str | None:
    return cookie_from(site.address, site.prefix, value, secure=site.secure)


def _adapt_policy(value: str, _: Links, site: Site) -> str | None:
    return adapt_policy(value, site.nonce) or None


def _name_site_in_realm(value: str, _: Links, site: Site) -> str | None:
    """Browsers send a password again wherever the same name and realm ask for it, and all sites have our name here.

    The field is written anew: browsers differ in which of several realms they take, and in what they take for one.
    """
    if _BASIC.search(value):
        realm = _REALM.search(value)
        name = (realm[1] or realm[2] or "") if realm else ""
        return f'Basic realm="{site.address.origin} {re.sub(r"[^ !#-[^-~]", "", name)}", charset="UTF-8"'
    return None if _WITH_OUR_NAME.search(value) else value


_ADAPTED: dict[str, Callable[[str, Links, Site], str | None]] = {
    "content-location": _map_reference,
    "content-security-policy": _adapt_policy,
    "link": _map_links,
    "location": _map_reference,
    "refresh": _map_refresh,
    "set-cookie": _map_cookie,
    "www-authenticate": _name_site_in_realm,
}
