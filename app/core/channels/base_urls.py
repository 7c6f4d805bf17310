"""Base URLs of upstreams, as an operator writes them, taken apart and checked."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from app.core.model import Upstream
from app.core.network.addresses import canonical_host
from app.core.network.forward_proxies import ForwardProxy
from app.core.settings import Limits

DEFAULT_PORTS = {"http": 80, "https": 443}

_PATH_SAFE = "/%:@!$&'()*+,;=~"
_BLANK_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]+")


def upstream_of(url: str, what: str, limits: Limits, proxy: ForwardProxy | None) -> Upstream:
    """The upstream that a base URL names. Raises ValueError, which says what is wrong with `what`."""
    refuse_blanks(what, url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{what} {url!r} is no URL: {error}") from None
    _check_parts(what, url, parts.scheme, parts.hostname, "@" in parts.netloc)
    try:
        host = canonical_host(parts.hostname or "")
    except ValueError as reason:
        raise ValueError(f"{what} {url!r} must name a host: {reason}") from None
    shown_host = f"[{host}]" if ":" in host else host
    return Upstream(
        scheme=parts.scheme,
        host=host,
        port=port or DEFAULT_PORTS[parts.scheme],
        authority=shown_host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{shown_host}:{port}",
        base_path=quote(parts.path.rstrip("/"), safe=_PATH_SAFE),
        limits=limits,
        proxy=proxy,
    )


def refuse_blanks(what: str, text: str) -> None:
    """Raises ValueError for a text that is empty or holds blanks or control characters."""
    if not text:
        raise ValueError(f"{what} is empty")
    if _BLANK_OR_CONTROL.search(text):
        raise ValueError(f"{what} {text!r} must not hold blanks or control characters")


def _check_parts(what: str, url: str, scheme: str, host: str | None, has_user: bool) -> None:
    if has_user:
        raise ValueError(f"{what} must not hold a user name or password; credentials are no part of an address here")
    if scheme not in DEFAULT_PORTS:
        raise ValueError(f"{what} {url!r} must start with http:// or https://")
    if not host or not _HOST.fullmatch(host):
        raise ValueError(f"{what} {url!r} must name a host, such as https://api.openai.com")
    if "?" in url or "#" in url:
        raise ValueError(f"{what} {url!r} must not hold a query ('?') or a fragment ('#')")
