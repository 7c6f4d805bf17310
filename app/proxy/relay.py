"""The body on its way to the client.

A request is settled once, before the last piece of its answer leaves: whoever has read a whole answer finds it counted,
even if this process is killed the moment after. What does not come so far is settled by `close()`, the one exit.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable

from app.client_gone import ClientGone
from app.core.errors import GatewayError
from app.core.events import CLIENT_GONE
from app.proxy.client_watch import ClientWatch
from app.proxy.upstream.exchange import Exchange

log = logging.getLogger(__name__)


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
        "_settle",
        "_watch",
        "at_hand",
        "error_code",
        "is_rewritten",
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
        self.is_rewritten = False
        """True when another body takes from this one: that one knows which piece is its last, and settles."""
        self.sent_bytes = 0
        self.error_code = ""
        self.status = 0
        """What the client is told instead of the upstream's status; 0 for that."""

    def __iter__(self) -> Relay:
        return self

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            self.sent_bytes = len(self.at_hand)
            if self._exchange.is_complete:
                self._end()
            if self.at_hand or not self._exchange.is_complete:
                return self.at_hand
        if self._exchange.is_complete:
            raise StopIteration
        try:
            piece = self._exchange.read1()
        except ClientGone:
            self.error_code = CLIENT_GONE
            raise
        except GatewayError as error:
            self.error_code = error.code
            log.warning("%s in the body: %s", error.code, error.message)
            # What WSGI servers take for a connection that is gone: they close it and say no more.
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        self.sent_bytes += len(piece)
        if self._exchange.is_complete:
            self._end()
        if not piece:
            raise StopIteration
        return piece

    def _end(self) -> None:
        if not self.is_rewritten:
            self.settle()

    def settle(self) -> None:
        """Tells of the request, the first time."""
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
        self.settle()
