"""The references of one document: which of them would leave the proxy, and how they read instead.

A proxied page's address is the prefix and the page's own URL, so a reference that stays below the site's root is right
as it stands. The others get the prefix in front where that is enough, so that the browser goes on to encode queries in
the page's own encoding; only odd ones are resolved here, by the parser of the URL standard (https://url.spec.whatwg.org).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

MAX_DEPTH: Final = 16
"""A chain of `../` longer than this is resolved rather than judged by its length."""

_SOME_ORIGIN = "http://p"
"""Stands for ours where two addresses are compared."""


def dotless_path(excluded: bytes = b"") -> bytes:
    """A pattern for the raw bytes behind a path's first slash, up to its end or one of `excluded`.

    It matches paths in which no segment is `.` or `..` in any spelling, nor anything that the parser would turn round.
    """
    plain = rb"[^\t\n\r\\?#.%" + excluded + rb"]*+"
    return plain + rb"(?:(?:(?<!/)[.%]|%(?!2[eE]))" + plain + rb")*+"


ORIGIN: Final = rb"[A-Za-z0-9][A-Za-z0-9\-.]*+(?::[0-9]++)?+"
"""A pattern for what follows the slashes, where it needs no second look."""
_DOTLESS = dotless_path()
_TAIL = rb"(?s:[?#].*+)?+\Z"
_HTTP = re.compile(r"https?:", re.IGNORECASE)
_BLANKS = "".join(map(chr, range(0x21)))
_DROPPED = dict.fromkeys(map(ord, "\t\n\r"))


class Inserts(NamedTuple):
    """What is put in front of a reference that else stays as it is; None = never."""

    absolute: bytes
    host_relative: bytes | None
    """For `//host/path`."""
    root_relative: bytes | None
    """For `/path`."""


class _Base(NamedTuple):
    """What references are relative to."""

    url: str
    proxied: str
    inserts: Inserts
    depth: int
    """How many `../` lead no higher than the site's root; -1 where the base is no web address."""
    simple: re.Pattern[bytes]
    """What needs no resolving: the group that matched is an index of `inserts`, or none for what stays."""


class Links:
    """The references of one document, as they stand in CSS or (character references decoded) in attributes.

    `page_url` is the document's own absolute URL, canonical and without fragment; `prefix` what proxied addresses begin
    with, e.g. `/proxy/`.
    """

    def __init__(self, page_url: str, prefix: str) -> None:
        self._prefix = prefix
        self._page = self._base = _base(page_url, prefix)
        self._base_given = False

    @property
    def depth(self) -> int:
        """How many `../` a reference may begin with and stay on the site; -1 where no relative reference is ours."""
        return self._base.depth

    @property
    def inserts(self) -> Inserts:
        return self._base.inserts

    def nested(self) -> Links:
        """The references of a document within this one, such as `srcdoc`: a base in there is not a base here."""
        return Links(self._base.url, self._prefix)

    def rewrite(self, reference: bytes, encoding: str = "utf-8") -> bytes | None:
        """How the reference must read; None = it stays as it is, also when it is none that a browser would follow.

        `encoding` is the document's: Python's name of a codec whose bytes below 0x80 mean ASCII, where no other
        character's first byte is.
        """
        return self._rewrite(self._base, reference, encoding)

    def set_base(self, href: bytes, encoding: str = "utf-8") -> bytes | None:
        """Takes the `href` of a `<base>` and returns how that must read, None = as it does.

        Only the first counts, even when it is invalid (HTML standard, 4.2.3).
        """
        if not self._base_given:
            self._base_given = True
            url = _join(self._page.url, _text(href, encoding), encoding)
            if url and not url.startswith(("data:", "javascript:")):
                self._base = _base(url, self._prefix)
        return self._rewrite(self._page, href, encoding)

    def _rewrite(self, base: _Base, reference: bytes, encoding: str) -> bytes | None:
        simple = base.simple.match(reference)
        if simple is None:
            return self._resolve(base, _text(reference, encoding), encoding)
        if not simple.lastindex:
            return None
        insert = base.inserts[simple.lastindex - 1]
        return None if insert is None else insert + reference

    def _resolve(self, base: _Base, text: str, encoding: str) -> bytes | None:
        url = _join(base.url, text, encoding)
        if url is None or not _HTTP.match(url):
            return None
        # What names no scheme is right when a browser that takes it for our page's comes to the same place.
        if not _HTTP.match(text) and _join(base.proxied, text, encoding) == _SOME_ORIGIN + self._prefix + url:
            return None
        return (self._prefix + url).encode("ascii")


def _text(reference: bytes, encoding: str) -> str:
    """The characters that the URL standard's parser looks at (4.4, basic URL parser, steps 1 and 3)."""
    return reference.decode(encoding, "replace").strip(_BLANKS).translate(_DROPPED)


def _join(base: str, text: str, encoding: str) -> str | None:
    import ada_url  # not with this module, as fields of any answer lead here: see app.wire.pages.address

    try:
        return ada_url.join_url(base, _with_encoded_query(text, encoding))
    except ValueError:
        return None


def _with_encoded_query(text: str, encoding: str) -> str:
    """Queries are encoded in the document's encoding, all else in UTF-8 (URL standard, 4.4, query state)."""
    if encoding == "utf-8" or text.isascii():
        return text
    head, hash_mark, fragment = text.partition("#")
    path, question_mark, query = head.partition("?")
    encoded = "".join(_encoded(character, encoding) for character in query)
    return path + question_mark + encoded + hash_mark + fragment


def _encoded(character: str, encoding: str) -> str:
    if character.isascii():
        return character
    try:
        raw = character.encode(encoding)
    except UnicodeEncodeError:
        return f"%26%23{ord(character)}%3B"
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)


@lru_cache(256)
def _base(url: str, prefix: str) -> _Base:
    depth = -1
    inserts = Inserts(prefix.encode(), None, None)
    if _HTTP.match(url):
        import ada_url

        origin = ada_url.URL(url).origin
        depth = min(ada_url.URL(url).pathname.count("/") - 1, MAX_DEPTH)
        scheme = origin[: origin.index("//")]
        inserts = Inserts(prefix.encode(), (prefix + scheme).encode(), (prefix + origin).encode())
    return _Base(url, _SOME_ORIGIN + prefix + url, inserts, depth, _simple(depth))


@lru_cache
def _simple(depth: int) -> re.Pattern[bytes]:
    schemes = rb"(?![hH][tT][tT][pP][sS]?+:)[A-Za-z][A-Za-z0-9+\-.]*+:"
    relative = rb"(?:\./)?+(?:\.\./){0,%d}+(?![\x00-\x20./%%])[^\t\n\r\\/?#:]*+(?![:\t\n\r\\])" % max(depth, 0)
    return re.compile(
        rb"(https?://" + ORIGIN + rb"(?:/" + _DOTLESS + rb")?+" + _TAIL + rb")"
        rb"|(//" + ORIGIN + rb"(?:/" + _DOTLESS + rb")?+" + _TAIL + rb")"
        rb"|(/(?![/\\\t\n\r.]|%2[eE])" + _DOTLESS + _TAIL + rb")"
        rb"|" + schemes + rb"|" + relative + _DOTLESS + _TAIL
    )
