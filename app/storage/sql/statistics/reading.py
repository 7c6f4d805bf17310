"""Answers what is asked of the sums. It runs in a thread: nothing here touches what belongs to the loop."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from app.core.statistics.sums.cells import HOUR_MS, MADE, NUMBERS, REQUESTS, Dimensions, Names
from app.core.statistics.sums.question import Group, Question, TooMuch
from app.core.statistics.sums.spans import Piece, pieces
from app.core.statistics.sums.sums import Sum, SumOfSpan, UnitRow
from app.storage.sql.statistics import tables

ROWS_AT_ONCE: Final = 1_000
MOST_ROWS: Final = 3_000_000
"""Of an answer: some seconds of work."""


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


def sums(connection: Connection, asked: Question) -> Answered:
    """Raises TooMuch."""
    read = pieces(asked.span, asked.now_ms)
    cells = _Cells(connection, asked, read)
    totals = SumOfSpan(asked.span, asked.now_ms)
    by_group = {group: SumOfSpan(asked.span, asked.now_ms) for group in cells.shown}
    for group, numbers in cells.numbers.items():
        totals.count(numbers)
        if group in by_group:
            by_group[group].count(numbers)
    for piece in read:
        wanted = [_table(piece).c[name] for name in UnitRow._fields]
        for _, rows in cells.units(connection, piece, wanted):
            totals.add_unit(piece.unit_ms, rows)
            for group, of_group in cells.grouped(rows):
                by_group[group].add_unit(piece.unit_ms, of_group)
    told = [(group, cells.names[group], sum) for group, sum in by_group.items()] if asked.by else []
    return Answered(told, totals, cells.count)


def series(connection: Connection, asked: Question, points: Sequence[int]) -> Series:
    """`points`: when each begins, ascending; the first not after the span. Raises TooMuch."""
    read = pieces(asked.span, asked.now_ms, points)
    cells = _Cells(connection, asked, read)
    by_group: dict[Group, list[Sum | None]] = {group: [None] * len(points) for group in cells.shown}
    for piece in read:
        wanted = [_table(piece).c[name] for name in ("at_ms", "cell", *NUMBERS, "bins")]
        for at_ms, rows in cells.units(connection, piece, wanted):
            place = bisect_right(points, at_ms) - 1
            for group, of_group in cells.grouped(rows):
                point = by_group[group][place]
                if point is None:
                    point = by_group[group][place] = Sum()
                _, _, *numbers, bins = zip(*of_group, strict=True)
                point.count(map(sum, numbers))
                point.measure(bins)
    return Series([(group, cells.names.get(group, Names()), sums) for group, sums in by_group.items()], cells.count)


class _Cells:
    """Those that are asked for, and to which group of the answer each belongs."""

    def __init__(self, connection: Connection, asked: Question, read: Sequence[Piece]) -> None:
        self._fits = [tables.cells.c[name] == value for name, value in asked.filters.items()]
        self.names: dict[Group, Names] = {}
        """As they were called last."""
        self.numbers: dict[Group, list[int]] = {}
        """What each group adds up to."""
        self._groups: dict[int, Group] = {}
        self._find(connection, asked)
        self._count(connection, read)
        there = [group for group in self.numbers if self._is_there(group, asked)]
        self.count = len(there) if asked.by else 0
        self.shown = sorted(there, key=self._rank)[: asked.limit] if asked.by else [()]
        """Those with the most requests, the most first; nobody asked to tell any apart: one of all."""
        self._told = set(self.shown)

    def _find(self, connection: Connection, asked: Question) -> None:
        cells = tables.cells
        wanted = select(cells).where(cells.c.last_at_ms >= asked.span.from_ms - HOUR_MS, *self._fits)
        for id, _, *texts in connection.execute(wanted.order_by(cells.c.last_at_ms)):
            group = asked.group_of(Dimensions(*texts[: len(Dimensions._fields)]))
            if group is not None:
                self._groups[id] = group
                self.names[group] = Names(*texts[len(Dimensions._fields) :])

    def _count(self, connection: Connection, read: Sequence[Piece]) -> None:
        held = sum(connection.scalar(self._of(select(func.count()), piece)) or 0 for piece in read)
        if held > MOST_ROWS:
            raise TooMuch(f"holds {held:,} sums, and more than {MOST_ROWS:,} take too long")
        for piece in read:
            table = _table(piece)
            summed = select(table.c.cell, *[func.sum(table.c[name]) for name in NUMBERS])
            for id, *more in connection.execute(self._of(summed, piece).group_by(table.c.cell)):
                group = self._groups.get(id)
                if group is not None:
                    numbers = self.numbers.get(group) or [0] * len(NUMBERS)
                    self.numbers[group] = [one + int(count) for one, count in zip(numbers, more, strict=True)]

    def _is_there(self, group: Group, asked: Question) -> bool:
        numbers = self.numbers[group]
        return bool(numbers[REQUESTS] or (asked.counts_made and numbers[MADE]))

    def _rank(self, group: Group) -> tuple[int, int, Group]:
        numbers = self.numbers[group]
        return -numbers[REQUESTS], -numbers[MADE], group

    def units(
        self, connection: Connection, piece: Piece, wanted: Sequence[ColumnElement[Any]]
    ) -> Iterator[tuple[int, list[Any]]]:
        """The rows of one unit after the other, and when it begins."""
        chosen = self._of(select(*wanted), piece).order_by(_table(piece).c.at_ms)
        parts = connection.execute(chosen, execution_options={"yield_per": ROWS_AT_ONCE}).partitions()
        rows = (row for part in parts for row in part)
        groups = self._groups
        for at_ms, of_unit in groupby(rows, itemgetter(0)):
            found = [row for row in of_unit if row[1] in groups]
            if found:
                yield at_ms, found

    def grouped(self, rows: Sequence[Any]) -> Iterable[tuple[Group, list[Any]]]:
        """The rows of one unit by the groups that are shown."""
        if self.shown == [()]:
            return [((), list(rows))]
        found: dict[Group, list[Any]] = {}
        groups, told = self._groups, self._told
        for row in rows:
            group = groups[row[1]]
            if group in told:
                found.setdefault(group, []).append(row)
        return found.items()

    def _of(self, wanted: Select[Any], piece: Piece) -> Select[Any]:
        table = _table(piece)
        wanted = wanted.where(table.c.at_ms >= piece.from_ms, table.c.at_ms < piece.to_ms)
        return wanted.where(table.c.cell.in_(select(tables.cells.c.id).where(*self._fits))) if self._fits else wanted


def _table(piece: Piece) -> Table:
    return tables.hours if piece.unit_ms == HOUR_MS else tables.quarters
