"""How `app/server.py` frames an application's answer and sends it."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Protocol

from gevent import socket

from app.client_gone import ClientGone
from app.server_input import RequestInput
from app.waiting import send_at_once
from app.wire import http1
from app.wire.headers import Headers, find
from app.wire.http1 import RequestHead

_NO_BODY = frozenset({"204", "304"})


class Worker(Protocol):
    """The process that answers."""

    stopping: bool
    """True once it keeps no connection any more."""


class Response:
    """Frames one answer: by the application's Content-Length, else by chunks, else by the connection's end."""

    __slots__ = (
        "_chunked", "_fields", "_head_only", "_input", "_left", "_sock", "_status", "_version", "_worker", "begun",
        "keep_alive",
    )  # fmt: skip

    def __init__(self, worker: Worker, sock: Any, head: RequestHead, request_input: RequestInput) -> None:
        self._worker = worker
        self._sock = sock
        self._input = request_input
        self._version = head.version
        self._head_only = head.method == "HEAD"
        self._status = ""
        self._fields: Headers = []
        self._chunked = False
        self._left = -1
        self.begun = False
        self.keep_alive = head.keep_alive

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
            self._send(data)

    def finish(self) -> None:
        head = b"" if self.begun else self._begin()
        if self._left > 0 and not self._head_only:
            raise RuntimeError("the application sends less than its Content-Length")
        if self._chunked and not self._head_only:
            head += b"0\r\n\r\n"
        if head:
            self._send(head)

    def _send(self, data: bytes) -> None:
        try:
            sent = send_at_once(self._sock, data)
            if sent < len(data):
                self._sock.sendall(memoryview(data)[sent:])
        except OSError:
            raise ClientGone from None

    def abort(self) -> None:
        """Breaks the body so that nobody takes it for whole."""
        if self.begun and not self._chunked and self._left < 0 and not self._head_only:
            # Only the connection's end would end this body: end it by a reset.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

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
            self._chunked = self._version == 11
            self.keep_alive = self.keep_alive and self._chunked
            if self._chunked:
                fields.append(("Transfer-Encoding", "chunked"))
        if self.keep_alive and (self._worker.stopping or (not self._input.at_end and self._input.is_outstanding)):
            self.keep_alive = False
        if not self.keep_alive:
            fields.append(("Connection", "close"))
        elif self._version == 10:
            fields.append(("Connection", "keep-alive"))
        head = http1.format_head(f"HTTP/1.1 {self._status}", fields)
        self.begun = True
        self._input.answered = True
        return head
