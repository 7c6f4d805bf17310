"""A process's door to the SQL database. Importing it imports no SQLAlchemy: that costs 13 MB and half a second."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.certificate_files import CertificateFiles
from app.real_threads import RealThreads, TooLate
from app.storage.connections import LOG_DATABASE, Redis
from app.storage.sql.errors import DatabaseAway, DatabaseElsewhere, DatabaseMissing
from app.unpatched import unpatched
from app.wire.database_url import DatabaseKind, DatabaseUrl

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

THREADS: Final = 3
"""Of a web process; others wait until one is free."""
PATIENCE_S: Final = 9.0
"""How long a greenlet waits at most: a thread to be free, a connection, and a statement."""
WORKER_CONNECTIONS: Final = 4


class _Door:
    """What web processes and the worker have in common."""

    def __init__(self, url: DatabaseUrl, certificates: CertificateFiles, *, is_worker: bool) -> None:
        self.url = url
        self._certificates = certificates
        self._is_worker = is_worker
        self._opening: Any = unpatched("_thread", "allocate_lock")()
        """The system's, as real threads ask for it: one of gevent's may forget to wake them."""
        self._engine: Engine | None = None

    def _run(self, act: Callable[[Connection], T], *, writes: bool) -> T:
        """In one transaction, which an exception rolls back. Raises DatabaseAway and what `act` raises."""
        from app.storage.sql.troubles import translated

        with translated(self.url), self._connection() as connection:
            if writes:
                from app.storage.sql.opening import WRITES

                connection.execution_options(**{WRITES: True})
            with connection.begin():
                return act(connection)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    @property
    def engine(self) -> Engine:
        """Connects to nothing by itself."""
        with self._opening:
            if self._engine is None:
                from app.storage.sql.opening import open_engine

                count = WORKER_CONNECTIONS if self._is_worker else THREADS
                self._engine = open_engine(self.url, self._certificates, connections=count, is_worker=self._is_worker)
            return self._engine

    def close(self) -> None:
        with self._opening:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()


class WorkerDatabase(_Door):
    """The worker's: it makes the database, and all runs in the thread that asks."""

    def __init__(self, url: DatabaseUrl, certificates: CertificateFiles) -> None:
        super().__init__(url, certificates, is_worker=True)

    def run(self, act: Callable[[Connection], T], *, writes: bool = True) -> T:
        """In one transaction, which an exception rolls back. Raises DatabaseAway and what `act` raises."""
        return self._run(act, writes=writes)

    def checkpoint(self) -> bool:
        """SQLite's journal goes into its file, which then is as short as what is in it; True. Raises DatabaseAway."""
        from app.storage.sql.troubles import translated

        with translated(self.url), closing(self.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return True


class Database(_Door):
    """A web process's: the worker made the database, and all runs in real threads while the loop goes on."""

    def __init__(self, url: DatabaseUrl, certificates: CertificateFiles, redis_client: Redis) -> None:
        super().__init__(url, certificates, is_worker=False)
        self._redis: Any = redis_client
        self._threads = RealThreads(THREADS)
        self._one_by_one: Any = unpatched("_thread", "allocate_lock")()
        self._imports: Any = unpatched("_thread", "allocate_lock")()
        """Held by whoever does something for the first time, which imports modules: their locks are gevent's, too."""
        self._ran: set[object] = set()
        """The code of what has been done before."""

    def run(self, act: Callable[[Connection], T], *, writes: bool = False) -> T:
        """What `act` returns, in one transaction and in a thread that must not touch anything of gevent's or ours.

        `writes`: it will change something. Raises DatabaseAway, DatabaseElsewhere, redis.RedisError and what `act`
        raises, which rolls the transaction back.
        """
        told = self._redis.get(LOG_DATABASE)
        if told is None:
            raise DatabaseAway("the worker has not prepared the database yet; try again soon")

        def checked(connection: Connection) -> T:
            if _id_of(connection) != told.decode():
                raise DatabaseElsewhere(self._elsewhere())
            return act(connection)

        def run() -> T:
            code = getattr(act, "__code__", None)  # what has none might import something each time
            if code in self._ran:
                return self._run(checked, writes=writes)
            with self._imports:
                done = self._run(checked, writes=writes)
            if code is not None:
                self._ran.add(code)
                gc.freeze()  # what was imported stays: else the collector holds up the loop for it, 20 ms each time
            return done

        try:
            return self._threads.run(run, PATIENCE_S)
        except TooLate:
            raise DatabaseAway(f"{self.url.kind.value} did not answer within {PATIENCE_S:g} s") from None
        except DatabaseMissing:
            raise DatabaseElsewhere(self._elsewhere()) from None

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Taken and given back by one thread after the other, under a lock of the system's.

        SQLAlchemy has locks of its own around that, which here are gevent's: a real thread that waits for one of those
        may never be woken.
        """
        with self._one_by_one:
            connection = self.engine.connect()
        try:
            yield connection
        finally:
            with self._one_by_one:
                connection.close()

    def _elsewhere(self) -> str:
        if self.url.kind is DatabaseKind.SQLITE:
            return (
                "the worker writes another file than this process can open, as on another machine: set DATABASE_URL "
                "to a MySQL or PostgreSQL that both reach, or give both one volume"
            )
        return "the worker writes another database than this process: give both the same DATABASE_URL"


def _id_of(connection: Connection) -> str:
    from sqlalchemy import select

    from app.storage.sql.tables import log_state

    found = connection.execute(select(log_state.c.database_id)).scalar()
    if found is None:
        raise DatabaseAway("the worker has not prepared the database yet; try again soon")
    return str(found)
