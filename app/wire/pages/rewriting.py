"""Which rewriter a body needs, by what a browser takes it for.

The rewriters are imported with the first body that needs one; in which steps is said where others may have a turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.wire.http.headers import Headers
from app.wire.pages.charsets import EncodedRewriter, declared_in_css, declared_in_html, header_charset
from app.wire.pages.fields import Site
from app.wire.pages.links import Links
from app.wire.pages.policy import adapt_policy
from app.wire.pages.sniffing import begins_as_page, content_type, is_attachment, may_sniff_pages

if TYPE_CHECKING:
    from app.wire.pages.html.page import PageRewriter

PARTS: Final = ("css", "html.grammar", "html.attributes", "html.places", "html.page")
"""Modules of this package: one after the other they are imported in a millisecond or three each."""
SCRIPT_PATH = "/static/proxied/script.js"


def rewriter_for(fields: Headers, site: Site) -> EncodedRewriter | SniffingRewriter | None:
    """None for a body that passes untouched: pages that are saved and not shown, too.

    Stylesheets are loaded, whatever their disposition says.
    """
    links = Links(site.address.url, site.prefix)
    told = content_type(fields)
    charset = header_charset(told.text)
    if told.essence == "text/css":
        from app.wire.pages.css import StylesheetRewriter

        return EncodedRewriter(StylesheetRewriter(links), charset, declared_in_css, "utf-8")
    if is_attachment(fields):
        return None
    match told.essence:
        case "text/html":
            return EncodedRewriter(_page(links, site), charset, declared_in_html, "cp1252")
        case "application/xhtml+xml":
            return EncodedRewriter(_page(links, site, xml=True), charset, declared_in_html, "utf-8")
        case "" if may_sniff_pages(fields):
            return SniffingRewriter(EncodedRewriter(_page(links, site), None, declared_in_html, "cp1252"))
    return None


class SniffingRewriter:
    """Rewrites a body of untold type if it begins as a page does; passes it on else.

    Held back are only the first bytes, as long as they may become the beginning of a page.
    """

    def __init__(self, page: EncodedRewriter) -> None:
        self._page = page
        self._head = b""
        self._is_page: bool | None = None

    def feed(self, data: bytes) -> bytes:
        """The next piece, as far as it is decided."""
        if self._is_page is None:
            data = self._head + data
            self._is_page = begins_as_page(data)
            self._head = data if self._is_page is None else b""
        if self._is_page is None:
            return b""
        return self._page.feed(data) if self._is_page else data

    def finish(self) -> bytes:
        """What was held back."""
        return self._page.finish() if self._is_page else self._head


def _page(links: Links, site: Site, *, xml: bool = False) -> PageRewriter:
    from app.wire.pages.html.page import PageRewriter

    def policy(content: bytes) -> bytes:
        return adapt_policy(content.decode("latin-1"), site.nonce).encode("latin-1")

    script = f'<script src="{SCRIPT_PATH}" nonce="{site.nonce}"></script>'
    return PageRewriter(links, script=script.encode(), policy=policy, xml=xml)
