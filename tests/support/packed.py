"""A body in each coding that is undone here, packed so that what has come can be read after each piece."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli

from tests.support.compression import zstd


def _gzipped(pieces: list[bytes]) -> list[bytes]:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return [*(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces), packer.flush()]


def _brotlied(pieces: list[bytes]) -> list[bytes]:
    packer = brotli.Compressor()
    return [*(packer.process(piece) + packer.flush() for piece in pieces), packer.finish()]


def _zstded(pieces: list[bytes]) -> list[bytes]:
    packer = zstd.ZstdCompressor()
    packed = [packer.compress(piece, mode=packer.FLUSH_BLOCK) for piece in pieces]
    return [*packed, packer.flush(mode=packer.FLUSH_FRAME)]


PACKERS: dict[str, Callable[[list[bytes]], list[bytes]]] = {"gzip": _gzipped, "br": _brotlied, "zstd": _zstded}
"""By the name of the coding: pieces of a body → pieces of its coding, one more for its end."""


def bomb(size: int) -> bytes:
    """Few bytes of gzip that stand for so many."""
    return gzip.compress(bytes(size))
