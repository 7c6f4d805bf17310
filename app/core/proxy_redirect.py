"""Addresses of a mapping's own target in the fields of an answer lead back to the mapping.

As nginx's `proxy_redirect default` does for `Location`: a client that follows such an address stays with the gateway,
by which it came, and its key with it. All other addresses, and all bodies, pass as they came.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin

from app.core.channels.base_urls import DEFAULT_PORTS
from app.core.model import Mapping
from app.core.network.addresses import canonical_host
from app.core.routing import wire_prefix
from app.wire.http.headers import Headers, lower

ADDRESS_FIELDS: Final = frozenset(
    "azure-asyncoperation content-location location operation-location x-goog-upload-control-url "
    "x-goog-upload-url".split()
)
"""Names in lower case of the fields whose value is one address."""

_ABSOLUTE = re.compile(
    r"(?:(https?):)?//((?:\[[0-9A-Fa-f:.]+\]|[^][/?#@\\:]+))(?::([0-9]{1,5}))?(?=[/?#]|\Z)(.*)", re.I
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DOT_SEGMENT = re.compile(r"(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\?#]|\Z)", re.IGNORECASE)


def lead_back(fields: Headers, mapping: Mapping, asked: str, origin: str) -> Headers:
    """The answer's fields with those addresses as the client must write them.

    `asked` is the target that the upstream was asked for, `origin` the gateway's own as the client calls it
    (`https://gateway.example`). Absolute addresses stay absolute, as some SDKs want them; without an origin they become
    paths.
    """
    return [
        (name, _led_back(value, mapping, asked, origin)) if lower(name) in ADDRESS_FIELDS else (name, value)
        for name, value in fields
    ]


def _led_back(value: str, mapping: Mapping, asked: str, origin: str) -> str:
    upstream = mapping.upstream
    absolute = _ABSOLUTE.fullmatch(value)
    if absolute:
        scheme, host, port, path = absolute.groups("")
        scheme = scheme.lower() or upstream.scheme  # another scheme is another server: it may ask for https just there
        if scheme != upstream.scheme or int(port or DEFAULT_PORTS[scheme]) != upstream.port:
            return value
        if not _is_host(host, upstream.host):
            return value
    elif value.startswith("/") and value[1:2] not in ("/", "\\"):
        path, origin = value, ""
    elif value and value[0] not in "/?#\\" and not _SCHEME.match(value):
        path, origin = urljoin(f"//-{asked}", value)[3:], ""  # what it means where the upstream stands
    else:
        return value
    below = path.removeprefix(upstream.base_path)
    is_below = path.startswith(upstream.base_path) and below[:1] in ("", "/", "?", "#")
    if not is_below or _DOT_SEGMENT.search(below.partition("?")[0]):
        return value
    return f"{origin}{wire_prefix(mapping.prefix)}{below}"


def _is_host(host: str, canonical: str) -> bool:
    try:
        return canonical_host(host).removesuffix(".") == canonical.removesuffix(".")
    except ValueError:
        return False
