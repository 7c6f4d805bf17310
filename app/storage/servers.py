"""Connections that are given up together when another Redis takes over at their address.

After a failover the old primary often lives on as a replica: its connections stay open, its channels are silent, what
is read there grows old, and only a write is told so. So what one connection hears counts for all of the process that
have the same URL: those that are idle are closed, those in use when they come back, and listeners begin anew. A new
connection resolves the name anew.
"""

from __future__ import annotations

import math
import time
from typing import Any
from weakref import WeakSet, WeakValueDictionary

import redis

from app.storage.refusals import is_overtaken

PAUSE_S = 1.0
"""Least time between two changes of mind: an address that leads to the wrong server for long is not to be rushed."""
SETTLE_S = 3.0
"""After the last word of a failover connections are given up once more: the address may have followed meanwhile.

Who listens at the old server hears no more of it. Longer than a process goes without a write (BEAT_S of the recorder),
so that a server which is still the wrong one is told of before.
"""


class Server:
    """What answers at one URL, as all connections of this process know it."""

    def __init__(self) -> None:
        self.pools: WeakSet[Pool] = WeakSet()
        self._turn = 0
        self._given_up = False
        self._rests_until_s = 0.0
        self._settles_at_s = math.inf

    def give_up(self) -> None:
        """Another server may have taken over, or soon will."""
        self._given_up = True

    def turn(self) -> int:
        """Grows after `give_up`, but not at once after the last time; connections of an earlier turn are let go."""
        now_s = time.monotonic()
        if self._given_up and now_s >= self._rests_until_s:
            self._given_up, self._rests_until_s, self._settles_at_s = False, now_s + PAUSE_S, now_s + SETTLE_S
            self._begin_anew()
        elif now_s >= self._settles_at_s:
            self._settles_at_s = math.inf
            self._begin_anew()
        return self._turn

    def _begin_anew(self) -> None:
        self._turn += 1
        for pool in tuple(self.pools):
            pool.let_go()


_servers: WeakValueDictionary[str, Server] = WeakValueDictionary()


def server_at(url: str) -> Server:
    """The same object for the same URL, as long as somebody has it."""
    server = _servers.get(url)
    return server if server is not None else _servers.setdefault(url, Server())


class _Watchful:
    """A connection that tells its server's other connections what it hears."""

    def __init__(self, *, server: Server, **options: Any) -> None:
        self.server = server
        self.turn = server.turn()
        super().__init__(**options)

    def _connect(self) -> Any:
        self.turn = self.server.turn()
        return super()._connect()  # type: ignore[misc]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]
        except redis.TimeoutError:
            self.server.give_up()  # the others lead to the same silence
            raise
        except redis.RedisError as error:
            if is_overtaken(error):
                self.server.give_up()
                self.mark_for_reconnect()  # type: ignore[attr-defined]  # later: more replies may come
            raise


class _TcpConnection(_Watchful, redis.Connection):
    pass


class _TlsConnection(_Watchful, redis.SSLConnection):
    pass


class _UnixConnection(_Watchful, redis.UnixDomainSocketConnection):
    pass


_CONNECTIONS = {"redis": _TcpConnection, "rediss": _TlsConnection, "unix": _UnixConnection}


class Pool(redis.ConnectionPool):
    """Keeps no connection of an earlier turn."""

    def __init__(self, *, server: Server, **options: Any) -> None:
        self._server = server
        super().__init__(server=server, **options)
        server.pools.add(self)

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        self._server.turn()
        return super().get_connection(*arguments, **options)

    def let_go(self) -> None:
        """Closes what is idle now, and what is in use when it comes back."""
        with self._lock:
            for connection in self._in_use_connections:
                connection.mark_for_reconnect()
        self.disconnect(inuse_connections=False)


def open_pool(url: str, **options: Any) -> Pool:
    """A pool of connections to what answers at `url`."""
    pool: Pool = Pool.from_url(
        url, connection_class=_CONNECTIONS[url.partition(":")[0]], server=server_at(url), **options
    )
    return pool


def is_given_up(connection: Any) -> bool:
    """Whether the connection, which a listener keeps for long, belongs to an earlier turn."""
    return isinstance(connection, _Watchful) and connection.turn != connection.server.turn()


class KeptConnection:
    """A connection for one thread that asks often; not for transactions, nor for commands that wait.

    To take one from the pool and bring it back costs as much as a command does: the pool looks each time whether it
    still lives, which under gevent is a wait of its own.
    """

    def __init__(self, client: redis.Redis) -> None:
        """It connects with the first command."""
        self._pool = client.connection_pool
        self._connection: Any = None

    def execute_command(self, *words: Any) -> Any:
        """The reply as it came. Raises redis.RedisError; the next command connects anew where that is needed."""
        if self._connection is None:
            self._connection = self._pool.get_connection()
        connection = self._connection
        if is_given_up(connection) or connection.should_reconnect():
            connection.disconnect()
        connection.send_command(*words)  # whatever interrupts one of these two disconnects it
        return connection.read_response()

    def close(self) -> None:
        """Gives the connection back to its pool."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)
