"""Start tags whose attributes must be looked at: which of them hold addresses, and how they read instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from app.wire.pages.css import rewrite_style
from app.wire.pages.html import references
from app.wire.pages.html.grammar import ATTRIBUTE, after_name, next_attribute
from app.wire.pages.html.refresh import rewrite_refresh
from app.wire.pages.html.srcset import rewrite_srcset
from app.wire.pages.links import Links

MAX_ATTRIBUTE_BYTES: Final = 64 * 1024
"""A longer attribute passes unchanged, without being collected; a longer tag is not looked at as a whole."""
SURELY_SHORT: Final = MAX_ATTRIBUTE_BYTES // 2
"""A shorter value is not one of an attribute that is too long."""

ADDRESSES: Final = frozenset(
    "action background cite codebase dynsrc formaction href longdesc lowsrc manifest poster src xlink:href".split()
)
STYLES: Final = frozenset(
    "clip-path cursor fill filter marker marker-end marker-mid marker-start mask stroke style".split()
)
"""`style`, and the attributes of SVG that are properties of CSS and may name a file."""
_ADDRESS_LISTS = frozenset("attributionsrc ping".split())
SRCSETS: Final = frozenset("srcset imagesrcset".split())
_TELLING = frozenset("attributename http-equiv integrity".split())
"""Those that matter for what others mean."""
INTERESTING: Final = ADDRESSES | STYLES | _ADDRESS_LISTS | SRCSETS | _TELLING
"""A start tag without any of these stays, unless it is of ELEMENTS."""
ELEMENTS: Final = frozenset("base iframe object".split())
"""Elements with attributes of their own that hold addresses."""

_NEXT = next_attribute(INTERESTING | set("by content data from srcdoc to values".split()))
_HAS_TELLING = re.compile(b"|".join(name.encode() for name in sorted(_TELLING)), re.IGNORECASE)
_NEEDS_QUOTES = re.compile(rb"[\t\n\f\r >]|\A[\"']|\A\Z")
_WORD = re.compile(rb"[^\t\n\f\r ]++")

Rewrite = Callable[[bytes, str], bytes | None]
"""A value, its character references decoded, and its encoding; None = it stays as it is."""
_Kinds = Mapping[bytes, Rewrite | None]
"""What becomes of the attributes of that name; None = they are dropped."""


def holds_long_value(values: bytes) -> bool:
    return any(len(value) >= SURELY_SHORT for value in values.split(b'"'))


class TagRewriter:
    """Rewrites the start tags of one document.

    `policy` adapts the content of `<meta http-equiv="Content-Security-Policy">`; `page` rewrites a whole page in UTF-8
    within this one.
    """

    def __init__(
        self,
        links: Links,
        encoding: str,
        policy: Callable[[bytes], bytes | None],
        page: Callable[[bytes], bytes | None],
    ) -> None:
        self._links = links
        self.encoding = encoding
        self._policy = policy
        self._page = page
        self._kinds: dict[bytes, Rewrite | None] = {
            **_all(ADDRESSES, links.rewrite),
            **_all(STYLES, self._style),
            **_all(_ADDRESS_LISTS, self._address_list),
            **_all(SRCSETS, self._srcset),
        }
        self._by_element: dict[str, _Kinds] = {
            "base": {**self._kinds, b"href": links.set_base},
            "object": {**self._kinds, b"data": links.rewrite},
            "iframe": {**self._kinds, b"srcdoc": self._srcdoc},
        }

    def tag(self, tag: bytes, name: str) -> bytes:
        """The whole start tag; `name` is its name in lower case."""
        kinds = self._by_element.get(name, self._kinds)
        if name in _TOLD_BY_OTHERS and len(tag) <= MAX_ATTRIBUTE_BYTES and _HAS_TELLING.search(tag):
            kinds = {**self._kinds, **_TOLD_BY_OTHERS[name](self, _facts(tag))}
        return self._attributes(tag, after_name(tag), kinds)

    def part(self, text: bytes, name: str, is_first: bool) -> bytes:
        """Complete attributes of a start tag too long to be held, behind its name if they are the first."""
        kinds = self._by_element.get(name, self._kinds)
        return self._attributes(text, after_name(text) if is_first else 0, kinds)

    def srcset(self, value: bytes) -> bytes | None:
        """A plain `srcset` between double quotes; None = it stays."""
        new = rewrite_srcset(value, self._links, self.encoding)
        return new and references.escape(new, b'"')

    def style(self, value: bytes) -> bytes | None:
        """A plain `style` between double quotes; None = it stays."""
        new = rewrite_style(value, self._links, self.encoding)
        return new and references.escape(new, b'"')

    def _attributes(self, text: bytes, at: int, kinds: _Kinds) -> bytes:
        out: list[bytes] = []
        copied = 0
        while (found := _NEXT.match(text, at)) and found[1]:
            at = found.end()
            rewrite = kinds.get(found[1].lower(), _keep)
            if rewrite is None:  # dropped, and the blank before it
                out.append(text[copied : found.start(1)].rstrip(b"\t\n\f\r "))
                copied = at
            elif rewrite is not _keep and found[2] and at - found.start(1) <= MAX_ATTRIBUTE_BYTES:
                value = self._value(found[2], rewrite)
                if value is not None:
                    out += text[copied : found.start(2)], value
                    copied = at
        return b"".join([*out, text[copied:]]) if out else text

    def _value(self, written: bytes, rewrite: Rewrite) -> bytes | None:
        """A value with the quotes that it is written in. What needs no change within it keeps its references."""
        quote = written[:1] if written[0] in b"\"'" else b""
        raw = written[1:-1] if quote else written
        value, encoding = self._decoded(raw)
        new = rewrite(value, encoding)
        if new is None or new == value:
            return None
        kept = raw if new.endswith(value) else b""
        changed = new[: len(new) - len(value)] if kept else new
        if not quote and not kept and _NEEDS_QUOTES.search(changed):
            quote = b'"'
        escaped = references.escape(changed, quote)
        if encoding != self.encoding:
            escaped = references.encode(escaped.decode(encoding, "surrogateescape"), self.encoding)
        return quote + escaped + kept + quote

    def _decoded(self, raw: bytes) -> tuple[bytes, str]:
        """The value and its encoding: UTF-8 where a reference names a character that the page's encoding lacks."""
        if b"&" not in raw and b"\0" not in raw:
            return raw, self.encoding
        text = references.decode(raw, self.encoding)
        try:
            return text.encode(self.encoding, "surrogateescape"), self.encoding
        except UnicodeEncodeError:
            return text.encode("utf-8", "surrogateescape"), "utf-8"

    def _style(self, value: bytes, encoding: str) -> bytes | None:
        return rewrite_style(value, self._links, encoding)

    def _srcset(self, value: bytes, encoding: str) -> bytes | None:
        return rewrite_srcset(value, self._links, encoding)

    def _address_list(self, value: bytes, encoding: str) -> bytes | None:
        return _WORD.sub(lambda word: self._links.rewrite(word[0], encoding) or word[0], value)

    def _semicolon_list(self, value: bytes, encoding: str) -> bytes | None:
        return b";".join(self._links.rewrite(part, encoding) or part for part in value.split(b";"))

    def _srcdoc(self, value: bytes, encoding: str) -> bytes | None:
        page = self._page(value.decode(encoding, "surrogateescape").encode("utf-8", "surrogateescape"))
        return page and references.encode(page.decode("utf-8", "surrogateescape"), encoding)

    def _refresh(self, value: bytes, encoding: str) -> bytes | None:
        return rewrite_refresh(value, self._links, encoding)

    # What an element's other attributes say of these.

    def _link(self, facts: dict[str, str]) -> _Kinds:
        """The digest of a stylesheet, which we rewrite, would no longer be right. Scripts stay, and keep theirs."""
        guards_a_stylesheet = "stylesheet" in facts.get("rel", "").split() or facts.get("as") == "style"
        return {b"integrity": None} if guards_a_stylesheet else {}

    def _meta(self, facts: dict[str, str]) -> _Kinds:
        match facts.get("http-equiv"):
            case "refresh":
                return {b"content": self._refresh}
            case "content-security-policy":
                return {b"content": lambda value, _: self._policy(value)}
        return {}

    def _animation(self, facts: dict[str, str]) -> _Kinds:
        if facts.get("attributename") not in ("href", "xlink:href"):
            return {}
        return {**_all(("by", "from", "to"), self._links.rewrite), b"values": self._semicolon_list}


_TOLD_BY_OTHERS: Final[dict[str, Callable[[TagRewriter, dict[str, str]], _Kinds]]] = {
    "link": TagRewriter._link,
    "meta": TagRewriter._meta,
    "animate": TagRewriter._animation,
    "set": TagRewriter._animation,
}


def _all(names: Iterable[str], rewrite: Rewrite) -> dict[bytes, Rewrite]:
    return {name.encode(): rewrite for name in names}


def _keep(value: bytes, encoding: str) -> bytes | None:
    return None


def _facts(tag: bytes) -> dict[str, str]:
    """What a tag's attributes say, all in lower case."""
    facts: dict[str, str] = {}
    at = after_name(tag)
    while attribute := ATTRIBUTE.match(tag, at):
        value = (attribute[2] or b"").strip(b"\"'")
        facts.setdefault(attribute[1].decode("latin-1").lower(), references.decode(value, "latin-1").lower())
        at = attribute.end()
    return facts
