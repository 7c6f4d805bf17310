"""Small forward proxies on loopback that really forward: HTTP (CONNECT and absolute-form) and SOCKS 5, with login."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class ForwardProxy(ABC):
    """What `names` does not hold is not found; addresses are connected to as they are."""

    login: tuple[str, str] | None = None
    """User name and password that it wants."""
    context: ssl.SSLContext | None = None
    """TLS to the proxy itself."""
    names: dict[str, str] = field(default_factory=dict)
    """The addresses of names, which only the proxy knows."""
    refuses: bytes = b""
    """An answer that it gives to every request."""
    asked: list[str] = field(default_factory=list)
    """What it was asked for: request lines, or SOCKS's `address:port`."""

    def __post_init__(self) -> None:
        self._sockets: list[Any] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, scheme: str, login: str = "") -> str:
        return f"{scheme}://{login}{'@' if login else ''}127.0.0.1:{self.port}"

    def close(self) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            threading.Thread(target=self._begin, args=(sock,), daemon=True).start()

    def _begin(self, sock: Any) -> None:
        with contextlib.suppress(OSError), self._secured(sock) as client:
            self._serve(client)

    def _secured(self, sock: Any) -> Any:
        return self.context.wrap_socket(sock, server_side=True) if self.context else sock

    @abstractmethod
    def _serve(self, client: Any) -> None: ...

    def _dial(self, host: str, port: int) -> socket.socket:
        """Raises OSError."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            if host not in self.names:
                raise OSError("no such host") from None
            host = self.names[host]
        sock = socket.create_connection((host, port), timeout=10)
        sock.settimeout(None)
        self._sockets.append(sock)
        return sock


@dataclass
class HttpProxy(ForwardProxy):
    opened: bytes = b"HTTP/1.0 200 Connection established\r\n\r\n"
    """What it answers to CONNECT."""

    def _serve(self, client: Any) -> None:
        with contextlib.ExitStack() as stack:
            self._answer(client, stack)

    def _answer(self, client: Any, stack: contextlib.ExitStack) -> None:
        upstream: socket.socket | None = None
        while head := _read_head(client):
            line, *fields = head.decode("latin-1").split("\r\n")
            self.asked.append(line)
            if self.refuses:
                client.sendall(self.refuses)
                return
            if self.login and f"Proxy-Authorization: Basic {self._credentials()}" not in fields:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                continue
            method, target, version = line.split(" ")
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                try:
                    tunnelled = self._dial(host.strip("[]"), int(port))
                except OSError:
                    client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                    return
                client.sendall(self.opened)
                _join(client, tunnelled)
                return
            url = urlsplit(target)
            if upstream is None:  # one for each connection is all that a test needs
                upstream = stack.enter_context(self._dial(url.hostname or "", url.port or 80))
                threading.Thread(target=_copy, args=(upstream, client), daemon=True).start()
            own = [field for field in fields if not field.lower().startswith("proxy-")]
            request_line = f"{method} {target.partition(url.netloc)[2] or '/'} {version}"
            upstream.sendall("\r\n".join([request_line, *own]).encode("latin-1"))
            lengths = [int(field[15:]) for field in fields if field.lower().startswith("content-length:")]
            upstream.sendall(_read(client, sum(lengths)))

    def _credentials(self) -> str:
        assert self.login is not None
        return base64.b64encode(":".join(self.login).encode()).decode()


class SocksProxy(ForwardProxy):
    unreachable: tuple[str, ...] = ()
    """Addresses that it answers "host unreachable" for."""

    def _serve(self, client: Any) -> None:
        _, count = _read(client, 2)
        ways = _read(client, count)
        if (2 if self.login else 0) not in ways:
            client.sendall(b"\x05\xff")
            return
        client.sendall(b"\x05\x02" if self.login else b"\x05\x00")
        if self.login:
            name = _read(client, _read(client, 2)[1])
            password = _read(client, _read(client, 1)[0])
            right = (name.decode(), password.decode()) == self.login
            client.sendall(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        kind = _read(client, 4)[3]
        if kind == 3:
            host = _read(client, _read(client, 1)[0]).decode()
        else:
            host = str(ipaddress.ip_address(_read(client, 4 if kind == 1 else 16)))
        port = int.from_bytes(_read(client, 2), "big")
        self.asked.append(f"{host}:{port}")
        if self.refuses:
            client.sendall(self.refuses)
            return
        try:
            if host in self.unreachable:
                raise OSError("unreachable")
            upstream = self._dial(host, port)
        except OSError:
            client.sendall(b"\x05\x04\x00\x01\0\0\0\0\0\0")
            return
        client.sendall(b"\x05\x00\x00\x03\x04name\0\0")
        _join(client, upstream)


def _read(sock: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("closed")
        data += piece
    return data


def _read_head(sock: Any) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(1)
        if not piece:
            return b""
        data += piece
    return data


def _join(one: Any, other: Any) -> None:
    thread = threading.Thread(target=_copy, args=(other, one), daemon=True)
    thread.start()
    _copy(one, other)
    thread.join()
    other.close()


def _copy(source: Any, sink: Any) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for sock in (source, sink):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
