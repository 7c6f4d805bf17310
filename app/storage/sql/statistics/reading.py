"""Answers what is asked of the sums. It runs in a thread: nothing here touches what belongs to the loop.

The database adds up: it knows cells, groups them, and joins their vectors, one after the other. What comes back is a
row for each group, and while it works others run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, LargeBinary, Select, Table, cast, func, literal, select, text

from app.core.statistics.sums.cells import HOUR_MS, MADE, NUMBERS, REQUESTS, Names
from app.core.statistics.sums.question import BY, Group, Question, TooMuch
from app.core.statistics.sums.spans import Piece, pieces
from app.core.statistics.sums.sums import Sum, SumOfSpan
from app.storage.sql.statistics import tables

MOST_ROWS: Final = 3_000_000
"""Of an answer: some seconds of work."""
MOST_IDS: Final = 500
ROWS_AT_ONCE: Final = 20_000
"""In one statement: what they join to is no longer than a packet of a database, and a statement is short."""


@dataclass(frozen=True, slots=True)
class Answered:
    groups: list[tuple[Group, Names, SumOfSpan]]
    """Those with the most requests, the most first."""
    totals: SumOfSpan
    """Of all groups, told or not."""
    count: int
    """How many groups there are."""


@dataclass(frozen=True, slots=True)
class Series:
    groups: list[tuple[Group, Names, list[Sum | None]]]
    """Those with the most requests, and a sum for each point; None: nothing was in it."""
    count: int


class Joined(NamedTuple):
    """What the cells of a group add up to in one piece."""

    group: Group
    numbers: list[int]
    bins: bytes
    minutes: bytes


def sums(connection: Connection, asked: Question) -> Answered:
    """Raises TooMuch."""
    whole = pieces(asked.span, asked.now_ms)
    read = _slices(connection, asked, whole)
    totals = SumOfSpan(asked.span, asked.now_ms)
    if not asked.by:
        _add_up(connection, asked, read, {(): totals})
        return Answered([], totals, 0)
    groups = _Groups(connection, asked)
    if groups.are_few:
        by_group = {group: SumOfSpan(asked.span, asked.now_ms) for group in groups.names}
        _add_up(connection, asked, read, by_group, totals=totals)
        groups.choose({group: (sum.numbers[REQUESTS], sum.numbers[MADE]) for group, sum in by_group.items()})
    else:
        groups.choose(_counted(connection, asked, whole))
        by_group = {group: SumOfSpan(asked.span, asked.now_ms) for group in groups.shown}
        _add_up(connection, asked, read, by_group, groups.ids)
        _add_up(connection, replace(asked, by=()), read, {(): totals})
    return Answered([(group, groups.names[group], by_group[group]) for group in groups.shown], totals, groups.count)


def series(connection: Connection, asked: Question, points: Sequence[int]) -> Series:
    """`points`: when each begins, ascending; the first not after the span. Raises TooMuch."""
    whole = pieces(asked.span, asked.now_ms, points)
    _slices(connection, asked, whole)
    groups = _Groups(connection, asked)
    if asked.by:
        groups.choose(_counted(connection, asked, whole))
    by_group: dict[Group, list[Sum | None]] = {group: [None] * len(points) for group in groups.shown}
    for place, begin_ms in enumerate(points):
        end_ms = points[place + 1] if place + 1 < len(points) else asked.span.to_ms
        for piece in _within(whole, begin_ms, end_ms):
            for one in _joined(connection, asked, piece, groups.ids):
                if one.group in by_group:
                    point = by_group[one.group][place]
                    if point is None:
                        point = by_group[one.group][place] = Sum()
                    point.add(one.numbers, one.bins)
    return Series([(group, groups.names[group], sums) for group, sums in by_group.items()], groups.count)


def _add_up(
    connection: Connection,
    asked: Question,
    read: Sequence[Piece],
    by_group: Mapping[Group, SumOfSpan],
    ids: Sequence[int] = (),
    totals: SumOfSpan | None = None,
) -> None:
    for piece in read:
        for one in _joined(connection, asked, piece, ids):
            for sum in (totals, by_group.get(one.group)):
                if sum is not None:
                    sum.add(one.numbers, one.bins)
                    sum.add_minutes(one.minutes)


class _Groups:
    """What rows are told apart: which there are, which are shown, and what they are called."""

    def __init__(self, connection: Connection, asked: Question) -> None:
        self._asked = asked
        self.names: dict[Group, Names] = {} if asked.by else {(): Names()}
        """Of all that may be in the span, as they were called last."""
        self.count = 0
        self.shown: list[Group] = [] if asked.by else [()]
        """Those with the most requests, the most first; where nothing is told apart the one of all."""
        self.ids: list[int] = []
        """Of the cells of those that are shown, where these are few; empty: look at all cells."""
        self._ids: dict[int, Group] = {}
        if asked.by:
            self._look_up(connection)

    @property
    def are_few(self) -> bool:
        """Whether all can be shown."""
        return len(self.names) <= self._asked.limit

    def choose(self, counts: Mapping[Group, Sequence[int]]) -> None:
        """Whom to show, by the requests of each and the attempts that were made there."""
        there = [group for group, (requests, made) in counts.items() if requests or (made and self._asked.counts_made)]
        self.count = len(there)
        self.shown = sorted(there, key=lambda group: (*[-count for count in counts[group]], group))[: self._asked.limit]
        shown = set(self.shown)
        ids = [id for id, group in self._ids.items() if group in shown]
        self.ids = ids if len(ids) <= MOST_IDS else []

    def _look_up(self, connection: Connection) -> None:
        asked, cells = self._asked, tables.cells
        fields = [name for one in asked.by for name in BY[one][1:]]
        wanted = select(cells.c.id, *_by(asked), *[cells.c[name] for name in fields])
        wanted = wanted.where(cells.c.last_at_ms >= asked.span.from_ms - HOUR_MS, *_fits(asked))
        for id, *texts in connection.execute(wanted.order_by(cells.c.last_at_ms)):
            group = self._ids[id] = tuple(texts[: len(asked.by)])
            self.names[group] = Names(**dict(zip(fields, texts[len(asked.by) :], strict=True)))


def _counted(connection: Connection, asked: Question, read: Sequence[Piece]) -> dict[Group, list[int]]:
    """Requests of each group, and attempts that were made there."""
    counts: dict[Group, list[int]] = {}
    for piece in read:
        table = _table(piece)
        summed = _of(asked, piece, func.sum(table.c.requests), func.sum(table.c.made)).group_by(*_by(asked))
        for *texts, requests, made in connection.execute(summed):
            count = counts.setdefault(tuple(texts), [0, 0])
            count[0] += int(requests)
            count[1] += int(made)
    return counts


def _slices(connection: Connection, asked: Question, read: Sequence[Piece]) -> list[Piece]:
    """The pieces in parts of few rows each. Raises TooMuch."""
    held = []
    for piece in read:
        table = _table(piece)
        within = select(func.count()).where(table.c.at_ms >= piece.from_ms, table.c.at_ms < piece.to_ms)
        if fits := _fits(asked):
            within = within.where(table.c.cell.in_(select(tables.cells.c.id).where(*fits)))
        held.append(connection.scalar(within) or 0)
    if sum(held) > MOST_ROWS:
        raise TooMuch(f"holds {sum(held):,} sums, and more than {MOST_ROWS:,} take too long")
    found: list[Piece] = []
    for piece, count in zip(read, held, strict=True):
        units = (piece.to_ms - piece.from_ms) // piece.unit_ms
        step_ms = max(1, units * ROWS_AT_ONCE // max(1, count)) * piece.unit_ms
        begins = range(piece.from_ms, piece.to_ms, step_ms)
        found += [Piece(piece.unit_ms, from_ms, min(from_ms + step_ms, piece.to_ms)) for from_ms in begins]
    return found


def _within(read: Sequence[Piece], from_ms: int, to_ms: int) -> Iterator[Piece]:
    """The units that begin in a span."""
    for piece in read:
        begin_ms = max(piece.from_ms, -(-from_ms // piece.unit_ms) * piece.unit_ms)
        end_ms = min(piece.to_ms, -(-to_ms // piece.unit_ms) * piece.unit_ms)
        if begin_ms < end_ms:
            yield Piece(piece.unit_ms, begin_ms, end_ms)


def _joined(connection: Connection, asked: Question, piece: Piece, ids: Sequence[int]) -> Iterator[Joined]:
    """`ids`: of these cells only, where any are given."""
    table = _table(piece)
    numbers = [func.sum(table.c[name]) for name in NUMBERS]
    lengths = [func.sum(func.length(table.c[name])) for name in ("bins", "minutes")]
    vectors = [_one_after_the_other(connection, table.c[name]) for name in ("bins", "minutes")]
    wanted = _of(asked, piece, func.count(), *numbers, *lengths, *vectors).group_by(*_by(asked))
    for row in connection.execute(wanted.where(table.c.cell.in_(ids)) if ids else wanted):
        *known, bins_length, minutes_length, bins, minutes = row
        group, (count, *counted) = tuple(known[: len(asked.by)]), known[len(asked.by) :]
        if not count:
            continue  # of all together there is a row, even of none
        if (len(bins), len(minutes)) != (bins_length, minutes_length):
            raise TooMuch("holds more than the database joins: its max_allowed_packet is too small")
        yield Joined(group, [int(number) for number in counted], bins, minutes)


def _of(asked: Question, piece: Piece, *wanted: ColumnElement[Any]) -> Select[Any]:
    """Of the rows of a piece that are asked for, with what they are told apart by."""
    table, cells = _table(piece), tables.cells
    found = select(*_by(asked), *wanted).select_from(table)
    fits = _fits(asked)
    if asked.by or fits:
        found = found.join(cells, cells.c.id == table.c.cell).where(*fits)
    return found.where(table.c.at_ms >= piece.from_ms, table.c.at_ms < piece.to_ms)


def _by(asked: Question) -> list[ColumnElement[Any]]:
    return [tables.cells.c[BY[name][0]] for name in asked.by]


def _fits(asked: Question) -> list[ColumnElement[bool]]:
    fits = [tables.cells.c[name] == value for name, value in asked.filters.items()]
    return [*fits, tables.cells.c.channel_id != ""] if asked.of_channels else fits


def _one_after_the_other(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[bytes]:
    match connection.dialect.name:
        case "postgresql":
            return func.string_agg(column, literal(b"", LargeBinary), type_=LargeBinary)
        case "sqlite":
            return cast(func.group_concat(column, ""), LargeBinary)
        case _:
            return func.group_concat(column.op("SEPARATOR")(text("''")), type_=LargeBinary)


def _table(piece: Piece) -> Table:
    return tables.hours if piece.unit_ms == HOUR_MS else tables.quarters
