"""Idle upstream connections, kept apart by upstream, newest first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent.ssl import SSLSocket, SSLWantReadError

from app.core.forward_proxies import WayOut
from app.core.model import Upstream
from app.waiting import Patience, peek

PoolKey = tuple[str, str, int, bool, WayOut | None]
"""All on which the egress guard's answer rests, so that a connection serves only those who could have opened it; and
the way that it takes."""


class Connection:
    """An open connection to one upstream, in use or idle."""

    __slots__ = ("_patiences", "_resting", "idle_since_s", "is_tls", "key", "reused", "sock", "write_timeout_s")

    def __init__(self, key: PoolKey, sock: Any) -> None:
        self.key = key
        self.sock = sock
        self.reused = False
        self.idle_since_s = 0.0
        self.write_timeout_s = 0.0
        self.is_tls = isinstance(sock, SSLSocket)
        self._resting = False
        self._patiences: dict[float, Patience] = {}

    def patience(self, seconds: float) -> Patience:
        """A limit for waits on this connection, made once for all its requests."""
        patience = self._patiences.get(seconds)
        if patience is None:
            patience = self._patiences[seconds] = Patience(seconds)
        return patience

    def limit_writes(self, seconds: float) -> None:
        """The longest that a write may wait; for reads there is `patience`."""
        self.write_timeout_s = seconds
        self.sock.settimeout(seconds)

    def rest(self, ended: Callable[[Connection], None]) -> None:
        """Begins to be idle; `ended` is called when the upstream closes or speaks. See `is_quiet` for TLS."""
        if not self.is_tls:
            self._resting = True
            self.sock._read_event.start(ended, self)

    def rest_ends(self) -> bool:
        """Ends being idle. False when the connection is of no use any more."""
        if self.is_tls:
            return self.is_quiet()
        watcher = self.sock._read_event
        has_ended: bool = watcher.pending  # seen by the loop, but `ended` not called yet
        watcher.stop()
        self._resting = False
        return not has_ended

    def is_quiet(self) -> bool:
        """False when the upstream has closed an idle TLS connection, or said something unasked.

        What waits there may be a session ticket, which only reading tells from content.
        """
        if not self.is_tls:
            return True
        try:
            self.limit_writes(0.0)
            self.sock.recv(1)
        except (BlockingIOError, SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    @property
    def has_unread(self) -> bool:
        """True when more has come than was read, or the end. Asks the kernel; not for TLS, see `is_quiet`."""
        return not self.is_tls and peek(self.sock) is not None

    def close(self) -> None:
        self._stop_watching()
        self.sock.close()

    def _stop_watching(self) -> None:
        if self._resting:
            self._resting = False
            self.sock._read_event.stop()


class Pool:
    """At most `max_idle` idle connections for each upstream, each for at most `idle_timeout_s`."""

    def __init__(self, max_idle: int, idle_timeout_s: float) -> None:
        self._max_idle = max_idle
        self._idle_timeout_s = idle_timeout_s
        self._idle: dict[PoolKey, list[Connection]] = {}

    @staticmethod
    def key(upstream: Upstream, way: WayOut | None = None) -> PoolKey:
        return upstream.scheme, upstream.host, upstream.port, upstream.from_caller, way

    def take(self, key: PoolKey) -> Connection | None:
        """The idle connection last used that still lives, or None."""
        idle = self._idle.get(key)
        oldest_s = time.monotonic() - self._idle_timeout_s
        while idle:
            connection = idle.pop()
            if connection.rest_ends() and connection.idle_since_s >= oldest_s:
                connection.reused = True
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Takes a connection on which nothing is outstanding."""
        idle = self._idle.setdefault(connection.key, [])
        if not self._max_idle:
            connection.close()
            return
        if len(idle) >= self._max_idle:
            idle.pop(0).close()
        connection.idle_since_s = time.monotonic()
        idle.append(connection)
        connection.rest(self._drop)

    def close_expired(self) -> None:
        """Closes what nobody took for too long, or what the upstream closed."""
        oldest_s = time.monotonic() - self._idle_timeout_s
        for key, idle in list(self._idle.items()):
            for connection in list(idle):
                if connection.idle_since_s < oldest_s or not connection.is_quiet():
                    self._drop(connection)
            if not idle:
                del self._idle[key]

    def _drop(self, connection: Connection) -> None:
        """Forgets an idle connection that its upstream has closed, or on which it speaks unasked."""
        idle = self._idle.get(connection.key, [])
        if connection in idle:
            idle.remove(connection)
        connection.close()

    def close(self) -> None:
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
