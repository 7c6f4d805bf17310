"""The body on its way to the client.

A request is settled once, before the last piece of its answer leaves: whoever has read a whole answer finds it counted,
even if this process is killed the moment after. What does not come so far is settled by `close()`, the one exit.

What looks at a body, or changes it, is a stage. A body without stages passes at no cost.
"""

from __future__ import annotations

import errno
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from app.client_gone import CallEnded, ClientGone
from app.core.errors import EndedByOperator, GatewayError
from app.core.statistics.events import CLIENT_GONE, ENDED_BY_OPERATOR
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
        "_passage",
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
        self._passage: Passage | None = None
        """Through the stages; None where there are none."""
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
        passage: Passage = _Received(self._exchange, self.at_hand)
        for stage in stages:
            passage = _Through(stage, passage)
        self._stages = stages
        try:
            self._waiting = passage.next()
        except GatewayError as error:
            self.status, self.error_code = error.status, error.code
            self.close()
            raise
        except CallEnded:
            ended = EndedByOperator()
            self.status, self.error_code = ended.status, ended.code
            self.close()
            raise ended from None
        except BaseException:  # a client that has gone, too: nobody else knows of this body yet
            self.close()
            raise
        self._passage = passage

    def __iter__(self) -> Relay:
        return self

    def __next__(self) -> bytes:
        try:
            piece = self._next() if self._passage is None else self._next_passed(self._passage)
        except ClientGone:
            self.error_code = CLIENT_GONE
            raise
        except CallEnded:
            piece = self._broken(EndedByOperator())
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

    def _next_passed(self, passage: Passage) -> bytes | None:
        piece, self._waiting = self._waiting, None
        if piece is None:
            piece = passage.next()
        if piece and self._exchange.is_complete:  # nobody is waited for any more: is this piece the last?
            try:
                self._waiting = passage.next()
            except GatewayError as error:
                self._passage, self._waiting = _End(error), b""  # when its turn comes
        return piece

    def _broken(self, error: GatewayError) -> bytes:
        """What the client gets when the body breaks: what a stage still says, or a visible break."""
        self.error_code = error.code
        self.fault = error
        if error.code != ENDED_BY_OPERATOR:
            log.warning("%s in the body: %s", error.code, error.message)
        said = [words for stage in self._stages if (words := stage.fail(error)) is not None]
        if not said:
            # What WSGI servers take for a connection that is gone: they close it and say no more.
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        self._exchange.close()
        ends_cleanly = all(words.ends_cleanly for words in said)
        self._passage = _End(None if ends_cleanly else ConnectionResetError(errno.ECONNRESET, error.message))
        self._waiting = None
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


class Passage(ABC):
    """Where a body's pieces come from. Plain calls, as each event of a stream takes them: generators cost much more."""

    @abstractmethod
    def next(self) -> bytes | None:
        """The next piece; an empty one where nothing is at hand, None at the end. Raises what breaks the body."""


class _Received(Passage):
    """As the upstream sends them."""

    def __init__(self, exchange: Exchange, at_hand: bytes) -> None:
        self._exchange = exchange
        self._at_hand: bytes | None = at_hand

    def next(self) -> bytes | None:
        first, self._at_hand = self._at_hand, None
        if first is not None:
            return first
        try:
            return self._exchange.read1() or None
        except Silence:
            return b""


class _Through(Passage):
    """As they come out of a stage. The first is empty where nothing of what is at hand goes on yet."""

    def __init__(self, stage: Stage, before: Passage) -> None:
        self._stage = stage
        self._before = before
        self._made: Iterator[bytes] | None = None
        """What the stage makes of one piece, of which more may come."""
        self._is_first = True
        self._is_ended = False

    def next(self) -> bytes | None:
        while not self._is_ended:
            piece = self._next_made() if self._made is not None else self._begin()
            if piece is not None:
                self._is_first = False
                return piece
        return None

    def _begin(self) -> bytes | None:
        """Feeds the stage. None where it gives nothing yet, or all has ended."""
        piece = self._before.next()
        if piece is None:
            self._is_ended = True
            return self._stage.finish() or None
        if not piece:
            return b"" if self._is_first else self._stage.idle()
        made = self._stage.feed(piece)
        if isinstance(made, tuple) and len(made) == 1:
            return made[0] or self._nothing()
        self._made = iter(made)
        return None

    def _next_made(self) -> bytes | None:
        assert self._made is not None  # noqa: S101 - asked for only then
        piece = next(self._made, None)
        if piece is None:
            self._made = None
            return self._nothing()
        return piece or None

    def _nothing(self) -> bytes | None:
        return b"" if self._is_first else None


class _End(Passage):
    """Nothing more comes, or what breaks the body."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def next(self) -> bytes | None:
        if self._error is not None:
            raise self._error
        return None
