"""Waits on gevent's sockets without making a timer for each, and without asking the kernel before there is an answer.

A wait is the most frequent thing that a gateway does. gevent's own `recv` first tries, fails and raises, then makes,
starts and destroys a Timeout; on a small request that is a tenth of all its cost. Here the timer is made once.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

import gevent
from gevent import socket
from gevent.ssl import SSLSocket, SSLWantReadError, SSLWantWriteError

TURN_S: Final = 0.002
"""After so long others have their turn. No step takes longer than that by much."""
_TLS: Final = SSLSocket
"""What a TLS connection's socket is. Asked by `is`: isinstance looks for hooks of the type first."""


class Patience:
    """A limit of so many seconds for one wait after the other, of one greenlet at a time."""

    __slots__ = ("_timer", "seconds", "too_long")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.too_long: TimeoutError | None = None
        """What is thrown at its end: no timeout of the socket's own."""
        self._timer = gevent.get_hub().loop.timer(seconds, repeat=seconds)

    def receive(self, sock: Any, size: int) -> bytes:
        """Like `sock.recv(size)`. Raises TimeoutError when nothing has come in time, and OSError."""
        self._timer.again(self._end, gevent.getcurrent())
        try:
            return receive(sock, size, self)
        finally:
            self._timer.stop()
            self.too_long = None

    def _end(self, waiting: Any) -> None:
        self.too_long = TimeoutError(f"nothing came within {self.seconds:g} s")
        waiting.throw(self.too_long)


def receive(sock: Any, size: int, patience: Patience | None = None) -> bytes:
    """Waits until something comes, however long that takes; the socket's own timeout is for its writes only."""
    if type(sock) is _TLS:
        return _receive_tls(sock, size, patience)
    while True:
        sock.hub.wait(sock._read_event)
        try:
            data: bytes = sock._sock.recv(size)
            return data
        except BlockingIOError:
            continue  # woken for nothing


def _receive_tls(sock: Any, size: int, patience: Patience | None) -> bytes:
    while True:
        try:
            data: bytes = sock.recv(size)  # bytes may wait in the TLS layer, where no wait on the socket would see them
            return data
        except TimeoutError as timeout:
            if patience is not None and timeout is patience.too_long:
                raise


def give_way() -> None:
    """Lets others run, also those for whom something has just come from the kernel.

    gevent's `sleep(0)` does not look there before it has been called fifty times.
    """
    hub = gevent.get_hub()
    hub.wait(hub.loop.timer(0))


class Turns:
    """Lets others run every few milliseconds while long work is done in steps."""

    def __init__(self) -> None:
        self._began_s = perf_counter()

    def passed(self) -> None:
        """A step is done."""
        if perf_counter() - self._began_s > TURN_S:
            give_way()
            self._began_s = perf_counter()


def send_at_once(sock: Any, data: bytes) -> int:
    """Sends what the kernel takes without a wait, mostly all; returns how much. Raises OSError.

    gevent's `sendall` would first ask for the size of the kernel's buffer.
    """
    if type(sock) is _TLS:
        try:
            return int(sock._sslobj.write(data))
        except (SSLWantReadError, SSLWantWriteError):
            return 0  # OpenSSL holds the beginning; who sends on must begin with the same bytes
    try:
        sent: int = sock._sock.send(data)
        return sent
    except BlockingIOError:
        return 0


def peek(sock: Any) -> bytes | None:
    """One byte of what waits in the kernel, which stays there; b"" at the stream's end, None while nothing has come.

    Not for TLS, where what waits may be no content.
    """
    try:
        waiting: bytes = sock._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return waiting
    except BlockingIOError:
        return None
    except OSError:
        return b""


def wake_reader(sock: Any) -> None:
    """Ends a connection for whoever reads from it or writes to it."""
    try:
        # Not SSLSocket.shutdown, which would take the TLS object from under a reader.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass  # it is shut already, so its reader is awake
