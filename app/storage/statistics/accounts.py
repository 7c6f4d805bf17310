"""What the ledger knows at one cursor, read from Redis and kept up with the clock.

The sums over whole windows are kept in memory between batches, because reading 60 days anew every second would be
dear. They hold only as long as the cursor in Redis is the one that this process read or wrote last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from app.core.statistics.panels import Panels
from app.core.statistics.problems import Problem, decode
from app.core.statistics.sliding import SlidingSum, Windows
from app.core.statistics.tallies import Tally
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS
from app.storage.connections import (
    STATS_DAYS,
    STATS_DROPPED,
    STATS_HOUR,
    STATS_HOURS_FROM,
    STATS_IN_FLIGHT,
    STATS_MINUTE,
    STATS_PROBLEMS,
    STATS_RECENT,
    STATS_TOTAL,
    Redis,
)
from app.storage.statistics.in_flight import InFlight

MINUTES_KEPT_MS = 25 * HOUR_MS
"""How long a minute stays in Redis after its end: the 24 h window must be able to subtract it."""
HOURS_KEPT_MS = 62 * DAY_MS
"""The same of an hour, for the 30 days before the latest 30."""
HOURS_KEPT_ONCE_MS = 31 * DAY_MS
"""So long earlier versions kept them."""
READ_AT_ONCE = 200

_NAMES = {MINUTE_MS: STATS_MINUTE, HOUR_MS: STATS_HOUR}


@dataclass(slots=True)
class Account:
    """What the ledger says at one cursor."""

    cursor: bytes | None
    windows: Windows
    panels: Panels
    dropped: int
    recent: list[tuple[str, int]]
    """Endpoint and end (Unix seconds) of the latest requests, in the order in which they were rolled up."""
    problems: list[Problem]
    in_flight: InFlight
    hours_from_ms: int
    """From then on hours are there: those before it an earlier version has let go."""


class Accounts:
    """Reads them."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client

    def read(self, cursor: bytes | None, now_ms: int) -> Account:
        """The account as Redis has it. Raises redis.RedisError."""
        windows = Windows(now_ms)
        panels = Panels(windows)
        self._fill(MINUTE_MS, panels)
        self._fill(HOUR_MS, panels)
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(STATS_TOTAL)
            pipe.hgetall(STATS_DAYS)
            pipe.get(STATS_DROPPED)
            pipe.lrange(STATS_RECENT, 0, -1)
            pipe.get(STATS_PROBLEMS)
            pipe.hgetall(STATS_IN_FLIGHT)
            totals, days, dropped, recent, problems, in_flight = pipe.execute()
        for endpoint, tally in decoded(totals).items():
            windows.total.add(endpoint, tally)
        for day, count in days.items():
            number, kind, endpoint = day.decode().split(" ", 2)
            requests, errors = (int(count), 0) if kind == "r" else (0, int(count))
            windows.total.add_day(int(number), endpoint, requests, errors)
        account = Account(
            cursor,
            windows,
            panels,
            int(dropped or 0),
            [tuple(orjson.loads(entry)) for entry in recent],
            decode(problems),
            InFlight({MINUTE_MS: MINUTES_KEPT_MS, HOUR_MS: HOURS_KEPT_MS}),
            self._keep_hours(now_ms),
        )
        account.in_flight.load(in_flight)
        return account

    def _fill(self, bucket_ms: int, panels: Panels) -> None:
        shown = [one for one in panels.by_name.values() if one.shown.span.bucket_ms == bucket_ms]
        before = [one.before for one in panels.by_name.values() if one.before.span.bucket_ms == bucket_ms]
        first = min(one.first for one in _sums(panels) if one.span.bucket_ms == bucket_ms)
        last = max(one.shown.last for one in shown)
        for number, tallies in self.buckets(bucket_ms, range(first, last + 1)):
            for panel in shown:
                panel.take(number, tallies)
            for window in before:
                window.take(number, tallies)
        for panel in shown:
            panel.sum_up()
        for window in before:
            window.sum_up()

    def _keep_hours(self, now_ms: int) -> int:
        """Hours that an earlier version stored stay longer, too. Returns from when on they are there."""
        first: Any = self._redis.get(STATS_HOURS_FROM)
        if first is not None:
            return int(first)
        now = now_ms // HOUR_MS
        with self._redis.pipeline(transaction=False) as pipe:
            for number in range(now - HOURS_KEPT_ONCE_MS // HOUR_MS, now + 1):
                pipe.pexpire(f"{STATS_HOUR}{number}", (number + 1) * HOUR_MS + HOURS_KEPT_MS - now_ms)
            pipe.set(STATS_HOURS_FROM, now_ms - HOURS_KEPT_ONCE_MS + HOUR_MS)
            pipe.execute()
        return now_ms - HOURS_KEPT_ONCE_MS + HOUR_MS

    def slide(self, account: Account, now_ms: int) -> None:
        """Moves all windows to now. Raises redis.RedisError."""
        windows = account.windows
        windows.now_ms = max(now_ms, windows.now_ms)
        windows.total.slide(now_ms)
        sums = _sums(account.panels)
        for bucket_ms in _NAMES:
            turning = [one for one in sums if one.span.bucket_ms == bucket_ms]
            numbers = {number for one in turning for some in one.turns(now_ms) for number in some}
            if numbers:
                buckets = dict(self.buckets(bucket_ms, numbers))
                for window in turning:
                    window.slide(now_ms, buckets)
        for panel in account.panels.by_name.values():
            panel.slide(now_ms)

    def complete(self, account: Account) -> None:
        """Brings the charts up to date with what is stored. Raises redis.RedisError."""
        for panel in account.panels.by_name.values():
            panel.chart.complete(partial(self.buckets, panel.chart.span.bucket_ms))

    def buckets(self, bucket_ms: int, numbers: Iterable[int]) -> Iterator[tuple[int, dict[str, Tally]]]:
        """Those of the numbered buckets that hold something, in the order that is given."""
        name = _NAMES[bucket_ms]
        numbers = list(numbers)
        for at in range(0, len(numbers), READ_AT_ONCE):
            some = numbers[at : at + READ_AT_ONCE]
            with self._redis.pipeline(transaction=False) as pipe:
                for number in some:
                    pipe.hgetall(f"{name}{number}")
                for number, tallies in zip(some, pipe.execute(), strict=True):
                    if tallies:
                        yield number, decoded(tallies)


def _sums(panels: Panels) -> list[SlidingSum]:
    return [window for panel in panels.by_name.values() for window in (panel.shown, panel.before)]


def decoded(tallies: Mapping[bytes, bytes]) -> dict[str, Tally]:
    return {endpoint.decode(): Tally.decode(encoded) for endpoint, encoded in tallies.items()}
