"""Notices that a client has left, while the greenlet that serves it waits for somebody else.

A watcher on the client's socket looks at each wake-up, without taking anything, whether the stream has ended.
Bytes that wait there (a pipelined request, a body) hide the end; then the state of the TCP connection tells.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import ReferenceType, ref

import gevent
from gevent import socket

from app.client_gone import ClientGone
from app.waiting import peek

POLL_S = 0.05
_HAS_TCP_INFO = sys.platform == "linux"
_GONE_STATES = frozenset({7, 8, 9, 11})
"""States of Linux's tcp_states.h after the peer's FIN or reset: CLOSE, CLOSE_WAIT, LAST_ACK, CLOSING."""


_watchers: dict[ReferenceType[Any], Any] = {}
"""Each client connection's libev watcher: making one costs more than all the rest, and connections are kept alive. No
WeakKeyDictionary, which looks up in Python what a dict does in C."""


def _forget(gone: ReferenceType[Any]) -> None:
    _watchers.pop(gone, None)


class ClientWatch:
    """Throws ClientGone into the greenlet that made it once the client of `sock` has left; until `stop`."""

    __slots__ = ("_greenlet", "_sock", "_watcher")

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._greenlet = gevent.getcurrent()
        self._watcher = _watchers.get(ref(sock))
        if self._watcher is None:
            self._watcher = _watchers[ref(sock, _forget)] = gevent.get_hub().loop.io(sock.fileno(), 1)
        self._watcher.start(self._look)

    def throw_into(self, greenlet: Any) -> None:
        """From now on that is the one that waits."""
        self._greenlet = greenlet

    def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None

    def check(self) -> None:
        """Raises ClientGone where the client has left, though the loop has not come to tell so."""
        waiting = peek(self._sock)
        if waiting is not None and (not waiting or (_HAS_TCP_INFO and self._has_ended())):
            self.stop()
            raise ClientGone

    def _look(self) -> None:
        waiting = peek(self._sock)
        if waiting:
            self._poll()
        elif waiting is not None:
            self._throw()

    def _poll(self) -> None:
        """Bytes wait unread: from now on look at the connection's state in turns."""
        self.stop()
        if not _HAS_TCP_INFO:
            return
        self._watcher = gevent.get_hub().loop.timer(POLL_S, repeat=POLL_S)
        self._watcher.start(self._look_at_state)

    def _look_at_state(self) -> None:
        if self._has_ended():
            self._throw()

    def _has_ended(self) -> bool:
        try:
            return self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _GONE_STATES
        except OSError:
            self.stop()  # no TCP socket: its end shows at the next write
            return False

    def _throw(self) -> None:
        self.stop()
        self._greenlet.throw(ClientGone())
