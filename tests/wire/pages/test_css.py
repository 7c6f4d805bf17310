"""Stylesheets: which bytes are addresses, what becomes of them, and that no cut makes a difference."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.pages.css import MAX_URL_BYTES, StylesheetRewriter, rewrite_style
from app.wire.pages.links import Links
from tests.support.css_table import FRAGMENTS, PAGE, PROXIED, REWRITTEN, STAYS, rewritten


class Seen(Links):
    """Remembers the references that it was asked about."""

    def __init__(self) -> None:
        super().__init__(PAGE, "/proxy/")
        self.seen: list[bytes] = []

    def rewrite(self, reference: bytes, encoding: str = "utf-8") -> bytes | None:
        self.seen.append(reference)
        return super().rewrite(reference, encoding)


def asked(sheet: bytes, encoding: str = "utf-8") -> list[bytes]:
    """The references found in the sheet."""
    links = Seen()
    rewriter = StylesheetRewriter(links, encoding)
    rewriter.feed(sheet)
    rewriter.finish()
    return links.seen


# Encoding, sheet, what a reference in it says, and the sheet rewritten, with << for the prefix.
# In all these, 0x5C may be the second half of a character.
IN_ENCODING = [
    ("cp932", b"url(/?\x83\x40)", "/?ァ", b"url(<</?\x83\x40)"),
    ("cp932", b"url(/\x83\x5c)", "/ソ", b"url(<</%E3%82%BD)"),
    ("cp932", b"url('/?\x83\x5c')", "/?ソ", b"url('<</?\x83\x5c')"),
    ("cp932", b"url('/\x83\x5c)')", "/ソ)", b"url('<</%E3%82%BD)')"),
    ("cp932", b"url('/\x83\x5c\\\\')", "/ソ\\", b"url('<</%E3%82%BD/')"),
    ("cp932", b"url(/\xbf\\61)", "/ｿa", b"url(<</\xbfa)"),
    ("cp932", rb"url(/\30bd a)", "/ソa", b"url(<</%E3%82%BDa)"),
    ("cp932", rb"url(/\e9)", "/%C3%A9", b"url(<</%C3%A9)"),
    ("cp932", b".\x83\x5curl(/x)\x83\x5c", None, b".\x83\x5curl(/x)\x83\x5c"),
    ("cp932", b"\xbf\\75rl(/x)", None, b"\xbf\\75rl(/x)"),
    ("cp932", b".\x83\x40import '/x'", None, b".\x83\x40import '/x'"),
    ("cp932", b"'\x83\x5c'url(/x)", "/x", b"'\x83\x5c'url(<</x)"),
    ("cp932", b"'\x83'url(/x)", "/x", b"'\x83'url(<</x)"),
    ("big5hkscs", b"url(/\xa5\x5c)", "/功", b"url(<</%E5%8A%9F)"),
    ("big5hkscs", b"url(/\\\xa5\x5c\\62)", "/功b", b"url(<</%E5%8A%9Fb)"),
    ("gb18030", b"image-set('\x81\x5c' 1x,'/x')", "/x", b"image-set('\x81\x5c' 1x,'<</x')"),
    (
        "gb18030",
        b"@namespace \x81\x7b'/x';url(/\x81\x30\x81\x30\x81\x5c)",
        "/\x80乗",
        b"@namespace \x81\x7b'/x';url(<</%C2%80%E4%B9%97)",
    ),
    ("euc_jp", b"url(/\xbd\xbd\\62)", "/十b", b"url(<</\xbd\xbdb)"),
]


def expected(text: str) -> bytes:
    return text.replace("«", PROXIED.decode()).encode()


def same_for_every_cut(sheet: bytes, wanted: bytes, encoding: str = "utf-8") -> None:
    assert rewritten(sheet, encoding=encoding) == wanted
    for cut in range(1, len(sheet)):
        assert rewritten(sheet, [cut], encoding) == wanted, (sheet[:cut], sheet[cut:])
    assert rewritten(sheet, range(1, len(sheet)), encoding) == wanted


@pytest.mark.parametrize(("sheet", "wanted"), REWRITTEN)
def test_an_address_is_rewritten(sheet: str, wanted: str) -> None:
    """Wherever the grammar has an address it is found, in any spelling and for every cut; all else stays."""
    same_for_every_cut(sheet.encode(), expected(wanted))


@pytest.mark.parametrize("sheet", STAYS)
def test_what_is_no_address_stays(sheet: str) -> None:
    """Strings, comments, namespaces, void tokens and relative references leave as they came, for every cut."""
    same_for_every_cut(sheet.encode(), sheet.encode())


@pytest.mark.parametrize(("encoding", "sheet", "says", "wanted"), IN_ENCODING)
def test_a_second_half_of_a_character_is_no_backslash(
    encoding: str, sheet: bytes, says: str | None, wanted: bytes
) -> None:
    """Sheets are read in their encoding: 0x5C and 0x40 within a character are neither escape nor at-keyword."""
    same_for_every_cut(sheet, wanted.replace(b"<<", PROXIED), encoding)
    found = [reference.decode(encoding) for reference in asked(sheet, encoding)]
    assert found[-1:] == ([says] if says else [])


@pytest.mark.parametrize("before", [sheet for sheet, _ in REWRITTEN[:-4]] + STAYS[:2] + STAYS[3:16])
@pytest.mark.parametrize("after", [";url(/x)", "}a{b:'/x' url(/x)}"])
def test_one_thing_does_not_spoil_the_next(before: str, after: str) -> None:
    """After each of the cases, as after a blank, the next address is found."""
    assert rewritten((before + after).encode()) == rewritten(before.encode()) + expected(after.replace("(/", "(«/"))


def test_bytes_that_are_no_text_stay() -> None:
    """Bytes that are invalid in the encoding pass, within addresses and without."""
    same_for_every_cut(b"url(/\x83)\x83", b"url(" + PROXIED + b"/\x83)\x83", "cp932")
    same_for_every_cut(b"\xff\xfe{\xc3}url(/\xff\x80)\xe4", b"\xff\xfe{\xc3}url(" + PROXIED + b"/\xff\x80)\xe4")


SHEETS = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)


@given(SHEETS, st.sampled_from(["utf-8", "cp932", "gb18030"]), st.data())
def test_no_cut_makes_a_difference(sheet: str, encoding: str, data: st.DataObject) -> None:
    """Whatever the sheet, and however it is cut, the same comes out."""
    encoded = sheet.encode(encoding, "ignore")
    cuts = data.draw(st.lists(st.integers(0, len(encoded)), max_size=8).map(sorted))
    whole = rewritten(encoded, encoding=encoding)
    assert rewritten(encoded, cuts, encoding) == whole
    assert rewritten(encoded, range(len(encoded)), encoding) == whole


@pytest.mark.parametrize("sheet", ["a{b:", "/* url(", "'content ", "a{b:url(", "@import ", "@media x{", "a:"])
def test_text_flows_at_once(sheet: str) -> None:
    """Nothing is held back of text, comments, strings that are no addresses."""
    rewriter = StylesheetRewriter(Links(PAGE, "/proxy/"))
    assert rewriter.feed(sheet.encode()) == sheet.encode()


def test_only_what_may_yet_turn_out_an_address_is_held_back() -> None:
    """A name, an escape, an address that has begun: no more."""
    rewriter = StylesheetRewriter(Links(PAGE, "/proxy/"))
    assert rewriter.feed(b"a{b:ur") == b"a{b:"
    assert rewriter.feed(b"l(/x") == b"url("
    assert rewriter.feed(b"y)c") == PROXIED + b"/xy)"
    assert rewriter.feed(b" \\7") == b"c "
    assert rewriter.feed(b"/") == b"\\7"


@pytest.mark.parametrize("opening", [b"url(", b"url('", b"@import '", b"image-set('"])
def test_a_long_address_streams_through(opening: bytes) -> None:
    """Past 64 KiB an address is let go unchanged, and never more than that is held; the next one is rewritten."""
    closing = b"" if opening == b"@import '" else b")"
    if b"'" in opening:
        closing = b"'" + closing
    long = b"/" + b"x" * (2 * MAX_URL_BYTES)
    sheet = opening + long + closing + b";url(/x)"
    wanted = opening + long + closing + b";url(" + PROXIED + b"/x)"
    assert rewritten(sheet) == wanted
    rewriter = StylesheetRewriter(Links(PAGE, "/proxy/"))
    out = b""
    for start in range(0, len(sheet), 1000):
        out += rewriter.feed(sheet[start : start + 1000])
        assert len(sheet[: start + 1000]) - len(out) <= MAX_URL_BYTES + 1000
    assert out + rewriter.finish() == wanted


def test_the_longest_address_that_is_rewritten() -> None:
    """64 KiB is still rewritten, in one piece or in many; a byte more is not."""
    for size, prefix in ((MAX_URL_BYTES, PROXIED), (MAX_URL_BYTES + 1, b"")):
        reference = b"/".ljust(size, b"x")
        for cuts in ([], range(0, size, 999)):
            assert rewritten(b"url(" + reference + b")", cuts) == b"url(" + prefix + reference + b")"


HOSTILE = {
    "unclosed url": (b"url(", b"x"),
    "unclosed string": (b"'", b"x"),
    "unclosed comment": (b"/*", b"*"),
    "a long name": (b"", b"u"),
    "a long escaped name": (b"", b"\\75 "),
    "backslashes": (b"", b"\\"),
    "backslashes in a string": (b"'", b"\\"),
    "openings": (b"", b"url("),
    "quotes": (b"", b"'\n"),
    "sets": (b"", b"image-set("),
    "brackets in a set": (b"image-set(", b"(["),
    "imports": (b"", b"@import/*"),
    "at signs": (b"", b"@"),
    "hashes": (b"", b"#"),
    "data": (b"url(data:image/png;base64,", b"QUJD"),
    "blanks": (b"url(", b" "),
    "slashes": (b"", b"/"),
    "comments": (b"@import ", b"/**/"),
    "halves": (b"", b"\x83"),
}


def cpu_seconds(head: bytes, unit: bytes, size: int, piece: int, encoding: str) -> float:
    sheet = head + unit * (size // len(unit))
    rewriter = StylesheetRewriter(Links(PAGE, "/proxy/"), encoding)
    began = time.process_time()
    for start in range(0, len(sheet), piece):
        rewriter.feed(sheet[start : start + piece])
    rewriter.finish()
    return time.process_time() - began


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sheets_take_linear_time(name: str, encoding: str) -> None:
    """Eight times the sheet takes eight times as long, not sixty-four, in small pieces and in large ones."""
    for piece, size in ((16, 128 * 1024), (64 * 1024, 1024 * 1024)):
        small = min(cpu_seconds(*HOSTILE[name], size // 8, piece, encoding) for _ in range(2))
        assert cpu_seconds(*HOSTILE[name], size, piece, encoding) < 24 * small + 0.05


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (r"background:url(/x)", r"background:url(«/x)"),
        (r"background:\75rl('/x');color:red", r"background:\75rl('«/x');color:red"),
        (r"background:url(/x", r"background:url(«/x"),
        (r"background:url(x)", None),
        (r"content:'/x'", None),
        (r"color:rgb(1,2,3)", None),
        ("", None),
    ],
)
def test_the_style_attribute(value: str, wanted: str | None) -> None:
    """A style attribute's value is a sheet without rules; None tells that it stays as it is."""
    assert rewrite_style(value.encode(), Links(PAGE, "/proxy/")) == (expected(wanted) if wanted else None)
