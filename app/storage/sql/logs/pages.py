"""Pages of the request log, the latest rows first, however few of a million fit.

Three ways lead to a page, the first that can:

1. The latest rows are looked through, LOOKED_THROUGH of them: enough where one row in some fifty fits.
2. Of the combinations (log_traits) that fit, those are found which occurred last. Each has a row at the time that is
   told of it, so a page of n rows holds none but of the n latest of them; of each of those the latest n rows are read
   from an index. What is read grows with the page, not with the log.
3. Part of a request's id can stand anywhere, so the whole index of ids is read for it; one whole id is looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, and_, case, false, func, literal_column, or_, select

from app.core.request_log.filters import LogFilter
from app.core.request_log.rows import LogRow
from app.core.request_log.traits import TRAITS
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.logs.wanted import WHOLE_ID, Condition, holds, in_time, may_be_of_an_id, of_traits
from app.storage.sql.tables import log_traits, logs

LOOKED_THROUGH: Final = 3_000
"""Or LOOKED_THROUGH_A_ROW for each of the page."""
LOOKED_THROUGH_A_ROW: Final = 20
LOOKED_THROUGH_FOR_SHORT: Final = 200_000
"""Where a few characters are looked for in ids: they stand in many."""
SHORT: Final = 3
"""Most characters of those."""
MOST_WITH_ID: Final = 20_000
"""Rows in whose request id more than those stand, of some ten million."""
ARMS: Final = 100
"""So many combinations are read by one statement; SQLite takes 500."""
MOST_COUNTED: Final = 2_000_000

_LATEST: Final = (logs.c.at_ms.desc(), logs.c.id.desc())


class Place(NamedTuple):
    """Of a row in the order of the list."""

    at_ms: int
    id: int


def read_page(connection: Connection, wanted: LogFilter, before: Place | None, limit: int) -> list[KeptRow]:
    """The latest rows that fit and stand before a place, at most so many."""
    return read_rows(connection, _Search(connection, wanted, before, limit).places())


def read_request(connection: Connection, request_id: str) -> list[KeptRow]:
    """The rows of one call, in the order of its attempts."""
    found = connection.execute(select(logs.c.at_ms, logs.c.id).where(logs.c.request_id == request_id).limit(1_000))
    return sorted(read_rows(connection, [Place(*row) for row in found]), key=lambda kept: kept.row.attempt)


def read_rows(connection: Connection, places: Sequence[Place]) -> list[KeptRow]:
    """In the order of the places."""
    if not places:
        return []
    ids = [place.id for place in places]
    query = select(logs.c.id, *_COLUMNS).join(log_traits, log_traits.c.id == logs.c.traits_id).where(logs.c.id.in_(ids))
    found = {row[0]: _kept(row) for row in connection.execute(query)}
    return [found[id] for id in ids if id in found]


def count_rows(connection: Connection, wanted: LogFilter) -> tuple[int, bool]:
    """How many rows fit; whether there may be more: nobody counts on beyond MOST_COUNTED."""
    count = _counted(connection, wanted, by_id=False)
    if count < MOST_COUNTED and may_be_of_an_id(wanted.q):
        count += _counted(connection, wanted, by_id=True)
    return min(count, MOST_COUNTED), count >= MOST_COUNTED


def _counted(connection: Connection, wanted: LogFilter, *, by_id: bool) -> int:
    """Those in which `q` stands, but for the request's id; or the others, `by_id`."""
    fitting = of_traits(wanted)
    query: Any = select(literal_column("1")).select_from(logs).where(*in_time(wanted))
    if wanted.q:
        found = holds(log_traits.c.searched, wanted.q, connection.dialect)
        fitting.append(~found if by_id else found)
    if by_id:
        query = query.where(_stands_in_id(connection, wanted.q))
    if fitting:
        query = query.where(logs.c.traits_id.in_(select(log_traits.c.id).where(*fitting)))
    return connection.scalar(select(func.count()).select_from(query.limit(MOST_COUNTED).subquery())) or 0


def _stands_in_id(connection: Connection, text: str) -> Condition:
    """Whether a text stands in a row's request id."""
    if len(text) == WHOLE_ID:
        return logs.c.request_id == text
    found = holds(logs.c.request_id, text, connection.dialect)
    if len(text) <= SHORT:
        return found
    # From the index of ids alone; as one query with the rest, some databases would look at each row instead.
    ids = connection.scalars(select(logs.c.id).where(found).limit(MOST_WITH_ID)).all()
    return logs.c.id.in_(ids) if ids else false()


class _Search:
    """For one page."""

    def __init__(self, connection: Connection, wanted: LogFilter, before: Place | None, limit: int) -> None:
        self._connection = connection
        self._wanted = wanted
        self._limit = limit
        self._at_ms = None if before is None else before.at_ms
        self._before_ms = _lower(wanted.to_ms, None if before is None else before.at_ms + 1)
        """All rows are from before it."""
        self._in_time = in_time(wanted, before)
        self._conditions = of_traits(wanted)
        self._q = wanted.q
        self._is_of_an_id = bool(wanted.q) and may_be_of_an_id(wanted.q)

    def places(self) -> list[Place]:
        """Of the rows that fit."""
        if not self._conditions and not self._q:
            return self._read(select(logs.c.at_ms, logs.c.id).where(*self._in_time).order_by(*_LATEST))
        if self._is_of_an_id and len(self._q) == WHOLE_ID and (found := self._with_id()):
            return found
        found = self._latest()
        if len(found) < self._limit:
            found = self._of_latest_traits()
            if self._is_of_an_id:
                found += self._with_id()
                found = sorted(set(found), reverse=True)[: self._limit]
        return found

    def _read(self, query: Any) -> list[Place]:
        return [Place(*row) for row in self._connection.execute(query.limit(self._limit))]

    def _holds(self, column: Any) -> Condition:
        return holds(column, self._q, self._connection.dialect)

    def _latest(self) -> list[Place]:
        columns = [logs.c.at_ms, logs.c.id, logs.c.traits_id]
        if self._is_of_an_id:
            columns.append(logs.c.request_id)
        latest = select(*columns).where(*self._in_time).order_by(*_LATEST).limit(self._many_latest()).subquery()
        conditions = list(self._conditions)
        if self._q:
            found = self._holds(log_traits.c.searched)
            conditions.append(or_(found, self._holds(latest.c.request_id)) if self._is_of_an_id else found)
        query = select(latest.c.at_ms, latest.c.id).join(log_traits, log_traits.c.id == latest.c.traits_id)
        return self._read(query.where(and_(*conditions)).order_by(latest.c.at_ms.desc(), latest.c.id.desc()))

    def _many_latest(self) -> int:
        if self._is_of_an_id and len(self._q) <= SHORT:
            return LOOKED_THROUGH_FOR_SHORT
        return max(LOOKED_THROUGH, LOOKED_THROUGH_A_ROW * self._limit)

    def _with_id(self) -> list[Place]:
        query = select(logs.c.at_ms, logs.c.id).where(_stands_in_id(self._connection, self._q))
        if self._conditions:
            query = query.where(logs.c.traits_id.in_(select(log_traits.c.id).where(*self._conditions)))
        query = query.where(*self._in_time)
        if len(self._q) <= SHORT:
            return self._read(query.order_by(*_LATEST))
        # They are few, and some databases would look for them among all rows where those are wanted in order.
        found = [Place(*row) for row in self._connection.execute(query)]
        return sorted(found, reverse=True)[: self._limit]

    def _of_latest_traits(self) -> list[Place]:
        traits, least_ms = self._latest_traits()
        spans = [*self._spans(), f"at_ms >= {int(least_ms)}"]
        places: list[Place] = []
        for begin in range(0, len(traits), ARMS):
            # Numbers alone, of our own: SQLAlchemy would take longer to put so many arms together than they take.
            arms = " UNION ALL ".join(self._arm(n, id, spans) for n, id in enumerate(traits[begin : begin + ARMS]))
            places += [Place(*row) for row in self._connection.exec_driver_sql(arms)]
        return sorted(places, reverse=True)[: self._limit]

    def _arm(self, number: int, traits_id: int, spans: list[str]) -> str:
        conditions = " AND ".join([f"traits_id = {int(traits_id)}", *spans])
        return (
            f"SELECT at_ms, id FROM (SELECT at_ms, id FROM {logs.name} WHERE {conditions}"  # noqa: S608
            f" ORDER BY at_ms DESC, id DESC LIMIT {self._limit}) AS a{number}"
        )

    def _spans(self) -> list[str]:
        dialect = self._connection.dialect
        texts = (one.compile(dialect=dialect, compile_kwargs={"literal_binds": True}) for one in self._in_time)
        return [f"({text})" for text in texts]

    def _latest_traits(self) -> tuple[list[int], int]:
        """The ids of those that occurred last, as many as rows are wanted, and all that did at the same time.

        And that time, before which no row of the page is.
        """
        c, at_ms = log_traits.c, self._before_ms
        conditions = list(self._conditions)
        if self._q:
            conditions.append(self._holds(c.searched))
        if self._wanted.from_ms is not None:
            conditions.append(c.last_at_ms >= self._wanted.from_ms)
        last: Any = c.last_at_ms
        if at_ms is not None:
            conditions.append(c.first_at_ms < at_ms)
            newest = select(logs.c.at_ms).where(logs.c.traits_id == c.id, logs.c.at_ms < at_ms)
            before = newest.order_by(logs.c.at_ms.desc()).limit(1).scalar_subquery()
            last = case((c.last_at_ms < at_ms, c.last_at_ms), else_=before)
        query = select(c.id, last.label("last")).where(and_(*conditions)).order_by(literal_column("last").desc())
        many = self._limit + ARMS
        while True:
            found = [row for row in self._connection.execute(query.limit(many)) if row[1] is not None]
            # Of those at the time of `before` itself, nobody knows yet whether that row stands before it.
            sure = [last_ms for _, last_ms in found if self._at_ms is None or last_ms < self._at_ms]
            least = sure[self._limit - 1] if len(sure) >= self._limit else 0
            fitting = [id for id, last_ms in found if last_ms >= least]
            if len(fitting) < many:
                return fitting, least
            many *= 4  # more of one millisecond than were read


def _lower(one: int | None, other: int | None) -> int | None:
    known = [ms for ms in (one, other) if ms is not None]
    return min(known) if known else None


_FIELDS: Final = tuple(name for name in LogRow._fields if name in logs.c or name in TRAITS)
_COLUMNS: Final = tuple((logs if name in logs.c else log_traits).c[name] for name in _FIELDS)
_USAGE: Final = _FIELDS.index("usage")


def _kept(values: Sequence[Any]) -> KeptRow:
    id, *fields = values
    if fields[_USAGE] is not None:
        fields[_USAGE] = orjson.loads(fields[_USAGE])
    return KeptRow(id, LogRow(**dict(zip(_FIELDS, fields, strict=True))))
