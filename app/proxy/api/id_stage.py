"""Looks into an answer for the ids that it gives, while it passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from app.core.errors import GatewayError
from app.proxy.relay import LastWords
from app.wire.given_ids import MAX_ID_BYTES, MAX_IDS, given_ids

_MAX_BYTES: Final = 1024 * 1024
"""So much of an answer is looked at."""


class IdStage:
    """Changes nothing. Who asks next for what an answer gave may do so before its last byte."""

    __slots__ = ("_gave", "_given", "_left_bytes", "_tail")

    def __init__(self, gave: Callable[[list[str]], None]) -> None:
        self._gave = gave
        self._tail = b""
        self._left_bytes = _MAX_BYTES
        self._given: set[str] = set()

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """See relay.Stage."""
        if self._left_bytes > 0 and len(self._given) < MAX_IDS:
            self._left_bytes -= len(piece)
            text = self._tail + piece
            ids = [id for id in given_ids(text) if id not in self._given]  # one may stand in the tail, too
            self._given.update(ids)
            self._tail = text[-MAX_ID_BYTES:]
            if ids:
                self._gave(ids)
        return (piece,)

    def idle(self) -> bytes:
        """See relay.Stage."""
        return b""

    def finish(self) -> bytes:
        """See relay.Stage."""
        return b""

    def fail(self, error: GatewayError) -> LastWords | None:
        """See relay.Stage."""
        return None
