"""An answer that is held until it is known to be good: nothing of it has reached the client until then."""

from __future__ import annotations

from app.core.judging.outcome import Flaw
from app.proxy.upstream.exchange import Exchange
from app.wire.dialects.observers import Observer


class HeldAnswer:
    """The beginning of an answer, or all of it, and what is wrong with it."""

    __slots__ = ("_exchange", "_observer", "_pieces", "flaw", "size_bytes")

    def __init__(self, exchange: Exchange, observer: Observer) -> None:
        self._exchange = exchange
        self._observer = observer
        self._pieces: list[bytes] = []
        self.size_bytes = 0
        self.flaw: Flaw | None = None

    def read(self, max_bytes: int, *, empty_is_error: bool) -> None:
        """Reads until the answer has useful content, is whole, has a flaw or is too long to be held.

        Raises UpstreamFault when it breaks.
        """
        observer = self._observer
        piece = self._exchange.read_at_hand()
        while True:
            if piece:
                self._pieces.append(piece)
                self.size_bytes += len(piece)
                observer.feed(piece)
            if self._exchange.is_complete:
                observer.finish()
                self.flaw = self._flaw_of_the_whole(empty_is_error)
                return
            self.flaw = self._flaw_so_far()
            if self.flaw is not None or observer.is_useful or self.size_bytes > max_bytes:
                return
            piece = self._exchange.read1()

    def _flaw_so_far(self) -> Flaw | None:
        if self._observer.error:
            return Flaw.SOFT_ERROR
        return Flaw.MALFORMED if self._observer.is_malformed else None

    def _flaw_of_the_whole(self, empty_is_error: bool) -> Flaw | None:
        observer = self._observer
        if observer.is_empty:
            return Flaw.EMPTY
        if observer.is_html:
            return Flaw.HTML
        flaw = self._flaw_so_far()
        if flaw is None and observer.is_stream and not observer.is_ended:
            return Flaw.TRUNCATED
        if flaw is None and empty_is_error and observer.stopped_by_itself and not observer.is_useful:
            return Flaw.NOTHING_SAID
        return flaw

    def taken(self) -> bytes:
        """What was held, once."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_bounded(exchange: Exchange, max_bytes: int) -> bytes:
    """A whole body, or its beginning where it is longer. Raises UpstreamFault."""
    pieces = [exchange.read_at_hand()]
    size = len(pieces[0])
    while size < max_bytes and (piece := exchange.read1()):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
