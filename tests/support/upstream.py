"""A scripted upstream: a function that holds the raw socket serves each connection, so a test decides every byte."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Seen:
    """One request as it stood on the wire."""

    head: bytes
    body: bytes = b""
    connection: int = 0

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def fields(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines]

    def field(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)


class Peer:
    """The upstream's end of one connection."""

    def __init__(self, sock: socket.socket, number: int, upstream: Upstream) -> None:
        self.sock = sock
        self.number = number
        self.upstream = upstream
        self._buffer = b""

    def read_head(self) -> Seen | None:
        """The next request's head; None when the gateway has closed."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        seen = Seen(head + b"\r\n\r\n", connection=self.number)
        self.upstream.seen.append(seen)
        return seen

    def read_request(self) -> Seen | None:
        """The next request with its whole body."""
        seen = self.read_head()
        if seen is None:
            return None
        if seen.field("transfer-encoding") == "chunked":
            seen.body = self._read_chunked()
        else:
            seen.body = self._read_exactly(int(seen.field("content-length") or 0))
        return seen

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(
        self, body: bytes = b"{}", status: str = "200 OK", fields: str = "Content-Type: application/json\r\n"
    ) -> None:
        self.send(f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def begin_stream(self, fields: str = "Content-Type: text/event-stream\r\n") -> None:
        self.send(f"HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n".encode())

    def send_chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Closes with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def wait_closed(self, timeout_s: float = 5.0) -> float:
        """Seconds until the gateway closed its end. Raises TimeoutError."""
        started = time.monotonic()
        self.sock.settimeout(timeout_s)
        try:
            while self._receive():
                pass
        except TimeoutError:
            raise TimeoutError(f"the gateway has not closed within {timeout_s} s") from None
        except OSError:
            pass
        return time.monotonic() - started

    def _receive(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._receive():
                raise ConnectionError("the gateway closed in the middle of a body")
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def _read_chunked(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._buffer:
                if not self._receive():
                    raise ConnectionError("the gateway closed in the middle of a body")
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            size = int(line, 16)
            body += self._read_exactly(size + 2)[:size]
            if size == 0:
                return body


Handler = Callable[[Peer], None]


def echo(peer: Peer) -> None:
    """Answers each request with what it saw, as JSON."""
    while (seen := peer.read_request()) is not None:
        told = {"line": seen.line, "fields": seen.fields, "body": seen.body.decode("latin-1")}
        body = json.dumps(told).encode()
        peer.answer(b"" if seen.line.startswith("HEAD") else body)


@dataclass
class Upstream:
    """Listens on loopback; `handler` serves each connection in a thread of its own and may be changed at any time."""

    handler: Handler = echo
    seen: list[Seen] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock, self.connections, self.handler), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int, handler: Handler) -> None:
        with sock:
            try:
                handler(Peer(sock, number, self))
            except (ConnectionError, TimeoutError) as error:
                self.failures.append(error)
            except Exception:
                if not self._closed:
                    raise

    def close(self) -> None:
        """Also what it has open: a connection that the gateway keeps must not serve whoever gets the port next."""
        self._closed = True
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def saying(data: bytes, *, then_close: bool = False) -> Handler:
    """Answers the first connection's request with these bytes; later connections with a whole answer."""

    def handler(peer: Peer) -> None:
        while peer.read_request() is not None:
            if peer.number > 1:
                peer.answer(b"another")
                continue
            peer.send(data)
            if then_close:
                return

    return handler


def leaving_times(upstream: Upstream, act: Callable[[Peer], None]) -> list[float]:
    """Moments at which the upstream saw its connection closed, after `act` was done."""
    closed_at: list[float] = []

    def handler(peer: Peer) -> None:
        act(peer)
        try:
            peer.wait_closed()
        finally:
            closed_at.append(time.monotonic())

    upstream.handler = handler
    return closed_at
