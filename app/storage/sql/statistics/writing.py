"""Adds rows of the request log to the sums, in the transaction that writes the log.

Sums are read, added to and written back: whoever writes holds the row of `log_state`, so nobody does so beside him.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, select

from app.core.statistics.events import VALUE_FAULTS
from app.core.statistics.sums.cells import HOUR_MS, Cell, Cells, Dimensions, Quarters, fold, hours_of, together
from app.core.statistics.sums.rooms import OTHER, fitted
from app.core.statistics.sums.vectors import BINS, MINUTES, Counts, Packing
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.statistics.tables import cells, hours, quarters

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE: Final = 500
"""So many ids, or rows, in one statement: databases bound how many values one may have."""

SHORT_BYTES: Final = 256
MOST: Final = 1 << 62
"""A sum is less, and stays so when rows are added, of which none counts for more than 2**50."""

_row_of: Final = attrgetter("row")

_told_of: set[int] = set()
"""Hours of which the log says that they hold no more models."""


class Sums:
    """What the rows of one transaction add to the sums."""

    def __init__(self) -> None:
        self._quarters: Quarters = {}

    def add(self, rows: Iterable[KeptRow]) -> None:
        """In the order in which they were booked."""
        fold(map(_row_of, rows), self._quarters)

    def write(self, connection: Connection) -> None:
        """Adds what was added here to what is stored. Once."""
        for hour_ms, of_hour in sorted(hours_of(self._quarters).items()):
            held = set(connection.scalars(select(hours.c.cell).where(hours.c.at_ms == hour_ms)))
            elsewhere = fitted(of_hour, held, len(held))
            if any(place.model == OTHER for place in elsewhere.values()):
                _tell(hour_ms)
            for quarter_ms, of_quarter in self._quarters.items():
                if quarter_ms - quarter_ms % HOUR_MS == hour_ms:
                    _add_unit(connection, quarters, quarter_ms, _placed(of_quarter, elsewhere))
            placed = _placed(of_hour, elsewhere)
            _add_unit(connection, hours, hour_ms, placed)
            _name(connection, hour_ms, {key: cell for key, cell in placed.items() if key.id not in held})


def _tell(hour_ms: int) -> None:
    if hour_ms not in _told_of:
        _told_of.clear()
        _told_of.add(hour_ms)
        log.warning(
            "The statistics of an hour are full: further names of models are counted together, as %s. "
            "Does a client make them up?",
            OTHER,
        )


def _placed(found: Cells, elsewhere: Mapping[Dimensions, Dimensions]) -> Cells:
    """The cells where they are counted."""
    if not elsewhere:
        return found
    placed = {key: cell for key, cell in found.items() if key not in elsewhere}
    joined: Cells = {}
    for key, place in elsewhere.items():
        if (cell := found.get(key)) is not None:
            joined.setdefault(place, Cell(cell.names)).add(cell)
    for place, cell in joined.items():
        placed[place] = together(placed[place], cell) if place in placed else cell
    return placed


def _add_unit(connection: Connection, table: Table, at_ms: int, new: Cells) -> None:
    by_id = {key.id: cell for key, cell in new.items()}
    rows: dict[int, tuple[Any, ...]] = {}
    for ids in _some(by_id):
        wanted = select(table).where(table.c.at_ms == at_ms, table.c.cell.in_(ids))
        for _, id, *numbers, bins, minutes in connection.execute(wanted):
            try:
                rows[id] = _row(at_ms, id, by_id[id], numbers, bins, minutes)
            except VALUE_FAULTS:  # else every row that is to be counted there would be to blame
                log.exception("What %s held of cell %d at %d made no sense, and begins anew", table.name, id, at_ms)
    for id, cell in by_id.items():
        if id not in rows:
            rows[id] = (at_ms, id, *cell.numbers, BINS.packed(cell.bins), MINUTES.packed(cell.minutes))
    _put(connection, table, rows.values())


def _row(at_ms: int, id: int, cell: Cell, numbers: Sequence[int], bins: bytes, minutes: bytes) -> tuple[Any, ...]:
    """What a stored row is with what is new. Raises one of VALUE_FAULTS where what is stored makes no sense."""
    if not 0 <= min(numbers) <= max(numbers) < MOST:
        raise OverflowError(max(numbers))
    sums = [one + more for one, more in zip(cell.numbers, numbers, strict=True)]
    return (at_ms, id, *sums, _both(BINS, cell.bins, bins), _both(MINUTES, cell.minutes, minutes))


def _both(packing: Packing, counts: Counts, vector: bytes) -> bytes:
    """A short vector is made longer, which is the same and costs less than to count anew."""
    longer = vector + packing.packed(counts)
    return longer if len(longer) <= SHORT_BYTES else packing.packed(packing.added(counts, vector))


def _name(connection: Connection, hour_ms: int, found: Cells) -> None:
    """What the cells are which an hour counts for the first time, and what those of them are called now."""
    known: dict[int, int] = {}
    for ids in _some(key.id for key in found):
        wanted = select(cells.c.id, cells.c.last_at_ms).where(cells.c.id.in_(ids))
        known.update((id, last_at_ms) for id, last_at_ms in connection.execute(wanted))
    latest = ((key, cell) for key, cell in found.items() if known.get(key.id, -1) < hour_ms)
    _put(connection, cells, ((key.id, hour_ms, *key, *cell.names) for key, cell in latest))


def _put(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Inserts rows, or puts them in the place of those with the same key."""
    statement = _upsert(connection, table)
    for some in _some(rows):
        connection.exec_driver_sql(statement, some)


def _upsert(connection: Connection, table: Table) -> str:
    """In the driver's own words: SQLAlchemy's would make a dictionary of each row."""
    names = [column.name for column in table.c]
    signs = ", ".join(["?" if connection.dialect.name == "sqlite" else "%s"] * len(names))
    into = f"INTO {table.name} ({', '.join(names)}) VALUES ({signs})"
    if connection.dialect.name != "postgresql":
        return f"REPLACE {into}"
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    return f"INSERT {into} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


def _some(values: Iterable[T]) -> Iterator[list[T]]:
    """A few of them at a time."""
    found: list[T] = []
    for value in values:
        found.append(value)
        if len(found) == AT_ONCE:
            yield found
            found = []
    if found:
        yield found
