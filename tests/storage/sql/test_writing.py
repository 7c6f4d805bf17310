"""Rows are written exactly once, and sums with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from app.core.request_log.filters import LogFilter
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.logs.inserting import SQLITE_ROWS
from app.storage.sql.logs.pages import read_page
from app.storage.sql.writing import Written, write
from tests.support.databases import count, row, written


def put(database: WorkerDatabase, *rows: KeptRow, **options: Any) -> Written:
    return database.run(partial(write, parts=[rows], **options))


class Adding:
    """Adds the ids of all rows of a transaction to a list of such."""

    def __init__(self, added: list[list[int]]) -> None:
        self.added = added
        self._ids: list[int] = []

    def add(self, rows: Sequence[KeptRow]) -> None:
        self._ids += (one.id for one in rows)

    def write(self, _connection: Connection) -> None:
        self.added.append(self._ids)


def test_a_batch_that_comes_again_adds_nothing(database: WorkerDatabase) -> None:
    """Nobody may have heard that it was written, or only a part of it comes again, with more behind it."""
    assert put(database, row(1), row(2)) == Written(2, 2)
    assert put(database, row(1), row(2)) == Written(2, 0)
    assert put(database, row(2), row(3)) == Written(3, 1)
    assert written(database) == [(1, "request-1"), (2, "request-2"), (3, "request-3")]


def test_ids_that_are_given_anew_lose_no_row(database: WorkerDatabase) -> None:
    """A Redis that lost its latest second gives ids again: what is new gets others, what is known adds nothing."""
    put(database, row(1), row(2), row(3))
    again = row(3, request_id="new")
    assert put(database, row(2), again, row(4)) == Written(5, 2)
    assert written(database)[2:] == [(3, "request-3"), (4, "new"), (5, "request-4")]
    assert put(database, row(2), again) == Written(5, 0)


def test_sums_and_rows_are_written_together_or_not_at_all(database: WorkerDatabase) -> None:
    """What adds rows to sums gets each once; where it fails neither is there, and the batch can come again."""
    added: list[list[int]] = []

    class FailsOnce(Adding):
        def write(self, connection: Connection) -> None:
            super().write(connection)
            if len(self.added) == 2:
                raise RuntimeError("no")

    begin = partial(FailsOnce, added)
    put(database, row(1), adders=[begin])
    with pytest.raises(RuntimeError):
        put(database, row(2), adders=[begin])
    assert count(database) == 1
    put(database, row(2), adders=[begin])
    put(database, row(2), adders=[begin])
    assert (count(database), added) == (2, [[1], [2], [2]])


def test_parts_are_one_transaction(database: WorkerDatabase) -> None:
    """Their rows are added to sums once, together; also where an id comes again in a later part, for another row."""
    added: list[list[int]] = []
    first, again, last = row(1), row(1, request_id="again"), row(2)
    parts = [[first], [], [first, again], [last]]
    found = database.run(partial(write, parts=parts, adders=[partial(Adding, added)]))
    assert found == Written(3, 3)
    assert written(database) == [(1, "request-1"), (2, "again"), (3, "request-2")]
    assert added == [[1, 2, 3]]


def test_ids_that_are_given_anew_take_no_call_from_the_sums(database: WorkerDatabase) -> None:
    """Rows of one part that get others may reach beyond the ids of the next: whose rows are new all the same."""
    put(database, *(row(id) for id in range(95, 101)), share=0)
    parts = [
        [row(99, request_id="new-1", outcome="server_error"), row(100, request_id="new-2", outcome="server_error")],
        [row(101), row(102)],
        [row(103)],
    ]
    added: list[list[int]] = []
    options: dict[str, Any] = {"share": 0, "adders": [partial(Adding, added)]}
    assert database.run(partial(write, parts=[parts[0] + parts[1], parts[2]], **options)) == Written(105, 5)
    assert added == [[101, 102, 103, 104, 105]]
    assert database.run(partial(write, parts=[parts[0] + parts[1], parts[2]], **options)) == Written(105, 0)


def test_a_share_of_successes_is_left_out_of_the_log_and_not_of_sums(database: WorkerDatabase) -> None:
    """By the request's id; calls that failed or took several attempts are kept whole."""
    added: list[list[int]] = []
    good = [row(id) for id in range(1, 401)]
    failed = [row(id, outcome="server_error") for id in range(401, 411)]
    twice = [row(411, final=False, outcome="server_error"), row(412, attempt=2)]
    put(database, *good, *failed, *twice, share=0.25, adders=[partial(Adding, added)])
    ids = [id for id, _ in written(database)]
    assert ids[-12:] == list(range(401, 413))
    assert 50 < len(ids) - 12 < 150
    assert added == [list(range(1, 413))]
    assert put(database, *good, share=0.25) == Written(412, 0)


def test_rows_that_no_database_takes_stop_no_others(database: WorkerDatabase) -> None:
    """Numbers beyond any column are cut; a row that is refused all the same is left out and told."""
    odd = [
        row(1),
        row(2, request_bytes=2**63, reason="a\0b", model="m" * 300),
        row(3),
        row(3, request_id="the same id"),
        row(4),
    ]
    with pytest.raises((OverflowError, DataError, IntegrityError)):
        put(database, *odd)
    assert put(database, *odd, cuts=True) == Written(4, 5, refused=1)
    assert [id for id, _ in written(database)] == [1, 2, 3, 4]


def test_many_rows_at_once_are_each_as_they_were(database: WorkerDatabase) -> None:
    """Of ids that are too long, the beginning."""
    rows = many()
    assert put(database, *rows).rows == len(rows)
    assert stand_as_they_were(database, rows)


def test_an_sqlite_that_takes_few_values_at_once_has_all_rows(file_database: WorkerDatabase) -> None:
    """Before 3.32 it took 999 in a statement."""
    rows = many()

    def write_with_few(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        before = driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        try:
            write(connection, [rows])
        finally:
            driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)

    file_database.run(write_with_few)
    assert stand_as_they_were(file_database, rows)


def many() -> list[KeptRow]:
    """More than go into two statements, one with ids that no column takes whole."""
    sparse: dict[str, Any] = {"usage": None, "cost_nano": 5, "first_byte_ms": 1.5, "trace_id": "t" * 32}
    rows = [row(id, **(sparse if id % 3 else {})) for id in range(1, 2 * SQLITE_ROWS[0] + SQLITE_ROWS[1] + 4)]
    rows[700] = row(701, request_id="r" * 200, trace_id="t" * 200, duration_ms=2.5)
    return rows


def stand_as_they_were(database: WorkerDatabase, rows: list[KeptRow]) -> bool:
    found = database.run(lambda one: read_page(one, LogFilter(), None, len(rows) + 1), writes=False)
    wanted = [*rows[:700], row(701, request_id="r" * 128, trace_id="t" * 64, duration_ms=2.5), *rows[701:]]
    return [one._replace(row=one.row._replace(attempts=0)) for one in reversed(found)] == wanted
