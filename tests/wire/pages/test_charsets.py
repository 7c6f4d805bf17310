"""Which encoding a page is in, found as browsers find it and without waiting; and encodings that hide ASCII."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.pages.charsets import (
    EncodedRewriter,
    declared_in_css,
    declared_in_html,
    encoding_of,
    header_charset,
)
from app.wire.pages.css import StylesheetRewriter
from app.wire.pages.links import Links
from app.wire.pages.recoding import RECODINGS

LABELS = [
    ("utf8", "utf-8"),
    (" UTF-8\n", "utf-8"),
    ("iso-8859-1", "cp1252"),
    ("Latin1", "cp1252"),
    ("us-ascii", "cp1252"),
    ("ISO-8859-9", "cp1254"),
    ("iso-8859-15", "iso8859_15"),
    ("gb2312", "gb18030"),
    ("big5", "big5hkscs"),
    ("x-sjis", "cp932"),
    ("ks_c_5601-1987", "cp949"),
    ("x-user-defined", "cp1252"),
    ("hz-gb-2312", "ascii"),
    ("utf-16", "utf_16_le"),
    ("unicodeFFFE", "utf_16_be"),
    ("csISO2022JP", "iso2022_jp"),
    ("utf-7", None),
    ("utf-32", None),
    ("rot13", None),
    ("idna", None),
    ("cp037", None),
    ("utf\xa08", None),
    ("", None),
]


@pytest.mark.parametrize(("label", "encoding"), LABELS)
def test_labels_are_those_of_the_web(label: str, encoding: str | None) -> None:
    """Labels mean what the Encoding Standard says; what only Python knows is none."""
    assert encoding_of(label) == encoding
    if encoding:
        codecs.lookup(encoding)


HEADERS = [
    ("text/html; charset=utf-8", "utf-8"),
    ('text/html;Charset="Shift_JIS"; x=y', "cp932"),
    ('text/html;charset="utf\\-8', "utf-8"),
    ("text/html; x=y;charset=latin1 ", "cp1252"),
    ("text/css;charset=gbk;charset=utf-8", "gb18030"),
    ("text/html; xcharset=utf-8", None),
    ("text/html; charset=", None),
    ("text/html; charset=klingon", None),
    ("text/html", None),
]


@pytest.mark.parametrize(("content_type", "encoding"), HEADERS)
def test_the_header_names_an_encoding(content_type: str, encoding: str | None) -> None:
    """The first `charset` parameter counts, quoted or not."""
    assert header_charset(content_type) == encoding


PAGES = [
    (b"<meta charset=gbk>", "gb18030"),
    (b"<!doctype html><html><head><META/CHARSET = 'Shift_JIS' >", "cp932"),
    (b"<meta charset=utf-16>", "utf-8"),
    (b"<meta name=a content='charset=gbk'><meta charset=big5>", "big5hkscs"),
    (b"<meta http-equiv=Content-Type content='text/html; charset=euc-jp'>", "euc_jp"),
    (b'<meta content="text/html;charset = \'koi8-r\'" http-equiv="content-type"/>', "koi8_r"),
    (b"<meta http-equiv=refresh content='0;charset=gbk'>", None),
    (b"<meta charset=nonsense><meta charset=gbk>", "gb18030"),
    (b"<meta charset=gbk charset=big5>", "gb18030"),
    (b"<!-- <meta charset=gbk> --><meta charset=big5>", "big5hkscs"),
    (b"<!--><meta charset=gbk>-->", "gb18030"),
    (b"<!---><meta charset=gbk>-->", "gb18030"),
    (b"<!-- <meta charset=gbk>", None),
    (b"<a title='<meta charset=gbk>'><meta charset=big5>", "big5hkscs"),
    (b"<a title='<meta charset=gbk>", None),
    (b"<a title=it's><meta charset=gbk>", "gb18030"),
    (b"<p title='<meta charset=gbk>", None),
    (b"</p title='<meta charset=gbk>'>", None),
    (b"<! ' ><meta charset=gbk>", "gb18030"),
    (b"<metal charset=gbk>", None),
    (b"<meta charset=gbk", None),
    (b"<meta charset>", None),
    (b"<?xml version='1.0' encoding=\"EUC-KR\"?><p>", "cp949"),
    (b"<?xml version='1.0' encoding='gbk'?><meta charset=big5>", "big5hkscs"),
    (b"", None),
]


@pytest.mark.parametrize(("page", "encoding"), PAGES)
def test_a_page_declares_its_encoding(page: bytes, encoding: str | None) -> None:
    """HTML standard, 13.2.3.2, "prescan a byte stream"; nothing that only looks like a declaration counts."""
    assert declared_in_html(page) == encoding


@pytest.mark.parametrize(
    ("sheet", "encoding"),
    [
        (b'@charset "gbk";a{}', "gb18030"),
        (b'@charset "utf-16be";', "utf-8"),
        (b"@charset 'gbk';", None),
        (b'@CHARSET "gbk";', None),
        (b' @charset "gbk";', None),
        (b'@charset "gbk"', None),
        (b'@charset  "gbk";', None),
    ],
)
def test_a_sheet_declares_its_encoding(sheet: bytes, encoding: str | None) -> None:
    """CSS Syntax Module Level 3, 3.2: only in this one spelling."""
    assert declared_in_css(sheet) == encoding


class Recorder:
    """A rewriter that changes nothing and writes down what it is fed."""

    def __init__(self) -> None:
        self.encoding = ""
        self.fed: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self.fed.append(data)
        return data

    def finish(self) -> bytes:
        return b""

    def said(self) -> str:
        return b"".join(self.fed).decode(self.encoding)


def pieces_of(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    return [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]


def passed(document: bytes, cuts: Iterable[int] = (), declared: str | None = None) -> tuple[bytes, Recorder]:
    """A page sent through in the pieces that end at `cuts`."""
    recorder = Recorder()
    through = EncodedRewriter(recorder, declared, declared_in_html, "cp1252")
    out = b"".join(map(through.feed, pieces_of(document, cuts)))
    return out + through.finish(), recorder


DOCUMENTS = [
    (b"\xef\xbb\xbf<p>\xc3\xa9", None, "<p>é"),
    (b"\xef\xbb\xbf<p>\xc3\xa9", "cp1252", "<p>é"),
    (b"\xff\xfe" + "<p>é😀".encode("utf-16-le"), None, "<p>é😀"),
    (b"\xfe\xff" + "<p>é😀".encode("utf-16-be"), "utf-8", "<p>é😀"),
    ("<p>é😀".encode("utf-16-be"), "utf_16_be", "<p>é😀"),
    (b"<p>\xe9", None, "<p>é"),
    (b"<meta charset=utf-8><p>\xc3\xa9", None, "<meta charset=utf-8><p>é"),
    (b"<meta charset=utf-8><p>\xe9", "cp1252", "<meta charset=utf-8><p>é"),
    ("<meta charset=big5><p>功".encode("big5"), None, "<meta charset=big5><p>功"),
    (b"\xef", "cp1252", "ï"),
    (b"\xef\xbb", "cp1252", "ï»"),
    (b"\xfe", "cp1252", "þ"),
    (b"", None, ""),
]


@pytest.mark.parametrize(("document", "declared", "says"), DOCUMENTS)
def test_a_rewriter_reads_what_the_page_says(document: bytes, declared: str | None, says: str) -> None:
    """Mark, header, declaration, fallback, in this order, for every cut; and the page comes out as it came."""
    for cuts in ([], *([cut] for cut in range(1, len(document))), range(1, len(document))):
        out, recorder = passed(document, cuts, declared)
        assert out == document
        assert recorder.said() == says


@pytest.mark.parametrize("page", [b"<", b"<p>text", b"<meta charset=", b"<!-- ", b"\xee"])
def test_no_byte_is_waited_for(page: bytes) -> None:
    """A page without any declaration flows from its first byte."""
    through = EncodedRewriter(Recorder(), None, declared_in_html, "cp1252")
    assert through.feed(page) == page


def test_half_a_byte_order_mark_is_waited_for() -> None:
    """Only what can still become a mark is held."""
    through = EncodedRewriter(Recorder(), None, declared_in_html, "cp1252")
    assert through.feed(b"\xef") == b""
    assert through.feed(b"\xbb") == b""
    assert through.feed(b"!") == b"\xef\xbb!"


def test_a_declaration_counts_within_the_first_1024_bytes_only() -> None:
    """Then the fallback stays; up to there a declaration holds from the piece on in which it is whole."""
    meta = b"<meta charset=gbk>"
    for filler, encoding in ((1024 - len(meta), "gb18030"), (1025 - len(meta), "cp1252")):
        for cuts in ([], range(1, 1030)):
            _, recorder = passed(b" " * filler + meta + b"<p>", cuts)
            assert recorder.encoding == encoding


# --- encodings that hide ASCII ---


def sheet_through(sheet: bytes, encoding: str, cuts: Iterable[int]) -> bytes:
    through = EncodedRewriter(StylesheetRewriter(Links("https://host/", "/proxy/")), encoding, declared_in_css, "utf-8")
    out = b"".join(map(through.feed, pieces_of(sheet, cuts)))
    return out + through.finish()


@pytest.mark.parametrize("encoding", ["utf_16_le", "utf_16_be", "iso2022_jp"])
def test_addresses_are_rewritten_in_them(encoding: str) -> None:
    """They are found, for every cut, between characters whose bytes look like quotes and brackets."""
    sheet = "日\"本\"{a:url(/x)} ァ'ア' url('/日本') 。".encode(encoding)
    wanted = "日\"本\"{a:url(/proxy/https://host/x)} ァ'ア' url('/proxy/https://host/日本') 。".encode(encoding)
    for cuts in ([], *([cut] for cut in range(1, len(sheet))), range(1, len(sheet))):
        assert sheet_through(sheet, encoding, cuts) == wanted


JAPANESE_PIECES = [
    b"\x1b$B",
    b"\x1b$@",
    b"\x1b(B",
    b"\x1b(J",
    b"\x1b(I",
    b"\x1b",
    b"\x1b$",
    b"(",
    b"<a\"'>",
    b"\n",
    b"\xbc",
]


@given(st.lists(st.sampled_from(JAPANESE_PIECES) | st.binary(max_size=3)).map(b"".join), st.data())
def test_iso_2022_jp_comes_back_byte_for_byte(document: bytes, data: st.DataObject) -> None:
    """Whatever it is and however it is cut; no byte of a Japanese run looks like ASCII on the way."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(document)), max_size=5)))
    assert passed(document, cuts, "iso2022_jp")[0] == document


@given(st.binary(), st.sampled_from(["utf_16_le", "utf_16_be"]), st.data())
def test_utf_16_comes_back_byte_for_byte(document: bytes, encoding: str, data: st.DataObject) -> None:
    """Halves of pairs and an odd byte at the end, too, however it is cut."""
    if document[:2] in (b"\xff\xfe", b"\xfe\xff") or document[:3] == b"\xef\xbb\xbf":
        document = b"<" + document
    cuts = sorted(data.draw(st.lists(st.integers(0, len(document)), max_size=5)))
    out, recorder = passed(document, cuts, encoding)
    assert out == document
    b"".join(recorder.fed).decode("utf-8", "surrogatepass")


def test_japanese_runs_are_seen_as_euc_jp() -> None:
    """So a rewriter neither finds markup in them nor loses a character."""
    recoding = RECODINGS["iso2022_jp"]()
    seen = recoding.forth("a日本<".encode("iso2022_jp"))
    assert seen == b"a\x1b$B" + "日本".encode("euc_jp") + b"\x1b(B<"
