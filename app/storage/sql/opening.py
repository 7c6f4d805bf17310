"""Opens a database. SQLAlchemy and the drivers are imported here: a web process imports this module at first use.

Nothing may wait for ever: not a connection, not a statement, not a lock that another holds.
"""

from __future__ import annotations

import os
import sqlite3
import ssl
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_c")  # it runs in threads of its own; gevent's select is not for it

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from app.certificate_files import CertificateFiles
from app.wire.database_url import DatabaseKind, DatabaseUrl, Tls

CONNECT_S: Final = 5
STATEMENT_S: Final = 7.0
"""Longest statement, and longest wait for a lock."""
WORKER_STATEMENT_S: Final = 60.0
SILENCE_S: Final = 1.5
"""How much later than the server we give up a statement: then it is the server that is not there any more."""
JOINED_BYTES: Final = 256 * 1024 * 1024
"""What MySQL joins at most of the vectors of statistics; a packet of its may be shorter."""
CONNECTION_S: Final = 600
"""How long a connection is kept: servers and what stands before them forget idle ones."""
SQLITE_BUSY_S: Final = 5
SQLITE_STEPS: Final = 20_000
"""So many steps of SQLite's machine, about a millisecond, between two looks at the clock."""
WAL_BYTES: Final = 16 * 1024 * 1024
"""How long SQLite's log becomes before it goes into the file: pages that change again and again go there once."""

WRITES: Final = "gateway_writes"
"""Option of a connection whose transaction will write: SQLite then takes its lock at the beginning."""


def open_engine(
    url: DatabaseUrl, certificates: CertificateFiles, *, connections: int, is_worker: bool = False
) -> Engine:
    """Connects to nothing yet. Only the worker makes a file of SQLite that is not there."""
    patience_s = WORKER_STATEMENT_S if is_worker else STATEMENT_S
    pool: dict[str, Any] = {
        "poolclass": QueuePool,
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": patience_s,
        "pool_recycle": CONNECTION_S,
    }
    match url.kind:
        case DatabaseKind.SQLITE:
            return _open_sqlite(url, pool, patience_s, is_worker=is_worker)
        case DatabaseKind.MYSQL:
            return _open_mysql(url, certificates, pool, patience_s)
        case DatabaseKind.POSTGRESQL:
            return _open_postgresql(url, certificates, pool, patience_s)


def _open_sqlite(url: DatabaseUrl, pool: dict[str, Any], patience_s: float, *, is_worker: bool) -> Engine:
    path = Path(url.name)
    if is_worker:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    address = f"file:{quote(str(path))}?mode={'rwc' if is_worker else 'rw'}"

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=SQLITE_BUSY_S, check_same_thread=False, isolation_level=None)

    engine = create_engine("sqlite://", creator=opened, **pool)
    _leave_removed_files(engine, path)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        if is_worker:
            path.chmod(0o600)
            # Each would take the lock, which others may hold, also where nothing changes.
            if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _set_journal_mode(connection, url.journal_mode)
            connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // page_bytes}")
            connection.execute("PRAGMA cache_size = -16384")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if url.journal_mode == 'WAL' else 'FULL'}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        until_s = time.monotonic() + patience_s
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() > until_s, SQLITE_STEPS)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _set_journal_mode(connection: Any, mode: str) -> None:
    """SQLite waits for no lock here, whatever its timeout (https://sqlite.org/wal.html): who begins beside others asks
    again.
    """
    until_s = time.monotonic() + SQLITE_BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != mode.lower():
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            return  # where the file system lets it not, it stays as it is
        except sqlite3.OperationalError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.01)


def _leave_removed_files(engine: Engine, path: Path) -> None:
    """A file that was removed or replaced is written on by whoever has it open, for nobody: it is opened anew."""

    @event.listens_for(engine, "connect")
    def connected(_connection: Any, record: Any) -> None:
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def checked(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError(f"{path} is another file than before")


def _identity(path: Path) -> tuple[int, int] | None:
    """None: there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _open_mysql(url: DatabaseUrl, certificates: CertificateFiles, pool: dict[str, Any], patience_s: float) -> Engine:
    silence_s = patience_s + SILENCE_S
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_S, "read_timeout": silence_s, "write_timeout": silence_s}
    if url.socket:
        arguments["unix_socket"] = url.socket
    if url.tls is Tls.OFF:
        arguments["ssl_disabled"] = True
    elif url.tls is not Tls.PREFERRED:
        arguments["ssl"] = _context(url, certificates)
    engine = create_engine(
        _address("mysql+pymysql", url, {"charset": "utf8mb4"}),
        connect_args=arguments,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        **pool,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        is_mariadb = "mariadb" in connection.get_server_info().lower()
        limit = (
            f"max_statement_time = {patience_s:g}" if is_mariadb else f"max_execution_time = {patience_s * 1000:.0f}"
        )
        with connection.cursor() as cursor:
            lengths = f"group_concat_max_len = {JOINED_BYTES}"
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {patience_s:.0f}, {lengths}, {limit}")

    return engine


def _open_postgresql(
    url: DatabaseUrl, certificates: CertificateFiles, pool: dict[str, Any], patience_s: float
) -> Engine:
    modes = {Tls.OFF: "disable", Tls.PREFERRED: "prefer", Tls.REQUIRED: "require", Tls.VERIFIED: "verify-full"}
    arguments: dict[str, Any] = {
        **dict(url.options),
        "sslmode": modes[url.tls],
        "connect_timeout": CONNECT_S,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": int(patience_s * 1000),
        "application_name": "ai-api-gateway",
        "prepare_threshold": None,  # poolers such as PgBouncer know no prepared statements
    }
    if url.socket:
        arguments["host"] = url.socket
    if url.tls is Tls.VERIFIED:
        given = certificates.added or certificates.bundle or certificates.file
        arguments["sslrootcert"] = url.authority or (str(given) if given else "system")
    engine = create_engine(_address("postgresql+psycopg", url, {}), connect_args=arguments, pool_pre_ping=True, **pool)

    patient = _patient(patience_s + SILENCE_S)

    @event.listens_for(engine, "do_connect")
    def connects(_dialect: Any, _record: Any, positional: Any, named: Any) -> Any:
        return patient.connect(*positional, **named)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # Not when it connects: a pooler may give each transaction another connection.
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = {int(patience_s * 1000)}")

    return engine


def _patient(silence_s: float) -> Any:
    """psycopg's connection, which by itself waits for ever for a server that is silent and closes nothing."""
    import psycopg

    class Patient(psycopg.Connection[Any]):
        def wait(self, *arguments: Any, **options: Any) -> Any:
            try:
                return super().wait(*arguments, **{"timeout": silence_s} | options)
            except psycopg.errors._WaitTimeout:
                self.pgconn.finish()  # what it would say later is an answer to nothing
                raise

    return Patient


def _address(driver: str, url: DatabaseUrl, query: dict[str, str]) -> URL:
    host, port = (None, None) if url.socket else (url.host, url.port)
    return URL.create(driver, url.user or None, url.password or None, host, port, url.name, query)


def _context(url: DatabaseUrl, certificates: CertificateFiles) -> ssl.SSLContext:
    """The system's store or what the deployment has in its place, and its own authority besides."""
    store = certificates.bundle or certificates.file
    file, folder = (None, str(store)) if store and store.is_dir() else (str(store) if store else None, None)
    folder = folder or os.pathsep.join(map(str, certificates.folders)) or None
    context = ssl.create_default_context(cafile=url.authority or file, capath=folder)
    if certificates.added:
        context.load_verify_locations(certificates.added)
    if url.tls is Tls.REQUIRED:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
