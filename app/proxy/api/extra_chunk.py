"""Takes the chunk out of a stream that the gateway asked for and its client did not (`openai_include_usage`)."""

from __future__ import annotations

from collections.abc import Iterable

from app.core.errors import GatewayError
from app.proxy.relay import LastWords
from app.wire.usage.extra_chunk import ExtraChunk


class ExtraChunkStage:
    """Stands behind what reads the usage."""

    __slots__ = ("_extra",)

    def __init__(self) -> None:
        self._extra = ExtraChunk()

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """See relay.Stage."""
        passed = self._extra.without(piece)
        return (passed,) if passed else ()

    def idle(self) -> bytes:
        """See relay.Stage."""
        return b""

    def finish(self) -> bytes:
        """See relay.Stage."""
        return self._extra.rest()

    def fail(self, error: GatewayError) -> LastWords | None:
        """See relay.Stage."""
        return None
