"""`Refresh`, in a header or a `<meta>`: seconds and an address (HTML standard, 4.2.5.3, shared declarative refresh)."""

from __future__ import annotations

import re

from app.wire.pages.links import Links

_BLANKS = rb"[\t\n\f\r ]*+"
_REFRESH = re.compile(
    _BLANKS + rb"(?:[0-9]++[0-9.]*+|(?=\.)[0-9.]++)"
    rb"(?:[\t\n\f\r ]"
    + _BLANKS
    + rb"[;,]?+|[;,])"
    + _BLANKS
    +
    # What begins like `url=` but is not is the address itself, quotes and all.
    rb"(?:[uU][rR][lL]"
    + _BLANKS
    + rb"="
    + _BLANKS
    + rb"(['\"]?+)|(?![uU])(['\"]?+)|)"
)


def rewrite_refresh(content: bytes, links: Links, encoding: str) -> bytes | None:
    """The content with its address rewritten; None = it stays as it is."""
    refresh = _REFRESH.match(content)
    if refresh is None:
        return None
    quote = refresh[1] or refresh[2]
    start = refresh.end()
    end = content.find(quote, start) if quote else -1
    if end < 0:
        end = len(content)
    url = links.rewrite(content[start:end], encoding)
    return None if url is None else content[:start] + url + content[end:]
