"""A switched connection (WebSocket): bytes both ways, unread, until one side closes.

It is a WSGI body as the Relay is, but has no pieces: WSGI servers send none after a 101, so it writes to the client's
socket itself. The other direction is a greenlet of its own. After the switch there is no HTTP on either side any more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import gevent
from gevent import socket

from app.client_gone import CallEnded, ClientGone
from app.core.errors import GatewayError, UpstreamFault
from app.core.failures import Failure
from app.core.statistics.events import CLIENT_GONE
from app.proxy.upstream.exchange import Exchange
from app.proxy.upstream.incoming import READ_BYTES
from app.waiting import receive


class Tunnel:
    """Made when the upstream has answered 101. `close()` is the one exit."""

    __slots__ = (
        "_begun",
        "_closed",
        "_copier",
        "_exchange",
        "_fault",
        "_settle",
        "_silence",
        "_sock",
        "error_code",
        "sent_bytes",
        "status",
    )

    def __init__(
        self,
        exchange: Exchange,
        client_socket: Any,
        unread: bytes,
        idle_timeout_s: float,
        settle: Callable[[Tunnel], None],
    ) -> None:
        """`unread`: what the client sent behind its request and the server has read already."""
        self._exchange = exchange
        self._sock = client_socket
        self._settle = settle
        self._begun = False
        self._closed = False
        self.sent_bytes = 0
        self.status = 0
        self.error_code = ""
        self._fault = UpstreamFault(Failure.SILENT, f"nothing was said either way for {idle_timeout_s:g} s")
        self._silence = gevent.get_hub().loop.timer(idle_timeout_s, repeat=idle_timeout_s)
        self._put_off_silence()
        client_socket.settimeout(idle_timeout_s)  # of writes: a client that takes nothing is gone
        self._copier = gevent.spawn(copy_context().run, self._copy_to_upstream, unread)

    def __iter__(self) -> Tunnel:
        return self

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return b""  # the server sends the head
        try:
            while piece := self._exchange.read1():
                self._put_off_silence()
                self._sock.sendall(piece)
                self.sent_bytes += len(piece)
        except GatewayError as error:
            self.error_code = self.error_code or error.code
        except CallEnded:
            pass  # whoever ended it has said so
        except (ClientGone, OSError):
            self.error_code = self.error_code or CLIENT_GONE
        raise StopIteration

    def _put_off_silence(self) -> None:
        self._silence.again(self._end, self._fault)

    def _end(self, fault: BaseException) -> None:
        """Wakes both directions, whichever side they wait for."""
        self._exchange.break_off(fault)
        self._shut_client()

    def _shut_client(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client was faster

    def _copy_to_upstream(self, unread: bytes) -> None:
        data = unread
        while True:
            if data:
                try:
                    self._exchange.send_raw(data)
                except OSError:
                    return  # the upstream is gone, which its reader notices too
                self._put_off_silence()
            try:
                data = receive(self._sock, READ_BYTES)
            except OSError:
                self.error_code = self.error_code or CLIENT_GONE
                data = b""
            if not data:
                break
        self._end(ClientGone())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._silence.stop()
        self._silence.close()
        self._exchange.close()
        try:
            self._copier.kill(timeout=1.0)
        finally:  # the operator may end it now
            self._settle(self)  # before the client sees the end
            self._shut_client()  # so that no server waits for another request here
