"""What an upstream sends on a connection while it answers one request."""

from __future__ import annotations

from typing import Final

from app.proxy.upstream.pool import Connection
from app.waiting import Patience, give_way, receive, wake_reader

READ_BYTES: Final = 64 * 1024
BULK_BYTES: Final = 16 * 1024
YIELD_BYTES: Final = 1024 * 1024
"""So much of one body is passed on before other requests get their turn, although neither side has to be waited for."""


class Incoming:
    """The bytes as they come; what was read and not taken yet stands in `buffer`.

    Whoever ends the exchange from elsewhere (a timer, the uploader, the other side of a tunnel) lays down why and shuts
    the socket: its reader wakes up and raises that. No greenlet is ever interrupted where it does not expect it.
    """

    # One is made for every request, and most change little of this: so it stands in the class.
    buffer = b""
    fault: BaseException | None = None
    is_bulk = False
    """True while so much comes that more may be there already, so that asking beats waiting."""
    _unyielded = 0

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def receive(self, size: int, limit: Patience | None) -> bytes:
        """What comes next, b"" at the end. Raises what was laid down, TimeoutError and OSError.

        Without a limit somebody else must know when it has been too long.
        """
        connection = self.connection
        try:
            if self.is_bulk and not connection.is_tls:
                data = self._receive_at_once(size)
                if data is not None:
                    return data
            data = limit.receive(connection.sock, size) if limit is not None else receive(connection.sock, size)
        except OSError:
            if self.fault is not None:
                raise self.fault from None
            raise
        if self.fault is not None:
            raise self.fault
        self.is_bulk = len(data) >= BULK_BYTES
        return data

    def _receive_at_once(self, size: int) -> bytes | None:
        """What is there already; None when that is nothing."""
        try:
            data: bytes = self.connection.sock._sock.recv(size)
        except BlockingIOError:
            return None
        if self.fault is not None:
            raise self.fault
        self._unyielded += len(data)
        if self._unyielded >= YIELD_BYTES:
            self._unyielded = 0
            give_way()
        return data

    def break_off(self, fault: BaseException) -> None:
        """Lays down why nothing more is to be read, and wakes the reader."""
        self.fault = fault
        wake_reader(self.connection.sock)
