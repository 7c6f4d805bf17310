"""The body of an answer, taken out of its framing as it comes; its content stays undecoded."""

from __future__ import annotations

from collections.abc import Callable

from app.core.failures import Failure
from app.core.model import Upstream
from app.proxy.upstream import faults
from app.proxy.upstream.incoming import READ_BYTES, Incoming
from app.waiting import Patience
from app.wire.http1 import CHUNKED, UNTIL_CLOSE, HttpSyntaxError
from app.wire.lenient import LenientChunkedDecoder


class AnswerBody:
    """Bytes by count, by chunks, or until the connection ends."""

    __slots__ = ("_decoder", "_finished", "_incoming", "_left", "_limit", "_upstream", "is_odd")

    def __init__(
        self, incoming: Incoming, upstream: Upstream, length: int, limit: Patience | None, finished: Callable[[], None]
    ) -> None:
        """`length`: bytes (above 0), CHUNKED or UNTIL_CLOSE. `finished` is called once, when all of it was read."""
        self._incoming = incoming
        self._upstream = upstream
        self._limit = limit
        self._finished = finished
        self._decoder = LenientChunkedDecoder() if length == CHUNKED else None
        self._left = length
        self.is_odd = False
        """True when its framing does not keep to the rules."""

    def read1(self, size: int) -> bytes:
        """The next piece, b"" at the end. Raises UpstreamFault when the body breaks, or what was laid down."""
        if self._decoder is not None:
            return self._read_chunked(self._decoder)
        data = self._receive(size)  # and not only what is left: more than that must be seen
        if self._left == UNTIL_CLOSE:
            if not data:
                self._finished()
            return data
        if not data:
            raise faults.failed(self._upstream, Failure.CUT_OFF, "broke off its answer")
        if len(data) > self._left:
            data, self._incoming.buffer = data[: self._left], data[self._left :]
        self._left -= len(data)
        if not self._left:
            self._finished()
        return data

    def read_at_hand(self) -> bytes:
        """What came with the head; does not wait. Raises UpstreamFault."""
        incoming = self._incoming
        if not incoming.buffer:
            return b""
        if self._decoder is None:
            return self.read1(READ_BYTES)
        data, incoming.buffer = incoming.buffer, b""
        return self._decode(self._decoder, data)

    def _read_chunked(self, decoder: LenientChunkedDecoder) -> bytes:
        while True:
            data = self._receive(READ_BYTES)
            if not data:
                raise faults.failed(self._upstream, Failure.CUT_OFF, "broke off its answer")
            content = self._decode(decoder, data)
            if content or decoder.done:
                return content

    def _decode(self, decoder: LenientChunkedDecoder, data: bytes) -> bytes:
        try:
            content = decoder.feed(data)
        except HttpSyntaxError as error:
            raise faults.malformed_answer(self._upstream, error) from None
        if decoder.done:
            self._incoming.buffer = decoder.rest
            self.is_odd = decoder.is_odd
            self._finished()
        return content

    def _receive(self, size: int) -> bytes:
        incoming = self._incoming
        data = incoming.buffer
        if data:
            incoming.buffer = b""
            return data
        try:
            return incoming.receive(size, self._limit)
        except TimeoutError:
            text = f"sent nothing for {self._upstream.limits.idle_timeout:g} s"
            raise faults.failed(self._upstream, Failure.SILENT, text) from None
        except OSError as error:
            raise faults.failed(self._upstream, Failure.CUT_OFF, f"broke off its answer: {error}") from None
