"""The tokens of stylesheets as patterns over bytes, and their escapes (CSS Syntax Module Level 3, section 4).

Every pattern matches wherever it is tried, if only nothing, and never gives back what it took: time stays linear.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Final, NamedTuple

NAME_BYTES: Final = (
    b"-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\0" + bytes(range(0x80, 0x100))  # NUL is U+FFFD
)

# Encodings in which a byte below 0x80 may be the second half of a character, a backslash among them: the first halves.
_LEADS: Final = {
    "cp932": rb"\x81-\x9f\xe0-\xfc",
    "shift_jis": rb"\x81-\x9f\xe0-\xfc",
    "big5": rb"\x81-\xfe",
    "big5hkscs": rb"\x81-\xfe",
    "gbk": rb"\x81-\xfe",
    "gb18030": rb"\x81-\xfe",
}


class Grammar(NamedTuple):
    leads: bytes
    """The bytes that make one character with the byte after them."""
    plain: re.Pattern[bytes]
    """Passes over what holds no address, and over a whole `url(...)` without escapes behind it.

    Groups, of which one has what that holds: in `"`, in `'`, without quotes.
    """
    careful: re.Pattern[bytes]
    """The same, but stops at strings, brackets and semicolons, too."""
    name: re.Pattern[bytes]
    partial: re.Pattern[bytes]
    """An escape or a character that the end of the piece cuts in two."""
    spaces: re.Pattern[bytes]
    blanks: re.Pattern[bytes]
    """White space and whole comments."""
    inside: dict[bytes, re.Pattern[bytes]]
    """By the closing byte: all that may stand before it."""
    unquoted: re.Pattern[bytes]
    """The whole of a valid `url(` token without quotes; group 1 leaves out the blanks at its end."""
    escapes: re.Pattern[bytes]
    barred: dict[bytes, re.Pattern[bytes]]
    """By the closing byte: what must be escaped before it, and `<`: no escape may turn into `</style>`."""


def grammar_of(encoding: str) -> Grammar:
    """The patterns for sheets in that encoding, a Python codec that extends ASCII. Raises LookupError."""
    return _grammar(_LEADS.get(codecs.lookup(encoding).name, b""))


def end_of(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    """Where the match that begins at `start` ends."""
    match = pattern.match(data, start)
    return match.end() if match else start


def unescape(grammar: Grammar, raw: bytes, encoding: str) -> bytes:
    """The characters that `raw` stands for, in `encoding` (sections 3.3 and 4.3.7)."""
    if b"\\" not in raw and b"\0" not in raw:
        return raw

    def character(match: re.Match[bytes]) -> bytes:
        digits, line_break, literal, void = match.groups()
        if digits or void:
            return _encoded(int(digits or b"0", 16), encoding)
        return b"" if line_break else literal or match[0]

    return grammar.escapes.sub(character, raw)


def escape(grammar: Grammar, value: bytes, closing: bytes) -> bytes:
    """`value` as it may stand before that closing byte."""
    return grammar.barred[closing].sub(_escaped, value)


def _escaped(match: re.Match[bytes]) -> bytes:
    found = match[0]
    return found if len(found) > 1 else b"\\%x " % found[0]


def _encoded(code_point: int, encoding: str) -> bytes:
    if not code_point or code_point > 0x10FFFF or 0xD800 <= code_point <= 0xDFFF:
        code_point = 0xFFFD
    try:
        return chr(code_point).encode(encoding)
    except UnicodeEncodeError:  # what the URL standard makes of it in a path
        return b"".join(b"%%%02X" % byte for byte in chr(code_point).encode())


_NEVER: Final = rb"(?!)"
_SINGLE_BYTES: Final = {
    b"leads": b"",
    b"pair": _NEVER,
    b"lone": _NEVER,
    b"half": _NEVER,
    b"pair or": b"",  # a lone class is found faster than one of two alternatives
    b"in name": rb"[-\w\0\x80-\xff]",
    b"escape": rb"\\(?:[0-9a-fA-F]{1,6}(?:\r\n|[ \t\n\r\f])?+|[^0-9a-fA-F\n\r\f])",
    # Names with escapes of the plain kind pass, unless they go on to be a function's.
    b"escaped": rb"(?:\\[^0-9a-fA-F\n\r\f][-\w\0\x80-\xff]*+)++(?![(\\]|\Z)",
    b"in string": rb"%(escape)b",
}
_DOUBLE_BYTES: Final = {
    b"pair": rb"[%(leads)b][@-~\x80-\xfe]",
    b"lone": rb"[%(leads)b](?!\Z)",  # before what cannot be the second half
    b"half": rb"\\?[%(leads)b]\Z",
    b"pair or": rb"%(pair)b|",
    b"in name": rb"(?![%(leads)b])[-\w\0\x80-\xff]",
    b"escape": rb"\\(?:[0-9a-fA-F]{1,6}(?:\r\n|[ \t\n\r\f])?+|%(pair)b|%(lone)b|[^0-9a-fA-F\n\r\f%(leads)b])",
    b"escaped": _NEVER,
    b"in string": _NEVER,
}
_PATTERNS: Final = {
    b"cut": rb"\\[0-9a-fA-F]{0,6}\r?\Z",
    b"whole": rb"%(pair)b|%(lone)b|(?!%(cut)b)%(escape)b",
    b"comment": rb"/\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/",
    # An `@` matters before the first letter of a keyword's name, a parenthesis behind the last two of a function's.
    b"passing": rb"/(?!\*|\Z)|%(comment)b|@(?![iInN\\]|\Z)|%(pair)b|%(lone)b|%(escaped)b",
    b"bracket": rb"\((?<![rR][lL]\()(?<![rR][cC]\()(?<![gG][eE]\()(?<![eE][tT]\()",
    b"string": (
        rb""""(?:[^"\\\n\r\f]++|%(in string)b)*+(?:"|(?=[\n\r\f]))"""
        rb"""|'(?:[^'\\\n\r\f]++|%(in string)b)*+(?:'|(?=[\n\r\f]))"""
    ),
    b"line break": rb"\\(?:\r\n|[\n\f]|\r(?!\Z))",
    b"careful": rb"""[^]"'/\\()@[{};%(leads)b]*+(?:(?:%(passing)b)[^]"'/\\()@[{};%(leads)b]*+)*+""",
    b"name": rb"(?:%(in name)b|%(whole)b)*+",
    b"partial": rb"%(cut)b|%(half)b",
    b"spaces": rb"[ \t\n\r\f]*+",
    b"blanks": rb"(?:[ \t\n\r\f]++|%(comment)b)*+",
    b"in double": rb'(?:[^"\\\n\r\f%(leads)b]++|%(whole)b|%(line break)b)*+',
    b"in single": rb"(?:[^'\\\n\r\f%(leads)b]++|%(whole)b|%(line break)b)*+",
    b"in url": rb"(?:[^)\\%(leads)b]++|%(whole)b|%(line break)b)*+",
    b"unquoted": rb"((?:[^\"'()\\\x01-\x20\x7f%(leads)b]++|%(pair)b|%(lone)b|%(escape)b|\\\Z|%(half)b)*+)[ \t\n\r\f]*+",
    b"address": (
        rb"""(?<=[ \t\n\r\f:,(][uU][rR][lL])\([ \t\n\r\f]*+"""
        rb"""(?:"([^"\\\n\r\f\0]*+)"|'([^'\\\n\r\f\0]*+)'|([^"'()\\\0-\x20\x7f]*+)[ \t\n\r\f]*+\))"""
    ),
    b"plain": (
        rb"""[^"'/\\(@%(leads)b]*+(?:(?:%(bracket)b|%(passing)b|%(string)b)[^"'/\\(@%(leads)b]*+)*+(?:%(address)b)?+"""
    ),
    b"escapes": rb"%(pair)b|\\([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?+|\\(\r\n|[\n\r\f])|\\(%(pair)b|.)|(\0|\\\Z)",
    b"barred double": rb'%(pair or)b["\\\n\r\f\0<]',
    b"barred single": rb"%(pair or)b['\\\n\r\f\0<]",
    b"barred url": rb"%(pair or)b[\"'()\\\0-\x20\x7f<]",
}
"""Each is made of those before it, and of one of the two dictionaries above."""


@cache
def _grammar(leads: bytes) -> Grammar:
    """For encodings in which a byte of the class `leads` makes one character with the byte after it."""
    made = {b"leads": leads}
    for name, pattern in ((_DOUBLE_BYTES if leads else _SINGLE_BYTES) | _PATTERNS).items():
        made[name] = pattern % made

    def compiled(name: bytes) -> re.Pattern[bytes]:
        return re.compile(made[name], re.DOTALL)

    return Grammar(
        leads=b"".join(re.findall(rb"[%b]" % leads, bytes(range(256)))) if leads else b"",
        plain=compiled(b"plain"),
        careful=compiled(b"careful"),
        name=compiled(b"name"),
        partial=compiled(b"partial"),
        spaces=compiled(b"spaces"),
        blanks=compiled(b"blanks"),
        inside={b'"': compiled(b"in double"), b"'": compiled(b"in single"), b")": compiled(b"in url")},
        unquoted=compiled(b"unquoted"),
        escapes=compiled(b"escapes"),
        barred={b'"': compiled(b"barred double"), b"'": compiled(b"barred single"), b")": compiled(b"barred url")},
    )
