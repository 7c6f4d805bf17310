"""What rows of the request log add up to, reckoned from each of them: against which statistics are judged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from app.core.request_log.rows import LogRow
from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import fold
from app.core.statistics.sums.sums import SumOfSpan
from app.core.statistics.sums.vectors import BINS, MINUTES

GOOD = {"ok", "answered_here"}
NEITHER = {"client_gone", "refused", "ended", "interrupted"}
FIELDS = {
    "channel": "channel_id", "model": "model", "token": "token_id", "mapping": "mapping", "key": "key_id",
    "dialect": "dialect",
}  # fmt: skip
COUNTS = ("input", "cached", "cache_write_5m", "cache_write_1h", "output", "reasoning")
Group = tuple[str | None, ...]


def added_up(rows: Iterable[LogRow], by: Sequence[str], filters: dict[str, str] | None = None) -> dict[Group, Any]:
    """By what a row of statistics is told apart: its requests, errors, attempts, tokens, nano-dollars, peak."""
    rows = list(rows)
    attempts_of = Counter(row.request_id for row in rows if row.attempt)
    found: dict[Group, Any] = defaultdict(lambda: Counter(requests=0, errors=0, attempts=0))
    minutes: dict[Group, Counter[int]] = defaultdict(Counter)
    for row in rows:
        if any(getattr(row, name) != value for name, value in (filters or {}).items()):
            continue
        group = tuple(getattr(row, FIELDS[one]) or None for one in by)
        made_there = bool({"channel", "key"} & set(by))
        if row.attempt and made_there:
            found[group]["attempts"] += 1
        if not row.final:
            continue
        sum = found[group]
        sum["requests"] += 1
        sum["errors"] += row.outcome not in GOOD | NEITHER
        sum["attempts"] += 0 if made_there else attempts_of[row.request_id]
        sum["nano"] += row.cost_nano or 0
        for name, count in zip(COUNTS, row.usage or [], strict=False):
            sum[name] += count or 0
        minutes[group][row.at_ms // 60_000] += 1
        sum["peak"] = max(minutes[group].values())
    return dict(found)


def told(answer: dict[str, Any]) -> Counter[str]:
    """The same of a row, or of the totals, as the API answers it."""
    found = Counter({name: answer[name] for name in ("requests", "errors", "attempts")})
    found["nano"] = int(Fraction(answer["cost_usd"]) * 10**9)
    found["peak"] = answer["rpm"]["peak"]
    for name in COUNTS:
        found[name] = answer["usage"][name] or 0
    return found


def percentile(values: Sequence[float], share: int) -> float:
    """By the nearest rank."""
    return sorted(values)[ceil(len(values) * share / 100) - 1]


def sum_of(rows: Iterable[LogRow], span: Range, now_ms: int) -> SumOfSpan:
    """What statistics make of rows, without a database between."""
    found = SumOfSpan(span, now_ms)
    for cells in fold(row for row in rows if span.from_ms <= row.at_ms < span.to_ms).values():
        for cell in cells.values():
            found.add(cell.numbers, BINS.packed(cell.bins))
            found.add_minutes(MINUTES.packed(cell.minutes))
    return found
