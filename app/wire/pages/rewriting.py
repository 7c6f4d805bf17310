"""Which rewriter a body needs, by its type."""

from __future__ import annotations

from app.wire.pages.charsets import EncodedRewriter, declared_in_css, declared_in_html, header_charset
from app.wire.pages.css import StylesheetRewriter
from app.wire.pages.fields import Site
from app.wire.pages.html import PageRewriter
from app.wire.pages.links import Links
from app.wire.pages.policy import adapt_policy

SCRIPT_PATH = "/static/proxied/script.js"


def rewriter_for(content_type: str, site: Site) -> EncodedRewriter | None:
    """None for a body that passes untouched."""
    links = Links(site.address.url, site.prefix)
    charset = header_charset(content_type)
    match content_type.partition(";")[0].strip().lower():
        case "text/html":
            return EncodedRewriter(_page(links, site), charset, declared_in_html, "cp1252")
        case "application/xhtml+xml":
            return EncodedRewriter(_page(links, site, xml=True), charset, declared_in_html, "utf-8")
        case "text/css":
            return EncodedRewriter(StylesheetRewriter(links), charset, declared_in_css, "utf-8")
    return None


def _page(links: Links, site: Site, *, xml: bool = False) -> PageRewriter:
    def policy(content: bytes) -> bytes:
        return adapt_policy(content.decode("latin-1"), site.nonce).encode("latin-1")

    script = f'<script src="{SCRIPT_PATH}" nonce="{site.nonce}"></script>'
    return PageRewriter(links, script=script.encode(), policy=policy, xml=xml)
