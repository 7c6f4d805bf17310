"""The address of a web page as it stands behind `/proxy/`: as people type it, and as it canonically is.

Scheme and host are read as the URL standard (https://url.spec.whatwg.org/) has browsers read them, by its own parser:
upper case, international names, decimal and octal numbers, full-width digits. Path and query stay as they were typed.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARTS = re.compile(r"(https?):[/\\]*([^/\\?]*)(.*)", re.IGNORECASE | re.DOTALL)
_ENCODED = re.compile(r"https?(?:%3A|:(?:%2F|%5C))", re.IGNORECASE)
_BRACKET = re.compile("%5([BD])", re.IGNORECASE)
"""Some clients encode those around an IPv6 address."""
_LEAVE = "".join(map(chr, range(0x21, 0x7F)))
EXAMPLE = "/proxy/https://example.com/docs?x=1"


class InvalidAddress(ValueError):
    """What was typed is no web address. The text says what would do."""


class WebAddress(NamedTuple):
    scheme: str
    host: str
    """Canonical: lower case, A-labels, an IPv6 address without brackets."""
    port: int
    authority: str
    """What stands in `Host`: without the port where it is the scheme's own."""
    target: str
    """Path and query, as an upstream is asked for them."""

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_address(text: str) -> WebAddress:
    """What follows `/proxy/` in a request target, each byte one character. Raises InvalidAddress.

    One slash after the scheme will do, as browsers and reverse proxies merge two of them; so will an address that was
    percent-encoded as a whole.
    """
    from ada_url import URL  # 1.2 MB, which a process does without until it is asked for a page

    if _ENCODED.match(text):
        text = unquote_to_bytes(text).decode("latin-1")
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise InvalidAddress(f"after /proxy/ comes an address that starts with http:// or https://, such as {EXAMPLE}")
    scheme, authority, rest = parts[1].lower(), parts[2], parts[3]
    if "@" in authority:
        raise InvalidAddress("the address must not hold a user name or password")
    authority = _BRACKET.sub(lambda found: "[" if found[1] in "Bb" else "]", authority)
    try:
        url = URL(f"{scheme}://{authority.encode('latin-1').decode()}/")
        if not all(url.hostname.removesuffix(".").split(".")):  # browsers would take `..` for a path's
            raise ValueError
    except ValueError:
        raise InvalidAddress(f"the address must name a host, as {EXAMPLE} does") from None
    target = quote(rest if rest.startswith("/") else f"/{rest}", safe=_LEAVE, encoding="latin-1")
    return WebAddress(scheme, url.hostname.strip("[]"), int(url.port or _DEFAULT_PORTS[scheme]), url.host, target)
