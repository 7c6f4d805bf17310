"""What of a request the kernel does not take at once: sent by a greenlet of its own.

So nobody waits for an upstream to take a body while its answer may be there already: one that refuses a long body
answers early and reads no further.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import gevent

from app.proxy.messages import RequestBody
from app.wire.http.http1 import CHUNKED

PIECE_BYTES: Final = 64 * 1024
"""So much is sent at once. Each piece has the idle timeout to itself, so that a slow way is no silent one."""


class Upload:
    """Sends the rest of a request; `ended` is told at the end, with the exception that ended it early or None."""

    __slots__ = ("_body", "_ended", "_greenlet", "_sock", "_unsent", "is_whole", "sent_bytes")

    def __init__(
        self, sock: Any, unsent: bytes, body: RequestBody, ended: Callable[[BaseException | None], None]
    ) -> None:
        """`unsent`: what of the first write is left, before what `body` has beyond its first piece."""
        self._sock = sock
        self._unsent = unsent
        self._body = body
        self._ended = ended
        self.is_whole = False
        """True when all was sent."""
        self.sent_bytes = 0
        """Of the body, behind its first piece."""
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            if self._unsent:
                self._sock.sendall(self._unsent)
            self._send_rest()
        except (gevent.GreenletExit, Exception) as fault:
            self._ended(fault)
        else:
            self.is_whole = True
            self._ended(None)

    def _send_rest(self) -> None:
        body = self._body
        for start in range(PIECE_BYTES, len(body.at_hand), PIECE_BYTES):
            self._send(body.at_hand[start : start + PIECE_BYTES])
        if body.read_more is not None:
            while data := body.read_more(PIECE_BYTES):
                self._send(data)
        if body.length == CHUNKED and not is_short(body):
            self._sock.sendall(b"0\r\n\r\n")

    def _send(self, data: bytes) -> None:
        self._sock.sendall(framed(data, self._body.length))
        self.sent_bytes += len(data)

    def stop(self) -> None:
        """Returns when it has stopped: the client's socket, from which it may read, is then free again."""
        if self._greenlet is not gevent.getcurrent():
            self._greenlet.kill(timeout=1.0)


def framed(data: bytes, length: int) -> bytes:
    """A piece of a body as it stands on the wire; `length` is the body's, or CHUNKED."""
    return b"%x\r\n%b\r\n" % (len(data), data) if length == CHUNKED else data


def first_piece(body: RequestBody) -> bytes:
    """What of the body goes out together with the head; for a short one that is at hand all of it."""
    piece = body.at_hand[:PIECE_BYTES]
    if body.length != CHUNKED:
        return piece
    data = framed(piece, CHUNKED) if piece else b""
    return data + b"0\r\n\r\n" if is_short(body) else data


def is_short(body: RequestBody) -> bool:
    """True when `first_piece` is all of it."""
    return body.read_more is None and len(body.at_hand) <= PIECE_BYTES
