"""What calls to channels add up to, by the dialect that they were served in: for figures that anybody may see.

Counted are the final rows of calls of which a channel was tried and that succeeded or failed; not those whose client
left, nor what was refused here. Sums are kept by quarters of an hour, at which the days of all time zones turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.core.request_log.rows import LogRow
from app.core.request_log.sums import GOOD, NEITHER
from app.core.usage import Usage

MINUTE_MS: Final = 60_000
_MINUTES: Final = 15
QUARTER_MS: Final = _MINUTES * MINUTE_MS


class DialectSum:
    __slots__ = ("cached", "errors", "good", "input", "nano", "output", "written")

    def __init__(self) -> None:
        self.good = self.errors = 0
        self.input = self.output = self.cached = self.written = 0
        """Tokens; `output` with reasoning, `written` to caches."""
        self.nano = 0
        """What is known of their cost, in nano-dollars."""

    def add(self, other: DialectSum) -> None:
        self.good += other.good
        self.errors += other.errors
        self.input += other.input
        self.output += other.output
        self.cached += other.cached
        self.written += other.written
        self.nano += other.nano


class DialectSums:
    """Of rows in any order."""

    def __init__(self, now_ms: int) -> None:
        """`now_ms`: when they were asked for."""
        self.now_ms = now_ms
        self.whole_since_ms = 0
        """From when on no row is missing; 0: none ever went."""
        self.of_last_minute = 0
        self._quarters: dict[int, dict[str, DialectSum]] = {}
        self._minutes: dict[int, list[int]] = {}
        """Calls in each minute of a quarter."""

    def add(self, row: LogRow) -> None:
        is_good = row.outcome in GOOD
        if not (row.final and row.channel_id and row.dialect) or (not is_good and row.outcome in NEITHER):
            return
        quarter = row.at_ms // QUARTER_MS
        sums = self._quarters.setdefault(quarter, {})
        found = sums.get(row.dialect)
        if found is None:
            found = sums[row.dialect] = DialectSum()
        found.good += is_good
        found.errors += not is_good
        found.nano += row.cost_nano or 0
        if row.usage is not None:
            usage = Usage(*row.usage[: len(Usage._fields)])
            found.input += usage.input or 0
            found.output += (usage.output or 0) + (usage.reasoning or 0)
            found.cached += usage.cached or 0
            found.written += (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
        self._minutes.setdefault(quarter, [0] * _MINUTES)[row.at_ms // MINUTE_MS % _MINUTES] += 1
        self.of_last_minute += self.now_ms - MINUTE_MS < row.at_ms <= self.now_ms

    def between(self, from_ms: int, to_ms: int) -> dict[str, DialectSum]:
        """By dialect; `to_ms` is exclusive."""
        found: dict[str, DialectSum] = {}
        for quarter in self._within(from_ms, to_ms):
            for dialect, part in self._quarters[quarter].items():
                found.setdefault(dialect, DialectSum()).add(part)
        return found

    def peak(self, from_ms: int, to_ms: int) -> int:
        """Most calls that began in one minute."""
        return max((max(self._minutes[quarter]) for quarter in self._within(from_ms, to_ms)), default=0)

    def _within(self, from_ms: int, to_ms: int) -> Iterator[int]:
        return (quarter for quarter in self._quarters if from_ms <= quarter * QUARTER_MS < to_ms)
