"""The body on its way to the client. `close()` is the one exit, where every request that got an answer is settled."""

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
        "_settle",
        "_watch",
        "at_hand",
        "error_code",
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
        if not piece:
            raise StopIteration
        self.sent_bytes += len(piece)
        return piece

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._watch is not None:
            self._watch.stop()
        if not self._exchange.is_complete:
            self.error_code = self.error_code or CLIENT_GONE
            self._exchange.close()
        self._settle(self)
