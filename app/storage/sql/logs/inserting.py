"""Rows of the request log as they are put into the database, and those of log_traits that no row names any more.

Statements are made by hand for the driver: SQLAlchemy's own way takes a third of the time of a batch for its dicts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter, le
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Dialect, Integer, Table, delete, func, select

from app.core.request_log.rows import LogRow
from app.core.request_log.traits import OWN, TRAITS, Traits, apart, searched_text
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.logs.wanted import longest
from app.storage.sql.tables import log_state, log_traits, logs

_Cut = Callable[[Any], Any]

SQLITE_ROWS: Final = (500, 50)
"""In one statement, which costs a quarter less than one for each: as many as go, and of what is left then."""

_LATER: Final = "CASE WHEN {new} > {old} THEN {new} ELSE {old} END"
_EARLIER: Final = "CASE WHEN {new} < {old} THEN {new} ELSE {old} END"


def insert_rows(connection: Connection, rows: Sequence[KeptRow]) -> None:
    """Puts in rows whose ids are new. Of what is longer than its column, the beginning."""
    if not rows:
        return
    spans, values = apart(rows, _REQUEST_ID_LENGTH, _TRACE_ID_LENGTH)
    known = [(*span, *_cut(traits), searched_text(traits).replace("\0", "\ufffd")) for traits, span in spans.items()]
    connection.exec_driver_sql(_put_traits(connection.dialect), known)
    _put_rows(connection, values)


def within(kept: KeptRow) -> KeptRow:
    """A row whose numbers no column refuses."""
    values: list[Any] = [
        max(-most, min(value, most)) if type(value) is int else value
        for most, value in zip(_MOST, kept.row, strict=True)
    ]
    return KeptRow(kept.id, LogRow(*values))


def forget_traits(connection: Connection) -> None:
    """Removes those of which the last row has gone, as rows go from the oldest on."""
    connection.execute(select(log_state.c.last_id).with_for_update())  # nobody writes meanwhile
    oldest_ms = connection.scalar(select(func.min(logs.c.at_ms)))
    unnamed = delete(log_traits)
    connection.execute(unnamed if oldest_ms is None else unnamed.where(log_traits.c.last_at_ms < oldest_ms))


_PLACES: Final = ("id", "traits_id", *OWN)
_REQUEST_ID_LENGTH: Final = longest(logs.c.request_id) or 0
_TRACE_ID_LENGTH: Final = longest(logs.c.trace_id) or 0


def _cutter(name: str) -> _Cut:
    length = longest(log_traits.c[name])
    if length is None:
        return lambda value: value
    return lambda value: value.replace("\0", "\ufffd")[:length]  # PostgreSQL has no texts with NUL


def _most(name: str) -> int:
    column = (logs if name in logs.c else log_traits).c.get(name)
    is_short = column is not None and isinstance(column.type, Integer) and not isinstance(column.type, BigInteger)
    return 2**31 - 1 if is_short else 2**63 - 1


_MOST: Final = tuple(map(_most, LogRow._fields))
_CUTTERS: Final = tuple(_cutter(name) for name in TRAITS)


_TEXTS: Final = [place for place, name in enumerate(TRAITS) if longest(log_traits.c[name]) is not None]
_LENGTHS: Final = [longest(log_traits.c[TRAITS[place]]) or 0 for place in _TEXTS]
_texts_of = itemgetter(*_TEXTS)


def _cut(traits: Traits) -> Sequence[Any]:
    texts = _texts_of(traits)
    if all(map(le, map(len, texts), _LENGTHS)) and "\0" not in "".join(texts):
        return traits  # as nearly all are
    return [cut(value) for cut, value in zip(_CUTTERS, traits, strict=True)]


def _put_rows(connection: Connection, values: Sequence[Any]) -> None:
    """Values of rows, in the order of _PLACES."""
    at = 0
    if connection.dialect.name == "sqlite":  # other drivers make one statement of many by themselves
        most = _most_values(connection)
        for rows in SQLITE_ROWS:
            many = _put(connection.dialect, logs, _PLACES, rows)
            length = rows * len(_PLACES)
            while length <= most and at + length <= len(values):
                connection.exec_driver_sql(many, tuple(values[at : at + length]))
                at += length
    rest = iter(values[at:])
    if few := list(zip(*[rest] * len(_PLACES), strict=True)):
        connection.exec_driver_sql(_put(connection.dialect, logs, _PLACES), few)


def _most_values(connection: Connection) -> int:
    """In a statement: 999 before SQLite 3.32, 32,766 in later ones (https://sqlite.org/limits.html)."""
    driver: Any = connection.connection.driver_connection
    most: int = driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    return most


@cache
def _put(dialect: Dialect, table: Table, names: Sequence[str], rows: int = 1) -> str:
    quote = dialect.identifier_preparer.quote
    marks = ", ".join(["?" if dialect.name == "sqlite" else "%s"] * len(names))
    values = ", ".join([f"({marks})"] * rows)
    return f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))}) VALUES {values}"  # noqa: S608


@cache
def _put_traits(dialect: Dialect) -> str:
    """Where they are known, only the time for which they are is new."""
    if dialect.name == "mysql" or dialect.name == "mariadb":
        new, begins = "VALUES({})", "ON DUPLICATE KEY UPDATE"
    else:
        new, begins = "excluded.{}", "ON CONFLICT (id) DO UPDATE SET"
    spans = [
        f"{name} = {way.format(new=new.format(name), old=f'{log_traits.name}.{name}')}"
        for name, way in (("first_at_ms", _EARLIER), ("last_at_ms", _LATER))
    ]
    return f"{_put(dialect, log_traits, tuple(log_traits.c.keys()))} {begins} {', '.join(spans)}"
