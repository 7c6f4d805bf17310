"""The body on its way to the client.

A request is settled once, before the last piece of its answer leaves: whoever has read a whole answer finds it counted,
even if this process is killed the moment after. What does not come so far is settled by `close()`, the one exit.

What looks at a body, or changes it, is a stage. A body without stages passes at no cost.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol

from app.client_gone import ClientGone
from app.core.errors import GatewayError
from app.core.statistics.events import CLIENT_GONE
from app.proxy.client_watch import ClientWatch
from app.proxy.upstream.answer_body import Silence
from app.proxy.upstream.exchange import Exchange

log = logging.getLogger(__name__)


class LastWords(NamedTuple):
    """What ends a body that broke."""

    data: bytes
    ends_cleanly: bool
    """True: behind them the body ends in order. False: it breaks."""


class Stage(Protocol):
    """Takes a body's pieces as they come and gives what goes on. May raise GatewayError, which breaks the body."""

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """What goes on of a piece, that is never empty; asked for one after the other, so it may be made lazily."""

    def idle(self) -> bytes:
        """What may be said while nothing comes (`Exchange.tell_silence`); empty for nothing."""

    def finish(self) -> bytes:
        """What goes on at the body's end."""

    def fail(self, error: GatewayError) -> LastWords | None:
        """What is still said when the body breaks. None: nothing, it breaks visibly."""


class Relay:
    """A WSGI body. A class and not a generator: one that was never started would not run its `finally`.

    An empty first piece means that nothing is at hand yet; a WSGI server sends the head then, and should.
    When the upstream breaks, `__next__` raises, so that the server breaks the client's body visibly too.
    """

    __slots__ = (
        "_begun",
        "_closed",
        "_exchange",
        "_is_settled",
        "_pieces",
        "_settle",
        "_stages",
        "_waiting",
        "_watch",
        "at_hand",
        "error_code",
        "fault",
        "sent_bytes",
        "status",
    )

    def __init__(
        self, exchange: Exchange, at_hand: bytes, watch: ClientWatch | None, settle: Callable[[Relay], None]
    ) -> None:
        self._exchange = exchange
        self.at_hand = at_hand
        """What of the body came with the head; it is the first piece."""
        self._watch = watch
        self._settle = settle
        self._begun = False
        self._closed = False
        self._is_settled = False
        self._stages: tuple[Stage, ...] = ()
        self._pieces: Iterator[bytes] | None = None
        """What comes out of the stages; None where there are none."""
        self._waiting: bytes | None = None
        """A piece of those that was asked for ahead."""
        self.sent_bytes = 0
        self.error_code = ""
        self.fault: GatewayError | None = None
        """Why the body broke."""
        self.status = 0
        """What the client is told instead of the upstream's status; 0 for that."""

    def pass_through(self, *stages: Stage) -> None:
        """Leads the body through `stages`, one after the other; what is at hand passes them at once.

        For before the first piece, while an error can still be told in words. Raises GatewayError, and is closed then.
        """
        pieces = self._received()
        for stage in stages:
            pieces = _passed(pieces, stage)
        self._stages = stages
        try:
            first = next(pieces)
        except GatewayError as error:
            self.status, self.error_code = error.status, error.code
            self.close()
            raise
        except BaseException:  # a client that has gone, too: nobody else knows of this body yet
            self.close()
            raise
        self._pieces = chain((first,), pieces)

    def __iter__(self) -> Relay:
        return self

    def __next__(self) -> bytes:
        try:
            piece = self._next() if self._pieces is None else self._next_passed(self._pieces)
        except ClientGone:
            self.error_code = CLIENT_GONE
            raise
        except GatewayError as error:
            piece = self._broken(error)
        if piece is None:
            self._settle_once()
            raise StopIteration
        self.sent_bytes += len(piece)
        if piece and self._exchange.is_complete and self._waiting is None:
            self._settle_once()
        return piece

    def _next(self) -> bytes | None:
        """None at the end; raised here, the StopIteration would cost its traceback twice."""
        exchange = self._exchange
        if not self._begun:
            self._begun = True
            if self.at_hand or not exchange.is_complete:
                return self.at_hand
        return exchange.read1() or None

    # --- with stages ---

    def _received(self) -> Iterator[bytes]:
        yield self.at_hand
        while True:
            try:
                piece = self._exchange.read1()
            except Silence:
                yield b""
                continue
            if not piece:
                return
            yield piece

    def _next_passed(self, pieces: Iterator[bytes]) -> bytes | None:
        piece, self._waiting = self._waiting, None
        if piece is None:
            piece = next(pieces, None)
        if piece and self._exchange.is_complete:  # nobody is waited for any more: is this piece the last?
            try:
                self._waiting = next(pieces, None)
            except GatewayError as error:
                self._pieces, self._waiting = _raising(error), b""  # when its turn comes
        return piece

    def _broken(self, error: GatewayError) -> bytes:
        """What the client gets when the body breaks: what a stage still says, or a visible break."""
        self.error_code = error.code
        self.fault = error
        log.warning("%s in the body: %s", error.code, error.message)
        said = [words for stage in self._stages if (words := stage.fail(error)) is not None]
        if not said:
            # What WSGI servers take for a connection that is gone: they close it and say no more.
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        self._exchange.close()
        ends_cleanly = all(words.ends_cleanly for words in said)
        self._pieces, self._waiting = iter(()) if ends_cleanly else _breaking(error), None
        return b"".join([words.data for words in said])

    # --- the end ---

    def _settle_once(self) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._settle(self)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._watch is not None:
            self._watch.stop()
        if not self._exchange.is_complete:
            self.error_code = self.error_code or CLIENT_GONE
            self._exchange.close()
        self._settle_once()


def _passed(pieces: Iterator[bytes], stage: Stage) -> Iterator[bytes]:
    """What comes out of a stage. The first piece is empty where nothing of what is at hand goes on yet."""
    is_first = True
    for piece in pieces:
        if not piece and not is_first:
            yield stage.idle()
            continue
        for passed in stage.feed(piece) if piece else ():
            if passed:
                is_first = False
                yield passed
        if is_first:
            is_first = False
            yield b""
    last = stage.finish()
    if last:
        yield last


def _breaking(error: GatewayError) -> Iterator[bytes]:
    raise ConnectionResetError(errno.ECONNRESET, error.message)
    yield  # which makes it an iterator


def _raising(error: GatewayError) -> Iterator[bytes]:
    raise error
    yield  # which makes it an iterator
