"""Encodings in which a byte below 0x80 need not be ASCII, turned into ones in which it is, and back byte for byte."""

from __future__ import annotations

import codecs
import re
from typing import Final, Protocol


class Recoding(Protocol):
    """One document's way in and out, both fed in any pieces."""

    encoding: str
    """What the rewriter sees: a Python codec that extends ASCII."""

    def forth(self, data: bytes) -> bytes:
        """From the document to the rewriter."""

    def back(self, data: bytes) -> bytes:
        """From the rewriter to the document."""

    def rest(self) -> bytes:
        """What the end of the document cuts in two; it never reaches the rewriter."""


class _Utf16:
    """UTF-16 as UTF-8; halves of surrogate pairs that stand alone come through."""

    encoding = "utf-8"

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._decoder = codecs.getincrementaldecoder(codec)("surrogatepass")
        self._decoder_back = codecs.getincrementaldecoder("utf-8")("surrogatepass")

    def forth(self, data: bytes) -> bytes:
        return self._decoder.decode(data).encode("utf-8", "surrogatepass")

    def back(self, data: bytes) -> bytes:
        return self._decoder_back.decode(data).encode(self._codec, "surrogatepass")

    def rest(self) -> bytes:
        return self._decoder.getstate()[0]


class _Iso2022Jp:
    """ISO-2022-JP: the bytes of its runs of Japanese are marked by their high bit, which makes them EUC-JP.

    Bytes that have it already, and have no place there, lose it in turn.
    """

    encoding = "euc_jp"

    def __init__(self) -> None:
        self._forth = _Runs()
        self._back = _Runs()

    def forth(self, data: bytes) -> bytes:
        return self._forth.feed(data)

    def back(self, data: bytes) -> bytes:
        return self._back.feed(data)

    def rest(self) -> bytes:
        return self._back.rest + self._forth.rest


class _Runs:
    """Inverts the high bit of the bytes between an escape sequence to Japanese and one to ASCII."""

    _ESCAPE: Final = re.compile(rb"\x1b(?:\([BJI]|\$[@B])")  # Encoding Standard, 12.2.1
    _CUT: Final = re.compile(rb"\x1b[($]?\Z")
    _TO_ASCII: Final = frozenset({b"\x1b(B", b"\x1b(J"})
    _INVERTED: Final = bytes(byte ^ 0x80 if 0x21 <= byte & 0x7F <= 0x7E else byte for byte in range(256))

    def __init__(self) -> None:
        self.rest = b""
        self._in_japanese = False

    def feed(self, data: bytes) -> bytes:
        data = self.rest + data
        cut = self._CUT.search(data, max(0, len(data) - 2))
        end = cut.start() if cut else len(data)
        self.rest = data[end:]
        out: list[bytes] = []
        start = 0
        for escape in self._ESCAPE.finditer(data, 0, end):
            out += self._run(data[start : escape.start()]), escape[0]
            self._in_japanese = escape[0] not in self._TO_ASCII
            start = escape.end()
        out.append(self._run(data[start:end]))
        return b"".join(out)

    def _run(self, data: bytes) -> bytes:
        return data.translate(self._INVERTED) if self._in_japanese else data


def _utf16_le() -> Recoding:
    return _Utf16("utf_16_le")


def _utf16_be() -> Recoding:
    return _Utf16("utf_16_be")


RECODINGS: Final = {"utf_16_le": _utf16_le, "utf_16_be": _utf16_be, "iso2022_jp": _Iso2022Jp}
"""By Python's codec: those that need it."""
