"""Which encoding a page or stylesheet is in, as the standards find it, without waiting for bytes that may never come.

The rewriters read bytes, and for them nearly all encodings are alike, since markup is ASCII in them. So text flows from
the first byte, and an encoding that the page declares later holds from there on. Those that hide ASCII, UTF-16 and
ISO-2022-JP, are turned into one that shows it on the way in, and back on the way out (app.wire.pages.recoding).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from app.wire.pages.recoding import RECODINGS, Recoding

SNIFFED_BYTES: Final = 1024
"""Where a page or sheet may declare its encoding (HTML standard, 4.2.5.4; CSS Syntax Module Level 3, section 3.2)."""

_LABELS: Final = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859_2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "iso8859_3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "iso8859_4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "iso8859_5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    "iso8859_6": (
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e "
        "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987"
    ),
    "iso8859_7": (
        "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7 "
        "iso_8859-7:1987 sun_eu_greek"
    ),
    "iso8859_8": (
        "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 "
        "iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical"
    ),
    "iso8859_10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859_13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859_14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859_15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859_16": "iso-8859-16",
    "koi8_r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8_u": "koi8-ru koi8-u",
    "mac_roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": (
        "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 "
        "iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252 x-user-defined"
    ),
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": (
        "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 "
        "windows-1254 x-cp1254"
    ),
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "mac_cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": (
        "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949"
    ),
    "ascii": "csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr replacement",
    "utf_16_be": "unicodefffe utf-16be",
    "utf_16_le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
}
"""By Python's codec: the labels of the Encoding Standard, section 4.2.

Where they differ in what a byte below 0x80 may be, the codec is the standard's.
`gbk` is decoded as `gb18030`; `x-user-defined` and `replacement` are ASCII in what concerns us.
"""
_CODECS: Final = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_BOMS: Final = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf_16_le", b"\xfe\xff": "utf_16_be"}
_BLANKS = "\t\n\f\r "

_PARAMETER = re.compile(r""";[\t\n\r ]*charset=(?:"((?:[^"\\]|\\.)*)"?|([^;]*))""", re.IGNORECASE | re.DOTALL)
_IN_CONTENT = re.compile(
    rb"""charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^"'\t\n\f\r ;][^\t\n\f\r ;]*))""", re.IGNORECASE
)
# HTML standard, 13.2.3.2: comments, tags with their attributes, and all else that begins with `<`.
# What is not yet at its end takes all there is, so that nothing in it is found.
_ATTRIBUTES = rb"""(?:[^"'>=]++|["']|=[\t\n\f\r ]*+(?:"[^"]*+"|'[^']*+'|(?!["'])))*+"""
_MARKUP = re.compile(
    rb"<!--(?:-?>|.*?-->|.*\Z)|<(meta)(?=[\t\n\f\r /])(%(attributes)b)>|</?[a-z](?:%(attributes)b>|.*\Z)|<[!/?][^>]*+>"
    % {b"attributes": _ATTRIBUTES},
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*+([^\t\n\f\r />][^\t\n\f\r />=]*+)"""
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|([^\t\n\f\r >]*+)))?+"""
)
_XML = re.compile(rb"""<\?xml[^>]*?[\t\n\f\r ]encoding[\t\n\f\r ]*=[\t\n\f\r ]*["']([^"'>]+)["'][^>]*>""")
_CSS = re.compile(rb'@charset "([^"]*)";')


def encoding_of(label: str) -> str | None:
    """The Python codec for a label that pages may use (Encoding Standard, 4.2: get an encoding), or None."""
    return _CODECS.get(label.strip(_BLANKS).lower())


def header_charset(content_type: str) -> str | None:
    """The encoding that a `Content-Type` names, or None."""
    match = _PARAMETER.search(content_type)
    if match is None:
        return None
    return encoding_of(re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2])


def declared_in_html(head: bytes) -> str | None:
    """The encoding that a page's first bytes declare in `<meta>` or an XML declaration, if that is all there."""
    for markup in _MARKUP.finditer(head):
        if markup[1] and (encoding := _declared_by_meta(markup[2])):
            return _ascii_based(encoding)
    xml = _XML.match(head)
    return _ascii_based(encoding_of(xml[1].decode("latin-1"))) if xml else None


def declared_in_css(head: bytes) -> str | None:
    """The encoding that a sheet's first bytes declare in `@charset`, in exactly the one spelling that counts."""
    match = _CSS.match(head)
    return _ascii_based(encoding_of(match[1].decode("latin-1"))) if match else None


def _ascii_based(encoding: str | None) -> str | None:
    """What could be read as ASCII is not in UTF-16 (HTML standard, 13.2.3.2; CSS Syntax, 3.2)."""
    return "utf-8" if encoding in ("utf_16_le", "utf_16_be") else encoding


def _declared_by_meta(attributes: bytes) -> str | None:
    values = dict(_first_values(attributes))
    if b"charset" in values:
        return encoding_of(values[b"charset"].decode("latin-1"))
    if values.get(b"http-equiv", b"").lower() != b"content-type":
        return None
    match = _IN_CONTENT.search(values.get(b"content", b""))
    return (
        encoding_of(next(group for group in match.groups() if group is not None).decode("latin-1")) if match else None
    )


def _first_values(attributes: bytes) -> Iterator[tuple[bytes, bytes]]:
    seen = set()
    for match in _ATTRIBUTE.finditer(attributes):
        name = match[1].lower()
        if name not in seen:
            seen.add(name)
            yield name, match[2] or match[3] or match[4] or b""


class Rewriter(Protocol):
    """PageRewriter and StylesheetRewriter; `encoding` may be set anew between two pieces."""

    encoding: str

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class EncodedRewriter:
    """A rewriter, fed with a page or sheet in whichever encoding that turns out to be in.

    `declared` is the encoding that the header names; `find` looks for one in the first bytes when there is none: it is
    declared_in_html or declared_in_css. `fallback` holds until one is found. A byte order mark beats all.
    """

    def __init__(
        self, rewriter: Rewriter, declared: str | None, find: Callable[[bytes], str | None], fallback: str
    ) -> None:
        self._rewriter = rewriter
        self._find = find
        self._recoding: Recoding | None = None
        self._head: bytes | None = b""
        self._begun = False
        self._declared = declared
        self._use(declared or fallback)

    def feed(self, data: bytes) -> bytes:
        """The next piece, as far as it is decided. Only what may be half a byte order mark is held for this."""
        mark = b""
        if not self._begun:
            data = (self._head or b"") + data
            if any(len(data) < len(bom) and bom.startswith(data) for bom in _BOMS):
                self._head = data
                return b""
            self._begun = True
            self._head = None if self._declared else b""
            mark = self._take_mark(data)
        data = data[len(mark) :]
        if self._head is not None:
            self._sniff(data)
        return mark + self._through(data)

    def finish(self) -> bytes:
        """What was held back."""
        held = b""
        if not self._begun and self._head:
            held, self._begun = self._through(self._head), True
        if self._recoding is None:
            return held + self._rewriter.finish()
        return held + self._recoding.back(self._rewriter.finish()) + self._recoding.rest()

    def _through(self, data: bytes) -> bytes:
        if self._recoding is None:
            return self._rewriter.feed(data)
        return self._recoding.back(self._rewriter.feed(self._recoding.forth(data)))

    def _take_mark(self, data: bytes) -> bytes:
        for mark, encoding in _BOMS.items():
            if data.startswith(mark):
                self._head = None
                self._use(encoding)
                return mark
        return b""

    def _sniff(self, data: bytes) -> None:
        self._head = ((self._head or b"") + data)[:SNIFFED_BYTES]
        found = self._find(self._head)
        if found:
            self._use(found)
        if found or len(self._head) == SNIFFED_BYTES:
            self._head = None

    def _use(self, encoding: str) -> None:
        if encoding in RECODINGS:
            self._recoding = RECODINGS[encoding]()
            encoding = self._recoding.encoding
        else:
            self._recoding = None
        self._rewriter.encoding = encoding
