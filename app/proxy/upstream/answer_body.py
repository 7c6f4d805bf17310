"""The body of an answer, taken out of its framing as it comes; its content stays undecoded."""

from __future__ import annotations

from collections.abc import Callable

from app.core.errors import UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.proxy.upstream import faults
from app.proxy.upstream.incoming import READ_BYTES, Incoming
from app.waiting import Patience
from app.wire.http.http1 import CHUNKED, UNTIL_CLOSE, HttpSyntaxError
from app.wire.http.lenient import LenientChunkedDecoder


class Silence(Exception):
    """Nothing has come for a while, and may come yet: whoever reads may say something, and read on."""


class AnswerBody:
    """Bytes by count, by chunks, or until the connection ends."""

    __slots__ = (
        "_decoder",
        "_fault",
        "_finished",
        "_incoming",
        "_left",
        "_limit",
        "_pause_s",
        "_silent_s",
        "_upstream",
        "is_odd",
    )

    def __init__(
        self, incoming: Incoming, upstream: Upstream, length: int, limit: Patience | None, finished: Callable[[], None]
    ) -> None:
        """`length`: bytes (above 0), CHUNKED or UNTIL_CLOSE. `finished` is called once, when all of it was read."""
        self._incoming = incoming
        self._upstream = upstream
        self._limit = limit
        self._pause_s = 0.0
        self._silent_s = 0.0
        self._finished = finished
        self._decoder = LenientChunkedDecoder() if length == CHUNKED else None
        self._fault: UpstreamFault | None = None
        """What is wrong behind what was given last."""
        self._left = length
        self.is_odd = False
        """True when its framing does not keep to the rules."""

    def tell_silence(self, pause_s: float) -> None:
        """From now on `read1` raises Silence whenever nothing has come for so long, within the idle timeout."""
        if pause_s < self._upstream.limits.idle_timeout:
            self._pause_s = pause_s
            self._limit = self._incoming.connection.patience(pause_s)

    def read1(self, size: int) -> bytes:
        """The next piece, b"" at the end. Raises UpstreamFault when the body breaks, Silence, or what was laid down."""
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
        if self._fault is not None:
            raise self._fault
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
            fault = faults.malformed_answer(self._upstream, error)
            if not decoder.before_fault:
                raise fault from None
            self._fault = fault
            return decoder.before_fault
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
            data = incoming.receive(size, self._limit)
        except TimeoutError:
            self._silent_s += self._pause_s
            if self._pause_s and self._silent_s < self._upstream.limits.idle_timeout:
                raise Silence from None
            text = f"sent nothing for {self._upstream.limits.idle_timeout:g} s"
            raise faults.failed(self._upstream, Failure.SILENT, text) from None
        except OSError as error:
            raise faults.failed(self._upstream, Failure.CUT_OFF, f"broke off its answer: {error}") from None
        self._silent_s = 0.0
        return data
