"""The rest of an API's streamed answer, after it was chosen: it ends with its end marker, or with an error event."""

from __future__ import annotations

from collections.abc import Iterable

from app.core.channels.keys import Key
from app.core.errors import EndedByOperator, GatewayError, UpstreamFault
from app.core.failures import Failure
from app.proxy.relay import LastWords
from app.wire.dialects.dialect import OurError
from app.wire.dialects.observers import MAX_WHOLE_BYTES, Observer


class ApiStage:
    """Changes nothing of what the upstream says, but for our key in an error: it ends what is to be read.

    An event that comes in pieces and may hold the key goes on when it is known whether it is an error.

    The observer has seen what was held, which comes first.
    """

    __slots__ = ("_held_bytes", "_kept", "_key", "_observer", "_request_id")

    def __init__(self, observer: Observer, held_bytes: int, request_id: str, key: Key) -> None:
        self._observer = observer
        self._held_bytes = held_bytes
        self._request_id = request_id
        self._key = key
        self._kept = b""
        """What does not go on yet."""

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """See relay.Stage."""
        if self._held_bytes:
            self._held_bytes = 0
        else:
            self._observer.feed(piece)
        if self._kept or self._observer.is_inside:
            piece, self._kept = self._kept + piece, b""
            if self._observer.is_inside and len(piece) <= MAX_WHOLE_BYTES and self._key.may_stand_in(piece):
                self._kept = piece
                return ()
        return (piece,) if not self._observer.error else (self._key.masked_bytes(piece),)

    def idle(self) -> bytes:
        """See relay.Stage."""
        return self._observer.comment()

    def finish(self) -> bytes:
        """See relay.Stage."""
        observer = self._observer
        observer.finish()
        if not observer.is_ended and not observer.error:
            text = "the upstream ended its answer without saying that it is whole"
            raise UpstreamFault(Failure.NO_END_MARKER, text)
        return self._kept if not observer.error else self._key.masked_bytes(self._kept)

    def fail(self, error: GatewayError) -> LastWords | None:
        """See relay.Stage."""
        observer = self._observer
        words = observer.last_words(self._told(error))
        if words is None:
            return None
        return LastWords(self._key.masked_bytes(self._kept, is_cut=True) + words, observer.dialect.ends_cleanly)

    def _told(self, error: GatewayError) -> OurError:
        is_final = isinstance(error, EndedByOperator)
        return OurError(error.status, error.code, error.message, self._request_id, is_final=is_final)
