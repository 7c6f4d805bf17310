"""The gunicorn worker class: WSGI on gevent sockets, with the strict HTTP/1.1 of `wire.http1`.

gunicorn's own gevent worker spends most of a small request in its Python parser and lets several forms of request
smuggling through; this one replaces how a connection is served and keeps gunicorn's processes, signals and reloads.
It knows nothing of the gateway. Beyond PEP 3333 it gives the application:

- `RAW_URI`: the request target in origin form, untouched; `gateway.headers`: the fields in order, number and spelling;
- `gunicorn.socket`: the client's socket;
- a `wsgi.input` with `read1(n)`, `length` and `at_end`, and `detach()` for an application that switches protocols
  by answering 101: from then on its pieces are sent as they are and the client's socket is its to read;
- and it sends the head alone when the application's first piece is empty, else together with that piece.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import Any

from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http.wsgi import base_environ
from gunicorn.workers.ggevent import GeventWorker

from app.client_gone import ClientGone
from app.servers.connection import LAST_REQUEST_S, ClientConnection
from app.unpatched import patch_all
from app.waiting import wake_reader

REPLACED_S = 5.0
"""How long idle connections are kept after a reload. gunicorn's master does nothing else until the old process ends."""
LOOK_S = 5.0
"""Between two looks for clients that vanished."""
GC_THRESHOLD = 20_000
"""Objects made before the collector looks for cycles. A request makes next to none, and is not to pay for looking."""


class GatewayWorker(GeventWorker):
    """A gunicorn worker process: accepts connections and serves each in a greenlet.

    How long an idle connection is kept is gunicorn's `keepalive`. The times below are for its `post_fork` to set.
    """

    head_timeout_s = 20.0
    """From a request's first byte to the end of its head."""
    client_timeout_s = 300.0
    """Longest time a client may send or take nothing while it should."""

    has_vanished: Callable[[Any], bool] | None = None
    """Says of a client's socket whether nobody is at its other end any more."""

    wsgi: Any
    """The application."""

    _stop_event: Any = None

    @staticmethod
    def is_replaced() -> bool:
        """True when other processes serve in this one's place already; for `post_fork` to set, too."""
        return False

    def init_process(self) -> None:
        gc.disable()  # until `run`: what a start makes stays, and looking for what does not takes a sixth of its time
        super().init_process()

    def patch(self) -> None:
        patch_all()
        super().patch()

    def run(self) -> None:
        self.stopping = False
        self.idle: set[ClientConnection] = set()
        self._sockets: set[Any] = set()
        self._stop_event = stop_event = Event()
        self.base_environ = {
            **base_environ(self.cfg),
            "SCRIPT_NAME": "",
            "wsgi.multithread": True,
            "wsgi.multiprocess": self.cfg.workers > 1,
            "wsgi.url_scheme": "http",
            "wsgi.input_terminated": True,
        }
        self.wsgi = getattr(self.wsgi, "wsgi_app", self.wsgi)  # all that Flask's own `__call__` calls
        self._pool = Pool(self.worker_connections)
        servers = [self._start_server(sock) for sock in self.sockets]
        gc.freeze()  # what is there now stays: the collector need not look at it again and again
        gc.set_threshold(GC_THRESHOLD, 10, 10)
        gc.enable()
        look_at = time.monotonic() + LOOK_S
        while self.alive:
            self.notify()
            stop_event.wait(1.0)
            if time.monotonic() >= look_at:
                self._end_vanished()
                look_at = time.monotonic() + LOOK_S
        self.stopping = True
        for server in servers:
            server.close()
        self._drain()

    def _start_server(self, sock: Any) -> StreamServer:
        sock.setblocking(1)
        server = StreamServer(sock, handle=self._serve, spawn=self._pool)
        if self.cfg.workers > 1:
            server.max_accept = 1  # leave some for the other processes
        server.start()
        return server

    def _end_vanished(self) -> None:
        """Ends the connections of clients that vanished while something was on its way to them."""
        if self.has_vanished is None:
            return
        for sock in list(self._sockets):
            if self.has_vanished(sock):
                wake_reader(sock)

    def _drain(self) -> None:
        """Lets requests in flight end by themselves, then ends them visibly.

        A client with an idle connection may send its next request at any moment, and would find the connection closed
        (RFC 9112, 9.3.1). It is answered and told then that this was the last. Where others serve already there is
        time to wait for it; where all ends there is a moment.
        """
        began = time.monotonic()
        deadline = began + self.cfg.graceful_timeout
        idle_until = began + (REPLACED_S if self.is_replaced() else LAST_REQUEST_S)
        self._pool.join(timeout=min(0.3, self.cfg.graceful_timeout))
        in_flight = len(self._pool) - len(self.idle)
        if in_flight:
            self.log.warning("calls in flight: %d; they may go on for %s s", in_flight, self.cfg.graceful_timeout)
        while len(self._pool) and (now := time.monotonic()) < deadline:
            self.notify()
            if now >= idle_until:
                self._close_idle()
            self._pool.join(timeout=min(0.25, deadline - now))
        self._close_idle()
        if len(self._pool):
            self.log.warning("requests that did not end within %s s: %d", self.cfg.graceful_timeout, len(self._pool))
            self._pool.kill(timeout=1.0)

    def _close_idle(self) -> None:
        if self.idle:
            for connection in list(self.idle):
                connection.stop_waiting()
            self._pool.join(timeout=0.01)

    def notify(self) -> None:
        """Tells the master that we live. When it is gone we stop in order: that is no reason to cut calls in flight."""
        self.tmp.notify()
        if self.alive and self.ppid != os.getppid():
            self.log.warning("gunicorn's master is gone: this web process stops")
            self.handle_exit(None, None)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if self._stop_event is not None:  # it is while the process still starts
            self._stop_event.set()

    def _serve(self, sock: Any, address: Any) -> None:
        self._sockets.add(sock)
        try:
            ClientConnection(self, sock, address).serve()
        except (ClientGone, OSError):
            pass  # the client went away; what it asked for has been settled by the application's close()
        finally:
            self._sockets.discard(sock)
            sock.close()
