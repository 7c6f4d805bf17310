"""Character references in attribute values: `&amp;` and its kin (HTML standard, 13.2.5.72 and following)."""

from __future__ import annotations

import re
from html.entities import html5
from typing import Final

_REFERENCE = re.compile(
    r"&(?:#(?:[xX](?=[0-9A-Fa-f])0*+([0-9A-Fa-f]*+)|(?=[0-9])0*+([0-9]*+));?+|([A-Za-z][A-Za-z0-9]*+(?:;|(?!=))))"
)
_NOT_A_CHARACTER: Final = "\ufffd"


def decode(value: bytes, encoding: str) -> str:
    """An attribute's value as a browser reads it. Bytes that are none in `encoding` become surrogates."""
    text = value.decode(encoding, "surrogateescape").replace("\0", _NOT_A_CHARACTER)
    return _REFERENCE.sub(_character, text) if "&" in text else text


def encode(text: str, encoding: str) -> bytes:
    """The bytes of text in which a reference may stand for any character that `encoding` lacks."""
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return b"".join(_encoded(character, encoding) for character in text)


def escape(value: bytes, quote: bytes) -> bytes:
    """The value as it must stand between two of `quote`."""
    value = value.replace(b"&", b"&amp;")
    return value.replace(b"'", b"&#39;") if quote == b"'" else value.replace(b'"', b"&quot;")


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name = reference.groups()
    if name:
        # Within attributes a name without its semicolon counts only where no letter, digit or `=` follows.
        return html5.get(name) or reference[0]
    digits = hexadecimal or decimal
    if not digits or len(digits) > 7:
        return _NOT_A_CHARACTER
    return _numbered(int(digits, 16 if hexadecimal else 10))


def _numbered(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return _NOT_A_CHARACTER
    if 0x80 <= code < 0xA0:  # meant as Windows-1252; five are not assigned there
        return bytes([code]).decode("cp1252", "ignore") or chr(code)
    return chr(code)


def _encoded(character: str, encoding: str) -> bytes:
    try:
        return character.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return b"&#%d;" % ord(character)
