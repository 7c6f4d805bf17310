"""A request's body as `app/servers/gunicorn_worker.py` gives it to the application: `wsgi.input`, read as it comes."""

from __future__ import annotations

from copy import copy
from typing import Any, Protocol

from app.client_gone import ClientGone
from app.servers.framing import READ_BYTES
from app.wire.http.chunked import ChunkedDecoder
from app.wire.http.http1 import CHUNKED, HttpSyntaxError


class Incoming(Protocol):
    """Where a request's bytes come from."""

    sock: Any
    buffer: bytes
    """What was read from `sock` and not taken yet; what stays behind a body is the next request."""


class RequestInput:
    """A request's body as `wsgi.input`."""

    __slots__ = ("_connection", "_decoder", "_expects_continue", "_left", "answered", "at_end", "failed", "length")

    def __init__(self, connection: Incoming, length: int, *, expects_continue: bool) -> None:
        self.length = length
        """Bytes, or CHUNKED."""
        self.at_end = length == 0
        self.failed = False
        self.answered = False
        """True once the answer has begun: nothing else may be said then, nor the client asked to go on."""
        self._connection = connection
        self._left = length
        self._decoder = ChunkedDecoder() if length == CHUNKED else None
        self._expects_continue = expects_continue and not connection.buffer  # else the client did not wait

    def read1(self, size: int = READ_BYTES) -> bytes:
        """What has come, at most `size` bytes, b"" at the end. Raises ClientGone and HttpSyntaxError."""
        while not self.at_end:
            data = self._connection.buffer
            if data:
                self._connection.buffer = b""
            else:
                data = self._receive(size)
            content = self._take(data, size)
            if content:
                return content
        return b""

    def _receive(self, size: int) -> bytes:
        try:
            if self._expects_continue and not self.answered:
                self._expects_continue = False
                self._connection.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            data: bytes = self._connection.sock.recv(size)
        except OSError:
            data = b""
        if not data:
            self.failed = True
            raise ClientGone
        return data

    def _take(self, data: bytes, size: int) -> bytes:
        if self._decoder is None:
            take = min(size, self._left)
            content, rest = (data, b"") if len(data) <= take else (data[:take], data[take:])
            self._left -= len(content)
            self.at_end = self._left == 0
            self._connection.buffer = rest
            return content
        rest = b""
        if len(data) > size:
            data, rest = data[:size], data[size:]
        try:
            content = self._decoder.feed(data)
        except HttpSyntaxError:
            self.failed = True
            raise
        if self._decoder.done:
            self.at_end = True
            rest = self._decoder.rest + rest
        self._connection.buffer = rest
        return content

    @property
    def is_outstanding(self) -> bool:
        """True while a part of the body has not come."""
        at_hand = self._connection.buffer
        if self.at_end or not at_hand:
            return not self.at_end
        if self._decoder is None:
            return len(at_hand) < self._left
        probe = copy(self._decoder)
        try:
            probe.feed(at_hand)
        except HttpSyntaxError:
            return True
        return not probe.done

    def skip(self) -> bool:
        """Passes over what is left of the body if it is at hand already. True when the next request can follow."""
        if self._expects_continue and not self.at_end:
            return False
        try:
            while not self.at_end and self._connection.buffer:
                data, self._connection.buffer = self._connection.buffer, b""
                self._take(data, READ_BYTES)
        except HttpSyntaxError:
            return False
        return self.at_end

    def detach(self) -> bytes:
        """What came behind the request. For an application that answers 101 and reads the client's socket itself."""
        unread, self._connection.buffer = self._connection.buffer, b""
        return unread

    def read(self, size: int = -1) -> bytes:
        pieces = []
        while size != 0 and (piece := self.read1(size if size > 0 else READ_BYTES)):
            pieces.append(piece)
            size -= len(piece) if size > 0 else 0
        return b"".join(pieces)

    def readline(self, size: int = -1) -> bytes:
        line = bytearray()
        while len(line) != size and not line.endswith(b"\n") and (byte := self.read(1)):
            line += byte
        return bytes(line)

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> RequestInput:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line
