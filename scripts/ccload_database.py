"""Reads the SQLite file of a ccLoad, 1.66 or newer, also while it runs: nothing in it is changed, and no one waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.core.channels.ccload_rows import CcloadChannel, Row, by_channel

BUSY_S: Final = 5.0
"""How long a file that is locked is waited for."""

_NEEDED: Final = {
    "channels": {"id", "name", "url", "priority", "channel_type", "enabled"},
    "api_keys": {"channel_id", "key_index", "api_key", "key_strategy"},
    "channel_models": {"channel_id", "model", "redirect_model"},
}
"""What 1.66 and each later version has."""
_TABLES: Final = {
    "channels": "id",
    "api_keys": "channel_id, key_index",
    "channel_models": "channel_id, created_at, model",
    "channel_url_states": "channel_id",
    "channel_model_cooldowns": "channel_id, model",
    "auth_tokens": "id",
    "system_settings": "key",
}
"""What is read, and in which order."""
_NOT_READ: Final = ("logs", "debug_logs", "admin_sessions", "web_sessions")


class CcloadFileError(ValueError):
    """The file cannot be read as ccLoad's. Its text says why, and what to do."""


class CcloadDatabase(NamedTuple):
    channels: list[CcloadChannel]
    tokens: list[Row]
    settings: dict[str, str]
    """Those that were changed there."""
    left_out: dict[str, int]
    """Tables that are not read, and how many rows they have."""


def read_database(file: Path, busy_s: float = BUSY_S) -> CcloadDatabase:
    """All at one instant. Raises CcloadFileError."""
    if not file.is_file():
        raise CcloadFileError(f"{file}: there is no such file. ccLoad keeps it at SQLITE_PATH, else at data/ccload.db")
    try:
        with closing(_open(file, busy_s)) as connection:
            connection.execute("BEGIN")
            return _read(file, connection)
    except sqlite3.Error as error:
        raise CcloadFileError(f"{file}: {_reason(error)}") from None


def _open(file: Path, busy_s: float) -> sqlite3.Connection:
    uri = f"{file.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        connection.close()
        log = file.with_name(file.name + "-wal")
        if "unable to open" not in str(error) or (log.exists() and log.stat().st_size):
            raise
        # Nobody has it open, and SQLite may make no files beside it: then it is whole by itself.
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _read(file: Path, connection: sqlite3.Connection) -> CcloadDatabase:
    columns = _columns(connection)
    _check(file, columns)
    rows = {table: list(_rows(connection, table, columns.get(table, set()))) for table in _TABLES}
    of = {table: by_channel(rows[table]) for table in _TABLES if "channel_id" in columns.get(table, ())}

    def belonging(table: str, channel_id: int) -> list[Row]:
        return of.get(table, {}).get(channel_id, [])

    channels = [
        CcloadChannel(
            row,
            belonging("api_keys", row["id"]),
            belonging("channel_models", row["id"]),
            belonging("channel_url_states", row["id"]),
            belonging("channel_model_cooldowns", row["id"]),
        )
        for row in rows["channels"]
    ]
    settings = {
        str(row["key"]): str(row["value"])
        for row in rows["system_settings"]
        if row["value"] != row.get("default_value", row["value"])
    }
    left_out = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - names of ours
        for table in _NOT_READ
        if table in columns
    }
    return CcloadDatabase(channels, rows["auth_tokens"], settings, left_out)


def _columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    known = [name for name in names if name in _TABLES or name in _NOT_READ]
    return {name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")} for name in known}


def _check(file: Path, columns: dict[str, set[str]]) -> None:
    if "channels" not in columns:
        raise CcloadFileError(f"{file}: it is an SQLite file, but none of ccLoad's: it has no table of channels")
    lacking = [f"{table}.{name}" for table, needed in _NEEDED.items() for name in needed - columns.get(table, set())]
    if lacking:
        raise CcloadFileError(
            f"{file}: it is of a ccLoad before 1.66, or of one that is not known here: it lacks "
            f"{', '.join(sorted(lacking))}. Start it once with ccLoad 1.66 or newer, which brings its tables up to date"
        )


def _rows(connection: sqlite3.Connection, table: str, columns: set[str]) -> Iterator[dict[str, Any]]:
    if not columns:
        return
    order = ", ".join(name for name in _TABLES[table].split(", ") if name in columns)
    for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608 - names of ours
        yield dict(row)


def _reason(error: sqlite3.Error) -> str:
    text = str(error)
    if "not a database" in text:
        return "it is no SQLite file"
    if "locked" in text or "busy" in text:
        return "it is locked by a program that writes it; try again, or stop that program first"
    if "unable to open" in text:
        return "it cannot be opened: read access to it, and to the files -wal and -shm beside it, is needed"
    return f"it cannot be read ({text}); a whole copy is made by: sqlite3 ccload.db '.backup copy.db'"
