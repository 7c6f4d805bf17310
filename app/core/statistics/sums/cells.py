"""Cells: what the rows of one quarter of an hour add up to that agree in channel, token, mapping, key, model, dialect.

All is whole numbers, so cells can be added in any order. Calls are counted by their final rows, attempts by all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, NamedTuple

from app.core.judging.outcome import Outcome
from app.core.request_log.rows import LogRow
from app.core.statistics.sums.vectors import Counts
from app.core.statistics.tallies import bin_of
from app.core.usage import ESTIMATED, REPORTED

MINUTE_MS: Final = 60_000
QUARTER_MS: Final = 15 * MINUTE_MS
HOUR_MS: Final = 60 * MINUTE_MS
GOOD: Final = frozenset({Outcome.OK.value, Outcome.ANSWERED_HERE.value})
NEITHER: Final = frozenset(
    {Outcome.CLIENT_GONE.value, Outcome.REFUSED.value, Outcome.ENDED.value, Outcome.INTERRUPTED.value}
)
"""Neither good nor errors."""
LONGEST_TEXT: Final = 255
MOST_TOKENS: Final = 1 << 36
MOST_NANO: Final = 1 << 50
"""What an upstream tells of one call counts no further: sums must fit into 64 bits."""

NUMBERS: Final = (
    "requests", "good", "errors", "made", "of_requests", "input", "cached", "cache_write_5m", "cache_write_1h",
    "output", "reasoning", "reported", "estimated", "cost_nano",
)  # fmt: skip
"""What a cell counts, in the order of its `numbers`: `made`, the attempts that were made there; `of_requests`, all that
its requests had; `reported` and `estimated`, the requests whose usage is that."""
REQUESTS, GOODS, ERRORS, MADE, OF_REQUESTS, USAGE, _, _, _, _, _, REPORTS, ESTIMATES, COST = range(len(NUMBERS))
COUNTS: Final = NUMBERS[USAGE:REPORTS]
"""Those of them that are tokens."""

DURATION, FIRST_BYTE, FIRST_CONTENT = 0, 256, 512
"""Where the bins of three histograms begin in one vector."""
MOST_BIN: Final = 255
CALLS_OF, ERRORS_OF = 0, 1
"""In the vector of minutes: what is added to twice the minute since the epoch."""


class Dimensions(NamedTuple):
    """By what rows are told apart. An empty text: none."""

    channel_id: str
    token_id: str
    mapping: str
    key_id: str
    model: str
    dialect: str

    @property
    def id(self) -> int:
        """63 bits of a hash: whoever has the texts knows it, and no two of a million agree."""
        return int.from_bytes(blake2b("\0".join(self).encode(), digest_size=8).digest(), "big") >> 1


_OF_ROW: Final = itemgetter(*(LogRow._fields.index(name) for name in Dimensions._fields))


class Names(NamedTuple):
    """What those of a cell were called when its last row was written."""

    channel: str = ""
    token: str = ""
    key_hint: str = ""


class Cell:
    """Of one unit of time. `fold` makes it; after that it changes no more, so a quarter and its hour may share it."""

    __slots__ = ("bins", "minutes", "names", "numbers")

    def __init__(self, names: Names) -> None:
        self.numbers = [0] * len(NUMBERS)
        self.bins: Counts = {}
        self.minutes: Counts = {}
        """Calls, and errors, by the minute in which they began."""
        self.names = names

    @property
    def was_sent(self) -> bool:
        """Whether any attempt was made."""
        return self.numbers[MADE] > 0

    def add(self, other: Cell) -> None:
        """Only to a cell that nobody else holds."""
        self.names = other.names
        self.numbers = [one + more for one, more in zip(self.numbers, other.numbers, strict=True)]
        for counts, part in ((self.bins, other.bins), (self.minutes, other.minutes)):
            for number, count in part.items():
                counts[number] = counts.get(number, 0) + count


Cells = dict[Dimensions, Cell]


Quarters = dict[int, Cells]
"""By the begin of a quarter of an hour, in ms since the epoch."""


def fold(rows: Iterable[LogRow], before: Quarters | None = None) -> Quarters:
    """Sorts rows into the quarters in which they begin: into those that there were before, which it returns."""
    quarters: Quarters = {} if before is None else before
    for row in rows:
        at_ms = row[0]
        quarter_ms = at_ms - at_ms % QUARTER_MS
        cells = quarters.get(quarter_ms)
        if cells is None:
            cells = quarters[quarter_ms] = {}
        texts = _OF_ROW(row)
        cell = cells.get(texts)
        if cell is None:
            names = Names(_kept(row.channel), _kept(row.token), _kept(row.key_hint))
            cell = cells.setdefault(Dimensions(*map(_kept, texts)), Cell(names))
        if row.attempt:
            cell.numbers[MADE] += 1
        if row.final:
            _add_call(cell, row)
    return quarters


def hours_of(quarters: Mapping[int, Cells]) -> dict[int, Cells]:
    hours: dict[int, Cells] = {}
    for at_ms, cells in quarters.items():
        hour = hours.setdefault(at_ms - at_ms % HOUR_MS, {})
        for key, cell in cells.items():
            before = hour.get(key)
            hour[key] = cell if before is None else together(before, cell)
    return hours


def together(*cells: Cell) -> Cell:
    """What one or more hold, in a cell of its own."""
    found = Cell(cells[0].names)
    for cell in cells:
        found.add(cell)
    return found


def _kept(text: str) -> str:
    """As all databases take it: PostgreSQL has no NUL in a text."""
    return text if len(text) <= LONGEST_TEXT and "\0" not in text else text.replace("\0", "")[:LONGEST_TEXT]


def _add_call(cell: Cell, row: LogRow) -> None:
    numbers, minutes = cell.numbers, cell.minutes
    minute = row.at_ms // MINUTE_MS * 2 + CALLS_OF
    numbers[REQUESTS] += 1
    minutes[minute] = minutes.get(minute, 0) + 1
    outcome = row.outcome
    if outcome in GOOD:
        numbers[GOODS] += 1
    elif outcome not in NEITHER:
        numbers[ERRORS] += 1
        minute += ERRORS_OF - CALLS_OF
        minutes[minute] = minutes.get(minute, 0) + 1
    numbers[OF_REQUESTS] += row.attempts or row.attempt
    usage = row.usage
    if usage is not None:
        _add_usage(numbers, usage)
    cost_nano = row.cost_nano
    if cost_nano:
        numbers[COST] += max(0, min(cost_nano, MOST_NANO))
    bins = cell.bins
    _count(bins, DURATION, row.duration_ms)
    if row.first_byte_ms is not None:
        _count(bins, FIRST_BYTE, row.first_byte_ms)
    if row.first_content_ms is not None:
        _count(bins, FIRST_CONTENT, row.first_content_ms)


def _count(bins: Counts, begin: int, ms: float) -> None:
    number = bin_of(ms)
    number = begin + (number if number < MOST_BIN else MOST_BIN)
    bins[number] = bins.get(number, 0) + 1


def _add_usage(numbers: list[int], usage: list[Any]) -> None:
    """`usage`: a `core.usage.Usage` as a list, of which fields may lack."""
    for place, count in enumerate(usage[: len(COUNTS)], USAGE):
        if count:
            numbers[place] += max(0, min(int(count), MOST_TOKENS))
    source = usage[len(COUNTS)] if len(usage) > len(COUNTS) else ""
    numbers[REPORTS] += source == REPORTED
    numbers[ESTIMATES] += source == ESTIMATED
