"""Content codings undone while the body streams (RFC 9110, 8.4): gzip, deflate, br, zstd.

A body can stand for a thousand times its size. So it is undone in pieces, which bounds the memory, and up to a bound,
which bounds the work: `max_bytes` in any case, and beyond that MAX_RATIO times what came over the wire.
Text seldom shrinks to less than a thirtieth, so a real page passes at any size; a bomb of 10 MB ends at 128 MB when it
comes in small pieces, at 500 MB when it comes in one.
The libraries for br and zstd are imported with the first body that is coded so; many processes never see one.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final, Protocol

from app.wire.http.headers import tokens

MAX_PIECE_BYTES: Final = 64 * 1024
MAX_BYTES: Final = 128 * 1024 * 1024
MAX_RATIO: Final = 50
MAX_CODINGS: Final = 3
"""One upon another; who needs more is up to no good."""
_INPUT_BYTES: Final = 16 * 1024
"""Fed to a decoder at once: some copy what they have not yet used with every piece that they give."""
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
"""Behind a byte from 0x50 to 0x5F."""
_ZSTD_WINDOW_LOG: Final = 23
"""8 MB, what RFC 9659 allows a sender."""


class CodingError(ValueError):
    """The body is no valid instance of its coding, ends too early, or expands beyond bounds."""


class Decoder:
    """The codings of one body, undone one after the other."""

    def __init__(self, stages: list[_Stage], max_bytes: int) -> None:
        self._stages = stages
        self._max_bytes = max_bytes
        self._received = 0
        self._given = [0] * len(stages)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes of the body stand for, in pieces of at most MAX_PIECE_BYTES, none of them empty.

        To be used up before the next call. Raises CodingError.
        """
        self._received += len(data)
        pieces: Iterable[bytes] = _slices(data, _INPUT_BYTES if self._stages else MAX_PIECE_BYTES)
        for number in range(len(self._stages)):
            pieces = self._undo(number, pieces)
        return iter(pieces)

    def finish(self) -> None:
        """Raises CodingError when the body ended too early. A body of no bytes is none, and right."""
        if self._received and not all(stage.complete for stage in self._stages):
            raise CodingError("the body ends too early")

    def _undo(self, number: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
        allowed = max(self._max_bytes, MAX_RATIO * self._received)
        for data in pieces:
            for piece in self._stages[number].decode(data):
                self._given[number] += len(piece)
                if self._given[number] > allowed:
                    raise CodingError(f"the body expands to more than {allowed} bytes")
                yield from _slices(piece, MAX_PIECE_BYTES)


def is_undone(coding: str) -> bool:
    """True for the name of a coding that a Decoder undoes."""
    return coding.strip().lower() in _STAGES


def decoder_for(content_encoding: str, max_bytes: int = MAX_BYTES) -> Decoder | None:
    """A Decoder for the value of a `Content-Encoding`, or None when it names a coding that is not undone here.

    What is no coding at all, such as `utf-8` or `none`, is passed over, as browsers do.
    """
    codings = [coding for coding in tokens(content_encoding) if coding in _STAGES or coding in _NOT_UNDONE]
    if len(codings) > MAX_CODINGS or not _NOT_UNDONE.isdisjoint(codings):
        return None
    return Decoder([_STAGES[coding]() for coding in reversed(codings)], max_bytes)


class _Stage(Protocol):
    @property
    def complete(self) -> bool:
        """Whether the body may end here."""

    def decode(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    """Any number of members (RFC 1952, 2.2); what follows them and is none is passed over, as browsers do.

    A body that does not begin as a member was never coded, and is given as it is, as Chromium does.
    """

    def __init__(self) -> None:
        self._plain = False
        self._member: zlib._Decompress | None = None
        self._between = b""
        self._members = 0
        self._ignoring = False

    @property
    def complete(self) -> bool:
        return self._plain or (self._member is None and self._members > 0)

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._plain:
            yield data
            return
        while data and not self._ignoring:
            if self._member is None:
                data = self._between + data
                if len(data) < 2 and data == b"\x1f":
                    self._between = data
                    return
                self._between = b""
                if not data.startswith(_GZIP_MAGIC):
                    self._ignoring = self._members > 0
                    self._plain = not self._ignoring
                    if self._plain:
                        yield data
                    return
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield from _inflate(self._member, data)
            if not self._member.eof:
                return
            data = self._member.unused_data
            self._members += 1
            self._member = None


class _Deflate:
    """As the RFC has it, in zlib's format, or bare, as some send it and all browsers take it (RFC 9110, 8.4.1.2)."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._begun = b""

    @property
    def complete(self) -> bool:
        return self._stream is not None and self._stream.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            self._begun = data = self._begun + data
            if len(data) < 2:
                return
            # RFC 1950, 2.2: method 8 and a window of at most 32 KiB; as a number of 16 bits, a multiple of 31.
            wrapped = data[0] & 0x0F == 8 and data[0] >> 4 <= 7 and (data[0] << 8 | data[1]) % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        if not self._stream.eof:
            yield from _inflate(self._stream, data)


def _inflate(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    while True:
        try:
            piece = stream.decompress(data, MAX_PIECE_BYTES)
        except zlib.error as error:
            raise CodingError(f"not deflated: {error}") from error
        if piece:
            yield piece
        data = stream.unconsumed_tail
        if stream.eof or (not data and len(piece) < MAX_PIECE_BYTES):
            return


class _Brotli:
    """RFC 7932; windows go up to 16 MB."""

    def __init__(self) -> None:
        import brotli

        self._stream = brotli.Decompressor()
        self._error: type[Exception] = brotli.error

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        while not self._stream.is_finished():
            try:
                piece: bytes = self._stream.process(data, output_buffer_limit=MAX_PIECE_BYTES)
            except self._error as error:
                raise CodingError(f"no brotli: {error}") from error
            data = b""
            if piece:
                yield piece
            elif self._stream.can_accept_more_data():
                return


class _Zstd:
    """Any number of frames (RFC 8878, 3.1). A body that does not begin as one was never coded, as with gzip."""

    def __init__(self) -> None:
        self._begun: bytes | None = b""
        self._plain = False
        self._library = zstd_library()
        self._frame = self._new_frame()
        self._inside = False
        self._frames = 0

    @property
    def complete(self) -> bool:
        return self._plain or (not self._inside and self._frames > 0)

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._begun is not None:
            data = self._begun + data
            if len(data) < len(_ZSTD_MAGIC) and _may_begin_zstd(data):
                self._begun = data
                return
            self._begun = None
            self._plain = not _may_begin_zstd(data)
        if self._plain:
            yield data
            return
        while data or (self._inside and not self._frame.needs_input):
            self._inside = True
            try:
                piece = self._frame.decompress(data, MAX_PIECE_BYTES)
            except self._library.ZstdError as error:
                raise CodingError(f"no zstd: {error}") from error
            if piece:
                yield piece
            data = b""
            if self._frame.eof:
                data = self._frame.unused_data
                self._frame = self._new_frame()
                self._frames += 1
                self._inside = False

    def _new_frame(self) -> Any:
        options = {self._library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        return self._library.ZstdDecompressor(options=options)


def zstd_library() -> ModuleType:
    """Python's own zstd, or where it has none yet the same from elsewhere."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _may_begin_zstd(data: bytes) -> bool:
    """True for the magic number of a frame or of a skippable one (RFC 8878, 3.1.1 and 3.1.2), as far as it has come."""
    head = data[: len(_ZSTD_MAGIC)]
    is_skippable = head[0] & 0xF0 == 0x50 and _ZSTD_SKIPPABLE.startswith(head[1:])
    return is_skippable or _ZSTD_MAGIC.startswith(head)


_STAGES: Final[dict[str, type[_Gzip | _Deflate | _Brotli | _Zstd]]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
_NOT_UNDONE: Final = frozenset("aes128gcm compress dcb dcz exi pack200-gzip x-compress".split())
"""The other codings that are registered (RFC 9110, 16.6.1)."""


def _slices(data: bytes, size: int) -> Iterable[bytes]:
    if len(data) <= size:
        return (data,) if data else ()
    return (data[start : start + size] for start in range(0, len(data), size))
