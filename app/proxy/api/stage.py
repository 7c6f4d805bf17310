"""The rest of an API's streamed answer, after it was chosen: it ends with its end marker, or with an error event."""

from __future__ import annotations

from collections.abc import Iterable

from app.core.channels.keys import Key
from app.core.errors import EndedByOperator, GatewayError, UpstreamFault
from app.core.failures import Failure
from app.proxy.relay import LastWords
from app.wire.dialects.dialect import OurError
from app.wire.dialects.observers import Observer


class ApiStage:
    """Changes nothing of what the upstream says, but for our key in an error: it ends what is to be read.

    The observer has seen what was held, which comes first.
    """

    __slots__ = ("_held_bytes", "_key", "_observer", "_request_id")

    def __init__(self, observer: Observer, held_bytes: int, request_id: str, key: Key) -> None:
        self._observer = observer
        self._held_bytes = held_bytes
        self._request_id = request_id
        self._key = key

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """See relay.Stage."""
        if self._held_bytes:
            self._held_bytes = 0
        else:
            self._observer.feed(piece)
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
        return b""

    def fail(self, error: GatewayError) -> LastWords | None:
        """See relay.Stage."""
        observer = self._observer
        words = observer.last_words(self._told(error))
        return None if words is None else LastWords(words, observer.dialect.ends_cleanly)

    def _told(self, error: GatewayError) -> OurError:
        is_final = isinstance(error, EndedByOperator)
        return OurError(error.status, error.code, error.message, self._request_id, is_final=is_final)
