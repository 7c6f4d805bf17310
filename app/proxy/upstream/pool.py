"""Idle upstream connections, kept apart by upstream, newest first."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gevent.ssl import SSLSocket, SSLWantReadError

from app.core.model import Upstream
from app.core.network.forward_proxies import WayOut
from app.waiting import Patience, peek

PoolKey = tuple[str, str, int, bool, WayOut | None]
"""All on which the egress guard's answer rests, so that a connection serves only those who could have opened it; and
the way that it takes."""


CROSSING_S: Final = 1.0
"""So long before the upstream lets go of an idle connection it is not used any more: a request is on its way, too."""


class Connection:
    """An open connection to one upstream, in use or idle."""

    __slots__ = (
        "_patiences", "_resting", "is_tls", "key", "opened_s", "reused", "sock", "told_idle_s", "usable_until_s",
        "write_timeout_s",
    )  # fmt: skip

    def __init__(self, key: PoolKey, sock: Any) -> None:
        self.key = key
        self.sock = sock
        self.reused = False
        self.opened_s = time.monotonic()
        self.told_idle_s = math.inf
        """How long the upstream says that it keeps this one idle (`Keep-Alive: timeout`)."""
        self.usable_until_s = 0.0
        """By time.monotonic(); set where it begins to be idle."""
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


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many idle connections are kept, and for how long."""

    max_idle: int = 256
    """To each upstream."""
    max_idle_total: int = 1024
    idle_timeout_s: float = 60.0
    max_age_s: float = 300.0
    """None older is used again, so that a name that moves is followed although its upstream is never idle."""


class Pool:
    """Idle connections within `limits`. Of too many those go that have been idle for longest."""

    def __init__(self, limits: PoolLimits) -> None:
        self._max_idle = min(limits.max_idle, limits.max_idle_total)
        self._max_idle_total = limits.max_idle_total
        self._idle_timeout_s = limits.idle_timeout_s
        self._max_age_s = limits.max_age_s
        self._idle: dict[PoolKey, dict[Connection, None]] = {}
        """By upstream; the one used last stands last, as in `_all`."""
        self._all: OrderedDict[Connection, None] = OrderedDict()

    @staticmethod
    def key(upstream: Upstream, way: WayOut | None = None) -> PoolKey:
        return upstream.scheme, upstream.host, upstream.port, upstream.from_caller, way

    def take(self, key: PoolKey) -> Connection | None:
        """The idle connection last used that still lives, or None."""
        idle = self._idle.get(key)
        now_s = time.monotonic()
        while idle:
            connection, _ = idle.popitem()
            del self._all[connection]
            if connection.rest_ends() and connection.usable_until_s > now_s:
                connection.reused = True
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Takes a connection on which nothing is outstanding."""
        now_s = time.monotonic()
        connection.usable_until_s = min(
            now_s + min(self._idle_timeout_s, connection.told_idle_s - CROSSING_S),
            connection.opened_s + self._max_age_s,
        )
        if not self._max_idle or connection.usable_until_s <= now_s:
            connection.close()
            return
        idle = self._idle.setdefault(connection.key, {})
        if len(idle) >= self._max_idle:
            self._drop(next(iter(idle)))
        elif len(self._all) >= self._max_idle_total:
            self._drop(next(iter(self._all)))
        idle[connection] = self._all[connection] = None
        connection.rest(self._drop)

    def close_expired(self) -> None:
        """Closes what nobody took for too long, or what the upstream closed."""
        now_s = time.monotonic()
        for connection in list(self._all):
            if connection.usable_until_s <= now_s or not connection.is_quiet():
                self._drop(connection)
        for key in [key for key, idle in self._idle.items() if not idle]:
            del self._idle[key]

    def _drop(self, connection: Connection) -> None:
        """Forgets an idle connection that its upstream has closed, or on which it speaks unasked."""
        if connection in self._all:
            del self._all[connection], self._idle[connection.key][connection]
        connection.close()

    def close(self) -> None:
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._idle.clear()
