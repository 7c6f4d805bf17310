"""One client's connection: its requests are read, given to the application and answered in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from logging import Logger
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

import gevent
from gevent import socket

from app.servers.body import RequestInput
from app.servers.framing import LINGER_S, READ_BYTES, Response, linger, refuse
from app.waiting import Patience, peek, wake_reader
from app.wire.http import http1
from app.wire.http.headers import MAX_KNOWN_NAME_BYTES, MAX_KNOWN_NAMES, Headers
from app.wire.http.http1 import HttpSyntaxError, RequestHead

LAST_REQUEST_S = 1.0
"""How long a worker that stops waits for one more request of a client that may be just about to send it."""

_REASONS = {400: "Bad Request", 414: "URI Too Long", 417: "Expectation Failed"}
_REASONS |= {431: "Request Header Fields Too Large", 505: "HTTP Version Not Supported"}


class Worker(Protocol):
    """The process that serves."""

    cfg: Any
    """gunicorn's settings."""
    log: Logger
    wsgi: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
    base_environ: dict[str, Any]
    """What the environ of every request holds."""
    head_timeout_s: float
    client_timeout_s: float
    stopping: bool
    """True once it keeps no connection any more."""
    idle: set[ClientConnection]
    """The connections that wait for a request."""


class KeptResponse(Response):
    """An answer behind which its connection may serve another request."""

    __slots__ = ("_input", "_worker")

    def __init__(self, worker: Worker, sock: Any, head: RequestHead, request_input: RequestInput) -> None:
        super().__init__(sock, head.method, is_http11=head.version == 11, keep_alive=head.keep_alive)
        self._worker = worker
        self._input = request_input

    def finish(self) -> None:
        if self._input.failed:
            self.keep_alive = False
        super().finish()

    def _begins(self) -> bool:
        self._input.answered = True
        return not self._worker.stopping and (self._input.at_end or not self._input.is_outstanding)


class ClientConnection:
    """One client's connection: requests one after the other, each answered before the next is read."""

    __slots__ = ("_base_environ", "_patience", "buffer", "sock", "worker")

    def __init__(self, worker: Worker, sock: Any, address: Any) -> None:
        self.worker = worker
        self.sock = sock
        self._patience = Patience(max(0.001, worker.cfg.keepalive))
        self.buffer = b""
        self._base_environ = worker.base_environ | _address_environ(sock, address) | {"gunicorn.socket": sock}
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(worker.client_timeout_s)

    def serve(self) -> None:
        while True:
            try:
                head = self._read_head()
            except HttpSyntaxError as error:
                self._refuse(error)
                return
            if head is None:
                return
            if not self._answer(head):
                return

    def stop_waiting(self) -> None:
        """Ends a connection that waits for a request, because the worker stops. What has come already is answered."""
        if not peek(self.sock):
            wake_reader(self.sock)

    # --- reading ---

    def _read_head(self) -> RequestHead | None:
        """The next request's head; None when the client has nothing more to ask."""
        if not self.buffer and not self._wait_for_request():
            return None
        line_skipped = False
        searched = 0
        deadline = None
        while True:
            if not line_skipped and self.buffer.startswith(b"\r\n"):
                line_skipped = True  # RFC 9112, 2.2: some clients send one too many after a body
                self.buffer = self.buffer[2:]
                searched = 0
                if not self.buffer and not self._wait_for_request():
                    return None
            end = http1.find_head_end(self.buffer, searched)
            if end >= 0:
                break
            searched = len(self.buffer)
            deadline = deadline or time.monotonic() + self.worker.head_timeout_s
            data = self._receive_before(deadline)
            if not data:
                return None
            self.buffer += data
        block, self.buffer = self.buffer[:end], self.buffer[end:]
        return http1.parse_request_head(block)

    def _wait_for_request(self) -> bool:
        patience = self._patience
        if self.worker.stopping:
            patience = Patience(LAST_REQUEST_S)  # the last answer may not have said that it is the last
        self.worker.idle.add(self)
        try:
            self.buffer = patience.receive(self.sock, READ_BYTES)
        except OSError:
            return False
        finally:
            self.worker.idle.discard(self)
        return bool(self.buffer)

    def _receive_before(self, deadline: float) -> bytes:
        self.sock.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data: bytes = self.sock.recv(READ_BYTES)
        except TimeoutError:
            return b""
        finally:
            self.sock.settimeout(self.worker.client_timeout_s)
        return data

    # --- answering ---

    def _answer(self, head: RequestHead) -> bool:
        """Runs the application. True when the connection may serve another request."""
        body = RequestInput(self, head.body_length, expects_continue=head.expects_continue)
        response = KeptResponse(self.worker, self.sock, head, body)
        try:
            response.send_all(self.worker.wsgi(self._environ(head, body), response.start))
        except (gevent.GreenletExit, ConnectionError):
            response.abort()
            return False
        except Exception:
            self.worker.log.exception("the application failed on a %s", head.method)  # a path may hold a key
            response.fail()
            return False
        if response.keep_alive and (body.at_end or body.skip()):
            return True
        if not body.at_end:
            linger(self.sock)
        return False

    def _refuse(self, error: HttpSyntaxError) -> None:
        """Answers what is no request, and closes."""
        self.sock.settimeout(LINGER_S)
        response = Response(self.sock, "", is_http11=True, keep_alive=False)
        refuse(response, f"{error.status} {_REASONS[error.status]}", "bad_request", str(error))
        linger(self.sock)

    def _environ(self, head: RequestHead, body: RequestInput) -> dict[str, Any]:
        path, _, query = head.target.partition("?")
        fields = {_ENVIRON_NAMES[name]: value for name, value in head.headers}
        if len(fields) < len(head.headers):
            fields = _joined_fields(head.headers)
        environ = self._base_environ.copy()
        environ.update(fields)
        environ["REQUEST_METHOD"] = head.method
        environ["RAW_URI"] = head.target
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
        environ["QUERY_STRING"] = query
        environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.version == 11 else "HTTP/1.0"
        environ["gateway.headers"] = head.headers
        environ["wsgi.input"] = body
        return environ


def _address_environ(sock: Any, address: Any) -> dict[str, str]:
    if not isinstance(address, tuple):
        return {"REMOTE_ADDR": "", "REMOTE_PORT": "", "SERVER_NAME": "localhost", "SERVER_PORT": ""}
    server = sock.getsockname()
    return {
        "REMOTE_ADDR": str(address[0]),
        "REMOTE_PORT": str(address[1]),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
    }


class _EnvironNames(dict[str, str]):
    """The environ's name of each field name seen so far: clients use few."""

    def __missing__(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        if "_" in name:
            key = f"INVALID_{key}"  # `X_Y` must not pass for `X-Y`, which a proxy before us may have set
        elif key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        if len(name) <= MAX_KNOWN_NAME_BYTES:
            if len(self) >= MAX_KNOWN_NAMES:
                self.clear()
            self[name] = key
        return key


_ENVIRON_NAMES: Final = _EnvironNames()


def _joined_fields(fields: Headers) -> dict[str, str]:
    """The environ of fields some of which are repeated."""
    environ: dict[str, str] = {}
    for name, value in fields:
        key = _ENVIRON_NAMES[name]
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    return environ
