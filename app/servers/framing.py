"""How an application's answer is framed, sent, refused and ended, under any of our servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any, Final
from uuid import uuid4

from gevent import socket

from app.client_gone import ClientGone
from app.waiting import send_at_once
from app.wire.http import http1
from app.wire.http.headers import Headers, find

READ_BYTES: Final = 64 * 1024
LINGER_S: Final = 2.0
LINGER_BYTES: Final = 64 * 1024 * 1024

_NO_BODY: Final = frozenset({"204", "304"})
_RESET_ON_CLOSE = b"\x01\0\0\0\0\0\0\0"
"""SO_LINGER: on, for no time."""


class Response:
    """Frames one answer: by the application's Content-Length, else by chunks, else by the connection's end."""

    __slots__ = (
        "_chunked", "_fields", "_head_only", "_is_http11", "_left", "_sock", "_status", "begun", "keep_alive",
    )  # fmt: skip

    def __init__(self, sock: Any, method: str, *, is_http11: bool, keep_alive: bool) -> None:
        """`keep_alive`: whether the client would have the connection serve another request."""
        self._sock = sock
        self._is_http11 = is_http11
        self._head_only = method == "HEAD"
        self._status = ""
        self._fields: Headers = []
        self._chunked = False
        self._left = -1
        self.begun = False
        self.keep_alive = keep_alive

    def start(self, status: str, fields: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        """PEP 3333's start_response."""
        if exc_info is not None and self.begun:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status = status
        self._fields = fields
        return self.write

    def write(self, piece: bytes) -> None:
        head = b"" if self.begun else self._begin()
        if self._head_only or not piece:
            data = head
        elif self._chunked:
            data = b"%b%x\r\n%b\r\n" % (head, len(piece), piece)
        else:
            data = head + piece if head else piece
        if self._left >= 0 and not self._head_only:
            self._left -= len(piece)
            if self._left < 0:
                raise RuntimeError("the application sends more than its Content-Length")
        if data:
            self.send(data)

    def finish(self) -> None:
        head = b"" if self.begun else self._begin()
        if self._left > 0 and not self._head_only:
            raise RuntimeError("the application sends less than its Content-Length")
        if self._chunked and not self._head_only:
            head += b"0\r\n\r\n"
        if head:
            self.send(head)

    def send_all(self, pieces: Iterable[bytes]) -> None:
        """The whole of an application's answer, which is closed (PEP 3333) whatever befalls it."""
        try:
            for piece in pieces:
                self.write(piece)
                if self._left == 0 and not self._head_only:
                    break  # it is whole; to ask for its end costs an exception
                del piece  # before the next is made, which takes as much memory
            self.finish()
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def send(self, data: bytes) -> None:
        try:
            sent = send_at_once(self._sock, data)
            if sent < len(data):
                self._sock.sendall(memoryview(data)[sent:])
        except OSError:
            raise ClientGone from None

    def fail(self) -> None:
        """The application failed: breaks the answer where it has begun, else says so."""
        if self.begun:
            self.abort()
            return
        refuse(self, "500 Internal Server Error", "internal_error", "the gateway failed; its log says why")
        linger(self._sock)

    def abort(self) -> None:
        """Breaks the body so that nobody takes it for whole."""
        if self.begun and not self._chunked and self._left < 0 and not self._head_only:
            # Only the connection's end would end this body: end it by a reset.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def _begin(self) -> bytes:
        if not self._status:
            raise RuntimeError("the application did not call start_response")
        if self._status.startswith("101"):  # what follows is no HTTP
            self.keep_alive = False
            self.begun = True
            return http1.format_head(f"HTTP/1.1 {self._status}", self._fields)
        fields = list(self._fields)
        length = find(fields, "content-length")
        if length is not None:
            self._left = int(length)
        if find(fields, "date") is None:
            fields.append(("Date", formatdate(usegmt=True)))
        if self._status[:3] in _NO_BODY:
            self._head_only = True
            if self._status.startswith("204"):  # RFC 9110, 8.6
                fields = [field for field in fields if field[0].lower() != "content-length"]
        elif self._left < 0 and not self._head_only:
            self._chunked = self._is_http11
            self.keep_alive = self.keep_alive and self._chunked
            if self._chunked:
                fields.append(("Transfer-Encoding", "chunked"))
        self.keep_alive = self._begins() and self.keep_alive
        if not self.keep_alive:
            fields.append(("Connection", "close"))
        elif not self._is_http11:
            fields.append(("Connection", "keep-alive"))
        head = http1.format_head(f"HTTP/1.1 {self._status}", fields)
        self.begun = True
        return head

    def _begins(self) -> bool:
        """Called when the head is made: whether the connection can serve another request."""
        return False


def refuse(response: Response, status: str, code: str, message: str) -> None:
    """Answers in the gateway's shape what the application never saw, or failed on. `status` as WSGI wants it."""
    request_id = uuid4().hex
    error_type = "gateway_error" if status.startswith("5") else "invalid_request_error"
    error = {"message": message, "type": error_type, "code": code, "request_id": request_id}
    text = '{"error":{' + ",".join(f'"{key}":"{value}"' for key, value in error.items()) + "}}"
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    response.keep_alive = False
    fields += [("X-Gateway-Error", code), ("X-Gateway-Request-Id", request_id), ("X-Request-Id", request_id)]
    response.start(status, fields)
    response.write(text.encode())


def linger(sock: Any) -> None:
    """Reads on for a moment, so that a reset does not destroy the answer before the client has read it."""
    sock.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + LINGER_S
    left = LINGER_BYTES
    while left > 0 and (wait_s := deadline - time.monotonic()) > 0:
        sock.settimeout(wait_s)
        try:
            data = sock.recv(READ_BYTES)
        except TimeoutError:
            return
        if not data:
            return
        left -= len(data)
