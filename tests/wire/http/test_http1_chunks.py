"""Chunked bodies: what is understood, what is refused, and that no split of the bytes makes a difference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.http import chunked
from app.wire.http.http1 import HttpSyntaxError
from tests.support.http1_cases import BAD_CHUNKS, GOOD_CHUNKS
from tests.support.http1_reading import decode, every_split, one_by_one, split_at
from tests.support.http1_soup import CUTS, EXTENSIONS


@pytest.mark.parametrize("case", GOOD_CHUNKS)
def test_chunks_are_understood(case: str) -> None:
    """A correct chunked body gives its content, and what follows is left alone, however the bytes are split."""
    data, content = GOOD_CHUNKS[case]
    follows = b"GET / HTTP/1.1\r\n"
    for pieces in [[data + follows], one_by_one(data + follows), *every_split(data + follows)]:
        assert decode(pieces) == (content, follows, True)


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_chunks_are_refused(case: str) -> None:
    """A malformed chunked body is refused, however the bytes are split, and never gives more than its first content."""
    data = BAD_CHUNKS[case]
    splits = every_split(data, 1 if len(data) < 200 else len(data) // 50)
    for pieces in [[data], one_by_one(data), *splits]:
        with pytest.raises(HttpSyntaxError):
            decode(pieces)


@pytest.mark.parametrize("case", GOOD_CHUNKS)
def test_chunks_cut_off_are_not_complete(case: str) -> None:
    """No beginning of a chunked body looks like a whole one."""
    data, content = GOOD_CHUNKS[case]
    for end in range(len(data)):
        begun, rest, done = decode([data[:end]])
        assert (done, rest) == (False, b"")
        assert content.startswith(begun)


@pytest.mark.parametrize("size", [1, 100], ids=["of one byte", "of a hundred bytes"])
def test_a_body_is_not_made_of_extensions(size: int) -> None:
    """Chunk lines may have 16 KiB more in all than 16 bytes and twice the content each; whatever the split."""
    line = b"%x;a=" % size
    line += b"b" * (16 + 2 * size + 64 - len(line) - 2) + b"\r\n"  # 64 bytes beyond what is usual
    wordy = line + b"x" * size + b"\r\n"
    allowed = chunked.MAX_CHUNK_EXCESS_BYTES // 64
    for pieces in ([wordy * allowed], one_by_one(wordy * allowed), [wordy] * allowed):
        assert decode(pieces) == (b"x" * size * allowed, b"", False)
    for pieces in ([wordy * (allowed + 1)], one_by_one(wordy * (allowed + 1)), [wordy] * (allowed + 1)):
        with pytest.raises(HttpSyntaxError, match="extension"):
            decode(pieces)


def test_short_chunk_lines_make_up_for_long_ones() -> None:
    """A body of any length may have extensions now and then, and one of single bytes without any may be endless."""
    wordy = b"1;a=" + b"b" * 1000 + b"\r\nx\r\n"
    large = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    assert decode([wordy + large] * 100) == (b"x" * 4097 * 100, b"", False)
    assert decode([b"1\r\nx\r\n" * 50_000]) == (b"x" * 50_000, b"", False)


def test_longest_trailer_is_understood_in_every_split() -> None:
    """A trailer of exactly 8 KiB is accepted, one byte more is not, at once and byte by byte."""
    frame = b"A: \r\n\r\n"
    value = b"x" * (chunked.MAX_TRAILER_BYTES - len(frame))
    for pieces in ([b"0\r\nA: " + value + b"\r\n\r\n"], one_by_one(b"0\r\nA: " + value + b"\r\n\r\n")):
        assert decode(pieces)[2]
    for pieces in ([b"0\r\nA: x" + value + b"\r\n\r\n"], one_by_one(b"0\r\nA: x" + value + b"\r\n\r\n")):
        with pytest.raises(HttpSyntaxError):
            decode(pieces)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), EXTENSIONS), max_size=6), CUTS, st.binary(max_size=20))
def test_chunks_round_trip(chunks: list[tuple[bytes, bytes]], cuts: list[int], follows: bytes) -> None:
    """Whatever is sent in chunks comes out again, in any split."""
    data = b"".join(b"%x%b\r\n%b\r\n" % (len(content), extension, content) for content, extension in chunks)
    pieces = split_at(data + b"0\r\n\r\n" + follows, cuts)
    assert decode(pieces) == (b"".join(content for content, _ in chunks), follows, True)


def test_what_stood_before_a_fault_is_not_lost() -> None:
    """However the bytes are split, the content of whole chunks before the malformed one is told or kept."""
    data = b"3\r\nabc\r\n2\r\nde\r\nzz\r\n"
    for pieces in ([data], one_by_one(data), *every_split(data)):
        decoder = chunked.ChunkedDecoder()
        told: list[bytes] = []
        with pytest.raises(HttpSyntaxError):
            told.extend(map(decoder.feed, pieces))
        assert b"".join([*told, decoder.before_fault]) == b"abcde"
