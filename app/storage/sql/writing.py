"""Rows of the request log go into the database: each exactly once, whoever is killed in between.

Rows come in the order of their ids. The id of the last one that was written stands in the same transaction, so a batch
that comes again, because nobody heard that it was written, adds nothing. A Redis that lost its latest second may give
ids anew: rows at or below that id are known by their call and attempt, and get new ids where they are new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from operator import attrgetter
from typing import Final, NamedTuple, Protocol
from zlib import crc32

from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, IntegrityError

from app.core.judging.outcome import Outcome
from app.core.request_log.rows import LogRow
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.logs.inserting import insert_rows, within
from app.storage.sql.tables import log_state, logs


class Adder(Protocol):
    """Adds the rows of one transaction to sums. All come, also those that the log leaves out, each once."""

    def add(self, rows: Sequence[KeptRow]) -> None:
        """Some of them."""

    def write(self, connection: Connection) -> None:
        """That were all."""


ASKED_AT_ONCE: Final = 500
_id_of: Final = attrgetter("id")
_SUCCEEDED: Final = frozenset({Outcome.OK.value, Outcome.ANSWERED_HERE.value})


class Written(NamedTuple):
    last_id: int
    """Of all that is in the database."""
    rows: int
    """So many were new, whether the log keeps them or leaves them out."""
    refused: int = 0
    """So many of these the database would not take, however they were cut."""


def write(
    connection: Connection,
    parts: Iterable[Sequence[KeptRow]],
    share: float = 1.0,
    adders: Iterable[Callable[[], Adder]] = (),
    *,
    cuts: bool = False,
) -> Written:
    """Writes what was not written before. `share`: of calls that succeeded at once, 0 to 1, which the log keeps.

    What is done with a part is done before the next is asked for: rows cost half as much while they are in the caches
    of the processor.
    Where the database refuses values (sqlalchemy.exc.DataError and its like), write again with `cuts`: numbers are cut
    to what fits, and rows that are refused all the same are left out.
    """
    before_id = last_id = connection.execute(select(log_state.c.last_id).with_for_update()).scalar_one()
    adding = [begin() for begin in adders]
    rows = refused = 0
    for kept in parts:
        new = _new(connection, kept, before_id, last_id, share)
        if not new:
            continue
        if cuts:
            new = [within(one) for one in new]
        logged = new if share >= 1 else [one for one in new if is_kept(one.row, share)]
        if cuts:
            refused += sum(insert_what_goes(connection, logged))
        else:
            insert_rows(connection, logged)
        for adder in adding:
            adder.add(new)
        last_id = max(last_id, max(map(_id_of, new)))
        rows += len(new)
    if rows:
        for adder in adding:
            adder.write(connection)
        connection.execute(log_state.update().values(last_id=last_id))
    return Written(last_id, rows, refused)


def _new(
    connection: Connection, kept: Sequence[KeptRow], before_id: int, last_id: int, share: float
) -> Sequence[KeptRow]:
    """What was not written before. `before_id`: the last that other transactions wrote; `last_id`: this one, too."""
    if min(map(_id_of, kept), default=0) > last_id:
        return kept
    doubtful = [one for one in kept if one.id <= last_id]
    known = set(_known(connection, {one.row.request_id for one in doubtful}))
    # Of what the log leaves out nobody knows; it is held to be known, so nothing counts twice.
    found = [
        one
        for one in doubtful
        if (one.row.request_id, one.row.attempt) not in known and (one.id > before_id or is_kept(one.row, share))
    ]
    new = [one for one in kept if one.id > last_id]
    return [KeptRow(id, one.row) for id, one in zip(count(last_id + 1), [*found, *new])] if found else new


def is_kept(row: LogRow, share: float) -> bool:
    """Calls that failed, or took several attempts, are kept whole; of all others a share, by their request ids."""
    if share >= 1 or not row.final or row.attempt > 1 or row.outcome not in _SUCCEEDED:
        return True
    return crc32(row.request_id.encode()) < share * 2**32


def _known(connection: Connection, request_ids: Iterable[str]) -> Iterator[tuple[str, int]]:
    ids = sorted(request_ids)
    for at in range(0, len(ids), ASKED_AT_ONCE):
        asked = select(logs.c.request_id, logs.c.attempt).where(logs.c.request_id.in_(ids[at : at + ASKED_AT_ONCE]))
        yield from ((request_id, attempt) for request_id, attempt in connection.execute(asked))


def insert_what_goes(connection: Connection, rows: Sequence[KeptRow]) -> Iterator[int]:
    """Tells of how many rows that the database refuses, half by half, and leaves them out."""
    try:
        with connection.begin_nested():
            insert_rows(connection, rows)
    except (DataError, IntegrityError, OverflowError):
        if len(rows) == 1:
            yield 1
            return
        half = len(rows) // 2
        yield from insert_what_goes(connection, rows[:half])
        yield from insert_what_goes(connection, rows[half:])
