"""Idle upstream connections, kept apart by upstream, newest first."""

from __future__ import annotations

import time
from typing import Any

from gevent.socket import MSG_DONTWAIT, MSG_PEEK
from gevent.ssl import SSLWantReadError

from app.core.model import Mapping
from app.waiting import Patience

PoolKey = tuple[str, str, int]


class Connection:
    """An open connection to one upstream, in use or idle."""

    __slots__ = ("_patiences", "idle_since_s", "key", "reused", "sock")

    def __init__(self, key: PoolKey, sock: Any) -> None:
        self.key = key
        self.sock = sock
        self.reused = False
        self.idle_since_s = 0.0
        self._patiences: dict[float, Patience] = {}

    def patience(self, seconds: float) -> Patience:
        """A limit for waits on this connection, made once for all its requests."""
        patience = self._patiences.get(seconds)
        if patience is None:
            patience = self._patiences[seconds] = Patience(seconds)
        return patience

    def close(self) -> None:
        self.sock.close()


class Pool:
    """At most `max_idle` idle connections for each upstream, each for at most `idle_timeout_s`."""

    def __init__(self, max_idle: int, idle_timeout_s: float) -> None:
        self._max_idle = max_idle
        self._idle_timeout_s = idle_timeout_s
        self._idle: dict[PoolKey, list[Connection]] = {}

    @staticmethod
    def key(upstream: Mapping) -> PoolKey:
        return upstream.scheme, upstream.host, upstream.port

    def take(self, key: PoolKey) -> Connection | None:
        """The idle connection last used that still lives, or None."""
        idle = self._idle.get(key)
        oldest_s = time.monotonic() - self._idle_timeout_s
        while idle:
            connection = idle.pop()
            if connection.idle_since_s >= oldest_s and _is_quiet(connection.sock):
                connection.reused = True
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Takes a connection on which nothing is outstanding."""
        idle = self._idle.setdefault(connection.key, [])
        if len(idle) >= self._max_idle:
            idle.pop(0).close()
        connection.idle_since_s = time.monotonic()
        idle.append(connection)

    def close_expired(self) -> None:
        """Closes what nobody took for too long, or what the upstream closed."""
        oldest_s = time.monotonic() - self._idle_timeout_s
        for key, idle in list(self._idle.items()):
            kept = [one for one in idle if one.idle_since_s >= oldest_s and _is_quiet(one.sock)]
            for connection in set(idle).difference(kept):
                connection.close()
            if kept:
                self._idle[key] = kept
            else:
                del self._idle[key]

    def close(self) -> None:
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


def _is_quiet(sock: Any) -> bool:
    """True while the upstream has neither closed an idle connection nor sent something that nobody asked for."""
    try:
        if hasattr(sock, "session"):  # TLS: what waits may be a session ticket, which only reading tells from content
            sock.settimeout(0.0)
            sock.recv(1)
        else:
            sock._sock.recv(1, MSG_PEEK | MSG_DONTWAIT)
    except (BlockingIOError, SSLWantReadError):
        return True
    except OSError:
        return False
    return False
