"""What a browser takes an answer for: by its fields, and where they do not tell a type, by how its body begins.

Fetch standard, 2.2.2 (extract a MIME type, determine nosniff); MIME Sniffing standard, 7 and 7.1.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from app.wire.http.headers import Headers, find_all
from app.wire.pages.charsets import header_charset

RESOURCE_HEADER_BYTES: Final = 1445
"""What lies further on says nothing of the type (MIME Sniffing, 5.2)."""

_VALUE = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+"?+)++', re.DOTALL)
"""A member of a list, in which quoted strings may hold commas."""
_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_ESSENCE = re.compile(rf"[\t\n\r ]*+({_NAME}/{_NAME})[\t\n\r ]*+(?:;|\Z)")
_UNTOLD: Final = frozenset({"unknown/unknown", "application/unknown"})
_BLANKS: Final = b"\t\n\f\r "
_TAGS = "!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P|!--"
_BEGINNINGS: Final = tuple(b"<" + tag.encode() for tag in _TAGS.split("|"))


class ContentType(NamedTuple):
    """What the `Content-Type` fields come to."""

    essence: str
    """Such as `text/html`; empty where a browser goes by how the body begins."""
    text: str
    """The value that counts, as it was written."""
    is_alone: bool
    """True when it is all there is."""


def content_type(fields: Headers) -> ContentType:
    """The last one that is a type; an earlier one of the same type counts where it alone tells the charset."""
    values = [value for field in find_all(fields, "content-type") for value in _VALUE.findall(field)]
    counts = ContentType("", "", False)
    for value in values:
        match = _ESSENCE.match(value)
        if match is None or match[1] == "*/*":
            continue
        essence = match[1].lower()
        if essence != counts.essence or header_charset(value) or not header_charset(counts.text):
            counts = ContentType(essence, value.strip(), len(values) == 1)
    return ContentType("", "", False) if counts.essence in _UNTOLD else counts


def may_sniff_pages(fields: Headers) -> bool:
    """False with `X-Content-Type-Options: nosniff`: what tells no type is then no page, however it begins."""
    return ",".join(find_all(fields, "x-content-type-options")).partition(",")[0].strip().lower() != "nosniff"


def is_attachment(fields: Headers) -> bool:
    """True for what a browser saves and does not show: any disposition but `inline` (RFC 6266, 4.2).

    A value without a type, such as `filename=x`, is none.
    """
    kind = re.split("[;,]", ",".join(find_all(fields, "content-disposition")))[0].strip().lower()
    return kind not in ("", "inline") and "=" not in kind


def begins_as_page(body: bytes) -> bool | None:
    """Whether a body of which this is the beginning is HTML; None while more bytes may tell."""
    begun = body[:RESOURCE_HEADER_BYTES].lstrip(_BLANKS)
    for beginning in _BEGINNINGS:
        size = len(beginning)
        if begun[:size].upper() == beginning and begun[size : size + 1] in (b" ", b">"):
            return True
    if len(body) >= RESOURCE_HEADER_BYTES:
        return False
    upper = begun[:16].upper()
    return None if any(beginning.startswith(upper) for beginning in _BEGINNINGS) else False
