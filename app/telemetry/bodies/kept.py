"""The bodies of one call, copied at the door while they pass, up to a bound: what the client sent, and what it got.

Nothing is changed, held back or waited for. Pieces are kept as they pass and looked at when all is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from app.core.channels.keys import Key
from app.wire.http.headers import Headers

MOST_BYTES: Final = 64 * 1024
"""Of either body."""
MARGIN_BYTES: Final = 8 * 1024
"""So much more is copied: a secret at the bound is seen whole, and so masked. As long as keys may be."""


class Reader(Protocol):
    """What of a `proxy.messages.BodyReader` is needed here."""

    length: int

    def read1(self, size: int) -> bytes: ...

    @property
    def at_end(self) -> bool: ...


class Keeper(Protocol):
    """Whoever makes of them what is kept."""

    def keep(self, bodies: KeptBodies) -> None:
        """The call is over. Waits for nobody, never fails."""


class Copied:
    """The beginning of one body."""

    __slots__ = ("bytes", "headers", "pieces")

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.pieces: list[bytes] = []
        self.bytes = 0
        """Of the whole body, as far as it came."""

    def take(self, piece: bytes) -> None:
        room = MOST_BYTES + MARGIN_BYTES - self.bytes
        self.bytes += len(piece)
        if room > 0 and piece:
            self.pieces.append(piece[:room])


class KeptBodies:
    """Of one call."""

    def __init__(self, request_id: str, headers: Headers, secrets: Iterable[str], keeper: Keeper) -> None:
        """`secrets`: the caller's, which stand nowhere in what is kept."""
        self.request_id = request_id
        self.request = Copied(headers)
        self.answer = Copied([])
        self.secrets = set(secrets)
        self._keeper = keeper

    def passing(self, reader: Reader) -> Reader:
        """The request's body, copied while it is read."""
        return _Reader(reader, self.request.take)

    def passed_on(self, headers: Headers, body: Iterable[bytes]) -> Iterable[bytes]:
        """The answer's body, copied while it is sent; what is kept is kept when it is closed."""
        self.answer.headers = headers
        return _Body(body, self)

    def hide(self, key: Key) -> None:
        """A key of a channel that was tried."""
        self.secrets.add(key.secret)

    def end(self) -> None:
        self._keeper.keep(self)


class _Reader:
    """See proxy.messages.BodyReader."""

    def __init__(self, reader: Reader, take: Callable[[bytes], None]) -> None:
        self.length = reader.length
        self._reader = reader
        self._take = take

    @property
    def at_end(self) -> bool:
        return self._reader.at_end

    def read1(self, size: int) -> bytes:
        """As proxy.messages.BodyReader.read1."""
        piece = self._reader.read1(size)
        self._take(piece)
        return piece


class _Body:
    """A WSGI body."""

    def __init__(self, body: Iterable[bytes], bodies: KeptBodies) -> None:
        self._body = body
        self._pieces: Iterator[bytes] = iter(body)
        self._bodies = bodies
        self._is_closed = False

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self._bodies.answer.take(piece)
        return piece

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._bodies.end()
