"""Content codings undone: every format, every cut, and what neither memory nor time are spent on."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.http.codings import MAX_PIECE_BYTES, CodingError, decoder_for
from tests.support.compression import zstd

TEXT = b"<p>Twenty-one</p>\n" * 7
MEGABYTE = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def zstd_with_window(data: bytes, log: int) -> bytes:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return compressor.compress(data) + compressor.flush()


def undone(coding: str, body: bytes, cuts: Iterable[int] = ()) -> bytes:
    """The body, fed in the pieces that end at `cuts`."""
    decoder = decoder_for(coding)
    assert decoder is not None
    edges = [0, *cuts, len(body)]
    out = b"".join(b"".join(decoder.feed(body[start:end])) for start, end in pairwise(edges))
    decoder.finish()
    return out


SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"  # RFC 8878, 3.1.2

BODIES: dict[str, tuple[str, bytes, bytes]] = {
    "gzip": ("gzip", gzip.compress(TEXT), TEXT),
    "x-gzip": ("X-GZip", gzip.compress(TEXT), TEXT),
    "several members": ("gzip", gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(b"more"), TEXT + b"more"),
    "zeros behind a gzip": ("gzip", gzip.compress(TEXT) + b"\0" * 9, TEXT),
    "rubbish behind a gzip": ("gzip", gzip.compress(TEXT) + b"\x1f rubbish", TEXT),
    "half a magic number behind a gzip": ("gzip", gzip.compress(TEXT) + b"\x1f", TEXT),
    "zlib": ("deflate", zlib.compress(TEXT), TEXT),
    "zlib, stored": ("deflate", zlib.compress(TEXT, 0), TEXT),
    "raw deflate": ("deflate", raw_deflate(TEXT), TEXT),
    "raw deflate of nothing": ("deflate", raw_deflate(b""), b""),
    "rubbish behind a deflate": ("deflate", zlib.compress(TEXT) + b"rubbish", TEXT),
    "brotli": ("br", brotli.compress(TEXT), TEXT),
    "zstd": ("zstd", zstd.compress(TEXT), TEXT),
    "zstd frames": ("zstd", zstd.compress(TEXT) + SKIPPABLE + zstd.compress(b"more"), TEXT + b"more"),
    "zstd with the largest window": ("zstd", zstd_with_window(TEXT, 23), TEXT),
    "two codings": ("gzip, br", brotli.compress(gzip.compress(TEXT)), TEXT),
    "three codings": ("br,identity , zstd,deflate", zlib.compress(zstd.compress(brotli.compress(TEXT))), TEXT),
    "identity": ("identity", TEXT, TEXT),
    "none": ("", TEXT, TEXT),
    "no bytes": ("gzip", b"", b""),
    "what is no coding": ("utf-8", TEXT, TEXT),
    "none at all, in words": ("none, binary", TEXT, TEXT),
    "a coding beside none": ("gzip, utf-8", gzip.compress(TEXT), TEXT),
    "gzip said and plain sent": ("gzip", TEXT, TEXT),
    "gzip said twice and once done": ("gzip, gzip", gzip.compress(TEXT), TEXT),
    "zstd said and plain sent": ("zstd", TEXT, TEXT),
    "one plain byte": ("gzip", b"<", b"<"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_undone(name: str) -> None:
    """Every coding, and lists of them, in any pieces."""
    coding, body, text = BODIES[name]
    assert undone(coding, body) == text
    assert undone(coding, body, range(1, len(body))) == text
    for cut in range(1, len(body)):
        assert undone(coding, body, [cut]) == text


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": raw_deflate,
    "br": lambda data: brotli.compress(data, quality=3),
    "zstd": zstd.compress,
}


@given(st.sampled_from(sorted(COMPRESSORS)), st.binary(max_size=500), st.integers(1, 2000), st.data())
def test_what_was_coded_comes_back(coding: str, unit: bytes, times: int, data: st.DataObject) -> None:
    """Bodies of any size and content come back whole from pieces of any size."""
    body = COMPRESSORS[coding](unit * times)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    assert undone(coding, body, cuts) == unit * times


@pytest.mark.parametrize("coding", ["gzip, compress", "X-Compress", "dcb", "aes128gcm", "gzip, br, gzip, br"])
def test_a_coding_that_cannot_be_undone_is_left_to_the_caller(coding: str) -> None:
    """What is registered and not undone here, or piled up beyond reason, has no decoder."""
    assert decoder_for(coding) is None


WHOLE = ["gzip", "zlib", "zlib, stored", "raw deflate", "brotli", "zstd", "two codings", "three codings"]


@pytest.mark.parametrize("name", WHOLE)
def test_a_body_that_ends_too_early_is_told(name: str) -> None:
    """A body cut off anywhere is an error, not an end."""
    coding, body, _ = BODIES[name]
    for length in range(1, len(body)):
        with pytest.raises(CodingError):
            undone(coding, body[:length])


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_second_member_that_ends_too_early_is_told(coding: str) -> None:
    """What begins as another member must also end as one."""
    body = COMPRESSORS[coding](TEXT)
    with pytest.raises(CodingError):
        undone(coding, body + body[:-1])


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("deflate", b"<!doctype html><p>Plain text"),
        ("br", b"<!doctype html><p>Plain text"),
        ("deflate", b"\xff" * 40),
        ("br", b"\xff" * 40),
        ("gzip", b"\x1f\x8b" + b"\xff" * 40),
        ("zstd", b"\x28\xb5\x2f\xfd" + b"\xff" * 40),
    ],
)
def test_a_body_in_another_format_is_told(coding: str, body: bytes) -> None:
    """What is not in the format that it is said to be in, and begins as if it were, is an error."""
    with pytest.raises(CodingError):
        undone(coding, body)


@pytest.mark.parametrize("name", WHOLE[:6])
def test_a_damaged_body_is_told_or_harmless(name: str) -> None:
    """A flipped bit raises nothing but CodingError."""
    coding, body, _ = BODIES[name]
    for place in range(len(body)):
        damaged = bytearray(body)
        damaged[place] ^= 0x10
        try:
            undone(coding, bytes(damaged))
        except CodingError:
            pass


def test_a_zstd_window_beyond_what_browsers_take_is_refused() -> None:
    """RFC 9659: no more than 8 MB of window, which is memory."""
    with pytest.raises(CodingError):
        undone("zstd", zstd_with_window(TEXT, 24))


def flushed_gzip() -> list[bytes]:
    compressor = zlib.compressobj(wbits=31)
    return [compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in (b"one", b"two", b"three")]


def flushed_brotli() -> list[bytes]:
    compressor = brotli.Compressor()
    return [compressor.process(piece) + compressor.flush() for piece in (b"one", b"two", b"three")]


def flushed_zstd() -> list[bytes]:
    compressor = zstd.ZstdCompressor()
    return [compressor.compress(piece, compressor.FLUSH_BLOCK) for piece in (b"one", b"two", b"three")]


@pytest.mark.parametrize(
    ("coding", "pieces"), [("gzip", flushed_gzip()), ("br", flushed_brotli()), ("zstd", flushed_zstd())]
)
def test_what_the_sender_flushes_comes_at_once(coding: str, pieces: list[bytes]) -> None:
    """A page that is sent bit by bit is shown bit by bit."""
    decoder = decoder_for(coding)
    assert decoder is not None
    assert [b"".join(decoder.feed(piece)) for piece in pieces] == [b"one", b"two", b"three"]
    with pytest.raises(CodingError):
        decoder.finish()


def run_off(coding: str, body: bytes, max_bytes: int = 128 * MEGABYTE) -> int:
    """How many bytes come of the body, all of it fed at once. Raises CodingError."""
    decoder = decoder_for(coding, max_bytes)
    assert decoder is not None
    total = 0
    for piece in decoder.feed(body):
        assert 0 < len(piece) <= MAX_PIECE_BYTES
        total += len(piece)
    decoder.finish()
    return total


@pytest.mark.soak
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_page_of_a_hundred_megabytes_passes_in_pieces(coding: str) -> None:
    """However well it was compressed, and without ever standing in memory."""
    body = COMPRESSORS[coding](b"\0" * (100 * MEGABYTE))
    tracemalloc.start()
    try:
        assert run_off(coding, body) == 100 * MEGABYTE
        assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_cut_off(coding: str) -> None:
    """Beyond `max_bytes` no more than 50 times the body's size comes of it."""
    body = COMPRESSORS[coding](b"\0" * (9 * MEGABYTE))
    assert run_off(coding, body, 9 * MEGABYTE) == 9 * MEGABYTE
    with pytest.raises(CodingError, match="expands"):
        run_off(coding, body, 8 * MEGABYTE)


def test_a_bomb_within_a_coding_is_cut_off() -> None:
    """What expands in the first step and vanishes in the second is work, too."""
    empty = gzip.compress(b"") * 40_000
    with pytest.raises(CodingError, match="expands"):
        run_off("gzip, zstd", zstd.compress(empty), MEGABYTE // 2)


def test_a_large_page_passes_the_bound_if_it_is_no_bomb() -> None:
    """The bound grows with what comes over the wire."""
    body = b"".join(b"<a href='/%x'>%d</a>\n" % (number * 7919, number) for number in range(100_000))
    assert run_off("gzip", gzip.compress(body), 1000) == len(body)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_piece_of_a_bomb_takes_little_time(coding: str) -> None:
    """Between two pieces no more is done than for a piece, even when the body came in one."""
    decoder = decoder_for(coding)
    assert decoder is not None
    pieces = decoder.feed(COMPRESSORS[coding](b"\0" * (20 * MEGABYTE)))
    longest, began = 0.0, time.thread_time()
    for _ in pieces:
        longest = max(longest, time.thread_time() - began)
        began = time.thread_time()
    assert longest < 0.05
