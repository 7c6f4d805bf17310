"""Under uWSGI (`deploy/uwsgi.ini`): gives the application what our gunicorn worker class gives it, as far as uWSGI can.

uWSGI keeps the processes, accepts connections and parses heads. The answer is written here, on the client's socket:

- uWSGI frames no body, and one whose making failed ends like a whole one. Here it breaks visibly.
- A greenlet that waits inside uWSGI's C cannot be interrupted, and the client watch interrupts the one it guards.
  Thrown out of there, it leaves a watcher behind that ends the whole process once uWSGI has closed the socket.
- uWSGI's `read(n)` waits for all n bytes. Here it is asked only for what has come.

Each connection serves one request, so nothing that follows a request can be taken for another.
It needs uWSGI's `http-socket`: on its other sockets lies another protocol, or TLS. It knows nothing of the gateway.
"""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from fcntl import ioctl
from functools import partial
from termios import FIONREAD
from typing import Any

import gevent
from gevent import socket

from app.client_gone import ClientGone
from app.servers.framing import READ_BYTES, Response, linger, refuse
from app.waiting import peek
from app.wire.http.http1 import CHUNKED, HttpSyntaxError

log = logging.getLogger(__name__)

_BYTES_RECEIVED = struct.Struct("=128xQ")
"""tcpi_bytes_received in Linux's struct tcp_info."""
_NAME = re.compile(r"HTTP_[!#$%&'*+\-.^_`|~0-9A-Z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_WORDS = re.compile(r"[\x21-\x7e\x80-\xff]+ [\x21-\x7e\x80-\xff]+")
_OTHER_SOCKETS = frozenset(
    "socket uwsgi-socket http http11-socket https https-socket fastcgi-socket scgi-socket".split()
)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


def end_at_a_stop() -> None:
    """While the application is made. uWSGI tells of it once, before it listens to signals itself, and Python would
    throw it into whichever greenlet runs.
    """
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(0))


class UwsgiServer:
    """A WSGI application around another, in a uWSGI process."""

    def __init__(self, application: WsgiApp, client_timeout_s: float, graceful_timeout_s: float) -> None:
        self._uwsgi: Any = sys.modules["uwsgi"]  # which only uWSGI's own processes have
        self._application = application
        self._client_timeout_s = client_timeout_s
        self._graceful_timeout_s = graceful_timeout_s
        self._serving: set[gevent.Greenlet] = set()
        self._has_ended = False
        options = self._uwsgi.opt
        if "http-socket" not in options or not _OTHER_SOCKETS.isdisjoint(options):
            raise RuntimeError("the gateway needs uWSGI's http-socket and no other socket; see deploy/uwsgi.ini")

    def at_exit(self, act: Callable[[], None]) -> None:
        """Has `act` called after the process's last request. With gevent uWSGI runs no `atexit`."""

        def end() -> None:
            if not self._has_ended:
                self._has_ended = True
                self._drain()
                act()

        self._uwsgi.atexit = end

    def at_listeners(self, act: Callable[[Any], None]) -> None:
        """Calls `act` with each listening socket."""
        for number in self._uwsgi.sockets:
            listener = socket.socket(fileno=number)
            act(listener)
            listener.detach()  # it stays uWSGI's

    def _drain(self) -> None:
        """Lets requests in flight end by themselves, then ends them visibly."""
        deadline = time.monotonic() + self._graceful_timeout_s
        others = self._serving - {gevent.getcurrent()}
        while others and time.monotonic() < deadline:
            gevent.sleep(0.05)
            others &= self._serving
        gevent.killall(list(others), timeout=1.0)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        greenlet = gevent.getcurrent()
        sock = socket.socket(fileno=self._uwsgi.connection_fd())
        self._serving.add(greenlet)
        try:
            self._serve(environ, sock)
        except (gevent.GreenletExit, OSError):
            pass  # the client went away; what it asked for has been settled by the application's close()
        finally:
            self._serving.discard(greenlet)
            sock.detach()  # uWSGI closes it
        return ()

    def _serve(self, environ: Environ, sock: Any) -> None:
        sock.settimeout(self._client_timeout_s)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        is_http11 = environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
        response = Response(sock, environ.get("REQUEST_METHOD", ""), is_http11=is_http11, keep_alive=False)
        fault = _fault(environ)
        if fault:
            refuse(response, fault, "bad_request", "this request's framing, expectation or version is not served")
            linger(sock)
            return
        body = RequestInput(self._uwsgi, environ, sock, response)
        environ["gunicorn.socket"] = sock
        environ["wsgi.input"] = body
        environ["wsgi.input_terminated"] = True
        environ["wsgi.url_scheme"] = "http"  # uWSGI believes anybody's X-Forwarded-Proto
        environ.pop("wsgi.file_wrapper", None)  # it is for what uWSGI sends
        try:
            response.send_all(self._application(environ, response.start))
        except (gevent.GreenletExit, ConnectionError):
            response.abort()
        except Exception:
            log.exception("the application failed on a %s", environ["REQUEST_METHOD"])  # a path may hold a key
            response.fail()
        else:
            if not body.is_read:
                linger(sock)
        finally:
            body.let_go()


class RequestInput(io.RawIOBase):
    """A request's body as `wsgi.input`, read as it comes."""

    def __init__(self, uwsgi: Any, environ: Environ, sock: Any, response: Response) -> None:
        super().__init__()
        self._uwsgi = uwsgi
        self._source = environ["wsgi.input"]
        self._sock = sock
        self._response = response
        self._request = gevent.getcurrent().uwsgi_wsgi_req
        self._expects_continue = "HTTP_EXPECT" in environ and environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        self._reading: Any = None
        """The greenlet that waits, or waited, inside uWSGI's C."""
        self._chunk = b""
        self._left = CHUNKED if "HTTP_TRANSFER_ENCODING" in environ else int(environ.get("CONTENT_LENGTH") or 0)
        self._held = _read_with_the_head(environ, sock, self._left) if self._left > 0 else 0
        """Bytes of the body that uWSGI read together with the head."""
        self.at_end = self._left == 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read1(self, size: int = READ_BYTES) -> bytes:
        """What has come, at most `size` bytes, b"" at the end. Raises ClientGone and HttpSyntaxError."""
        if self.at_end or size <= 0:
            return b""
        if self._expects_continue and not self._held and not self._response.begun:
            self._expects_continue = False
            self._response.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._read_chunk(size) if self._left == CHUNKED else self._read_counted(min(size, self._left))

    def _read_counted(self, size: int) -> bytes:
        try:
            if self._held:
                data = self._source.read(min(size, self._held))
                self._held -= len(data)
            else:
                data = b"" if _unread(self._sock) else self._wait(partial(self._source.read, 1))
                more = min(size - len(data), _unread(self._sock))
                if more:
                    data += self._source.read(more)
        except OSError:
            raise ClientGone from None
        self._left -= len(data)
        self.at_end = not self._left
        return bytes(data)

    def _read_chunk(self, size: int) -> bytes:
        if not self._chunk:
            try:
                self._chunk = self._wait(self._uwsgi.chunked_read)
            except OSError:
                if peek(self._sock) == b"":
                    raise ClientGone from None
                raise HttpSyntaxError("a chunk is malformed, too long or late") from None
        data, self._chunk = self._chunk[:size], self._chunk[size:]
        self.at_end = not data
        return data

    def _wait(self, read: Callable[[], bytes]) -> bytes:
        """What waits inside uWSGI's C, in a greenlet that nobody throws out of there. Raises OSError."""

        def run() -> bytes | OSError:
            gevent.getcurrent().uwsgi_wsgi_req = self._request  # by which uWSGI knows whose request it is
            try:
                return read()
            except OSError as error:
                return error

        self._reading = gevent.spawn(run)
        got: bytes | OSError = self._reading.get()
        if isinstance(got, OSError):
            raise got
        return got

    def let_go(self) -> None:
        """Returns when nobody waits for the client any more, so that uWSGI may close the socket."""
        if self._reading is not None and not self._reading.dead:
            with suppress(OSError):  # the client has left
                self._sock.shutdown(socket.SHUT_RD)
            self._reading.join()

    @property
    def is_read(self) -> bool:
        """True when nothing more of the client's can come. Of a chunked body uWSGI leaves the last CRLF unread."""
        return self.at_end and self._left != CHUNKED and not _unread(self._sock)

    def detach(self) -> bytes:
        """For an application that answers 101 and reads the client's socket itself."""
        return b""


def _fault(environ: Environ) -> str:
    """The status that refuses a request which uWSGI lets through and others might read differently; or nothing."""
    version = environ.get("SERVER_PROTOCOL")
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        return "505 HTTP Version Not Supported"
    fields = [(name, value) for name, value in environ.items() if name.startswith("HTTP_")]
    host = environ.get("HTTP_HOST", "" if version == "HTTP/1.1" else "-")
    length = environ.get("CONTENT_LENGTH", "")
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if (
        not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in fields)
        or not _WORDS.fullmatch(f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']}")
        or not _VALUE.fullmatch(environ.get("CONTENT_TYPE", ""))
        or not host
        or "," in host
        or not (length.isascii() and (length.isdigit() or "CONTENT_LENGTH" not in environ))
        or (coding is not None and (length or coding.lower() != "chunked" or version == "HTTP/1.0"))
    ):
        return "400 Bad Request"
    if environ.get("HTTP_EXPECT", "100-continue").lower() != "100-continue":
        return "417 Expectation Failed"
    return ""


def _read_with_the_head(environ: Environ, sock: Any, length: int) -> int:
    """How many bytes of the body uWSGI has read already: what it took from the socket, less the head.

    It keeps no count. The head is measured as clients write it, a blank behind each colon. A head with fewer makes the
    figure too small, and the rest is read byte by byte; one with more makes it too large, and a read waits for so many.
    """
    try:
        information = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.size)
    except (AttributeError, OSError):
        return length  # no Linux, or no TCP: the body is read in whole pieces
    taken = _BYTES_RECEIVED.unpack(information)[0] - _unread(sock)
    head = len(f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']} {environ['SERVER_PROTOCOL']}\r\n\r\n")
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            head += len(name) - len("HTTP_") + len(f": {value}\r\n")
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            head += len(f"{name}: {value}\r\n")
    return max(0, min(length, int(taken) - head))


def _unread(sock: Any) -> int:
    """How many bytes have come that nobody has read."""
    count: bytes = ioctl(sock.fileno(), FIONREAD, bytes(4))
    return int.from_bytes(count, sys.byteorder)
