"""Folding events into buckets, and where windows lie that slide over the buckets (`sliding`).

An event belongs to the minute, the hour and the day (UTC) in which its request ended, however late it
arrives. A window covers whole buckets: `to_ms` is the end of the bucket that `now` is in, `from_ms` lies
exactly the window's length before that. So the 24 h window holds the last 1,439 full minutes and the running
one, the last point of its chart grows until it is full, and the points of a chart add up to the window's
figures.

Nothing here reads a clock or a database: `now_ms` is an argument, buckets are handed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.core.statistics.events import RequestEvent
from app.core.statistics.tallies import Tally

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

BEGINNING_MS = 1_577_836_800_000
"""2020-01-01. An earlier time is that of a machine whose clock was not set yet."""
AHEAD_MS = DAY_MS
"""How far a clock may run ahead of ours before we do not believe it."""
TOTAL_POINTS = 400
"""Most points of the chart over all times; more days than that share points."""

Endpoint = str | None
"""A mapping's prefix; None stands for all endpoints together."""
Buckets = dict[int, dict[str, Tally]]
"""Number of the bucket (its start divided by its length) → endpoint → what was counted in it."""


@dataclass(slots=True)
class Deltas:
    """What a batch of events adds."""

    minutes: Buckets = field(default_factory=dict)
    hours: Buckets = field(default_factory=dict)
    days: Buckets = field(default_factory=dict)
    total: dict[str, Tally] = field(default_factory=dict)
    recent: list[tuple[str, int]] = field(default_factory=list)
    """Endpoint and end (Unix seconds) of each request, as they arrived."""
    rejected: int = 0
    """Events that were not events, left out."""

    @property
    def has_errors(self) -> bool:
        return any(tally.errors for tally in self.total.values())


def believed_ms(ended_at_ms: int, now_ms: int) -> int:
    """A time that cannot be is taken for now."""
    return ended_at_ms if BEGINNING_MS <= ended_at_ms <= now_ms + AHEAD_MS else now_ms


def fold(events: Iterable[RequestEvent], now_ms: int) -> Deltas:
    """Sorts events into their buckets. An event whose time cannot be is counted at `now_ms`."""
    deltas = Deltas()
    for event in events:
        try:
            ended_at_ms = believed_ms(event.ended_at_ms, now_ms)
            if ended_at_ms != event.ended_at_ms:
                event = event._replace(ended_at_ms=ended_at_ms)
            _add(deltas.minutes, int(event.ended_at_ms // MINUTE_MS), event)
            deltas.recent.append((event.endpoint, int(event.ended_at_ms // SECOND_MS)))
        except (TypeError, ValueError, OverflowError):
            deltas.rejected += 1
    for minute, tallies in deltas.minutes.items():
        for endpoint, tally in tallies.items():
            _merge(deltas.hours, minute // 60, endpoint, tally)
    for hour, tallies in deltas.hours.items():
        for endpoint, tally in tallies.items():
            _merge(deltas.days, hour // 24, endpoint, tally)
            deltas.total.setdefault(endpoint, Tally()).merge(tally)
    return deltas


def _add(buckets: Buckets, number: int, event: RequestEvent) -> None:
    tallies = buckets.get(number)
    tally = tallies.get(event.endpoint) if tallies else None
    if tally is not None:
        tally.add(event)
        return
    if not isinstance(event.endpoint, str):
        raise TypeError("an endpoint is a text")
    tally = Tally()
    tally.add(event)  # may raise: an event that is none leaves no empty bucket behind
    buckets.setdefault(number, {})[event.endpoint] = tally


def _merge(buckets: Buckets, number: int, endpoint: str, tally: Tally) -> None:
    buckets.setdefault(number, {}).setdefault(endpoint, Tally()).merge(tally)


class Span(NamedTuple):
    """How long a window is, in which steps it slides, and how its chart is divided."""

    name: str
    bucket_ms: int
    buckets: int
    points: int = 1
    back_ms: int = 0
    """So long before now its end lies."""

    def last(self, now_ms: int) -> int:
        """Number of its latest bucket, the one that `now_ms` is in where it ends now."""
        return (now_ms - self.back_ms) // self.bucket_ms

    def first(self, now_ms: int) -> int:
        """Number of the oldest bucket inside the window."""
        return self.last(now_ms) - self.buckets + 1


SPAN_24H = Span("24h", MINUTE_MS, 24 * 60, 96)
SPAN_7D = Span("7d", HOUR_MS, 7 * 24, 168)
SPAN_30D = Span("30d", HOUR_MS, 30 * 24, 120)
WINDOW_NAMES = (SPAN_24H.name, SPAN_7D.name, SPAN_30D.name, "total")

SPAN_1H = Span("1h", MINUTE_MS, 60)
PANEL_SPANS: Final = {span.name: span for span in (SPAN_1H, SPAN_24H, SPAN_7D, SPAN_30D)}
"""The windows that the dashboard shows beside those before them."""
STEPS_MS: Final = {"1h": MINUTE_MS, "24h": 5 * MINUTE_MS, "7d": HOUR_MS, "30d": 6 * HOUR_MS}
"""How long a point of their charts is."""
BEFORE: Final = {
    "1h": Span("before 1h", MINUTE_MS, 60, back_ms=HOUR_MS),
    "24h": Span("before 24h", HOUR_MS, 24, back_ms=DAY_MS - MINUTE_MS + HOUR_MS),
    "7d": Span("before 7d", HOUR_MS, 7 * 24, back_ms=7 * DAY_MS),
    "30d": Span("before 30d", HOUR_MS, 30 * 24, back_ms=30 * DAY_MS),
}
"""What each is compared with. Minutes are not kept that long: before the 24 h lie the latest 24 whole hours."""
