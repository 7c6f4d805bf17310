"""What the dashboard shows of each window beside its sums: those of the span before, and its chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.core.statistics.charts import Chart
from app.core.statistics.sliding import SlidingSum, Windows
from app.core.statistics.tallies import Tally
from app.core.statistics.windows import BEFORE, MINUTE_MS, PANEL_SPANS, SPAN_1H, STEPS_MS, Deltas, Endpoint

STATE_MINUTES: Final = 15
"""How an endpoint does is told by its latest minutes."""
DEGRADED_FROM: Final = 0.01
FAILING_FROM: Final = 0.25
"""Shares of errors among its requests; the page shows its segments by the same."""


class Panel(NamedTuple):
    """One window."""

    shown: SlidingSum
    before: SlidingSum
    chart: Chart

    @property
    def frame(self) -> dict[str, Any]:
        """Where it lies, in ms since the epoch."""
        return {
            "from_ms": self.shown.from_ms,
            "to_ms": self.shown.to_ms,
            "before": {"from_ms": self.before.from_ms, "to_ms": self.before.to_ms},
            **self.chart.frame,
        }

    @property
    def endpoints(self) -> set[Endpoint]:
        """All that have something to be told."""
        return {*self.shown.tallies, *self.before.tallies}

    @property
    def changed(self) -> set[Endpoint]:
        return self.chart.changed | self.before.changed

    def take(self, number: int, tallies: Mapping[str, Tally]) -> None:
        """Counts a whole bucket in a panel that is being filled, in the order of the buckets. `sum_up` follows.

        Each bucket is added up once: in its point; and points in the window.
        """
        if self.shown.covers(number):
            self.shown.note(number, tallies)
            for point in self.chart.take(number, tallies):
                self.shown.gather(point)

    def sum_up(self) -> None:
        for point in self.chart.sum_up():
            self.shown.gather(point)

    def slide(self, now_ms: int) -> None:
        """Moves its chart; the sums move when the buckets that leave them are read."""
        if self.chart.slide(now_ms):
            self.chart.changed.update(self.endpoints)

    def described(self) -> None:
        """All of it has been told."""
        self.chart.changed.clear()
        self.before.changed.clear()

    def describe(self, endpoint: Endpoint) -> dict[str, Any]:
        """What is told of one endpoint, or of all."""
        figures = figures_of(self.shown.tallies.get(endpoint, _NOTHING))
        before = figures_of(self.before.tallies.get(endpoint, _NOTHING))
        return {
            **self.frame,
            "figures": figures,
            "before": {**self.frame["before"], **before},
            "change": change(before, figures),
            "chart": self.chart.describe(endpoint),
        }


_NOTHING: Final = Tally()


class Panels:
    """All of them, at one moment."""

    def __init__(self, windows: Windows) -> None:
        now_ms = windows.now_ms
        self.hour = SlidingSum(SPAN_1H, now_ms)
        shown = (self.hour, windows.day, windows.week, windows.month)
        self.by_name: dict[str, Panel] = {
            name: Panel(window, SlidingSum(BEFORE[name], now_ms), Chart(PANEL_SPANS[name], STEPS_MS[name], now_ms))
            for name, window in zip(PANEL_SPANS, shown, strict=True)
        }

    def add(self, deltas: Deltas) -> None:
        """Counts what a batch adds, but for what the windows themselves count."""
        for minute, tallies in deltas.minutes.items():
            for endpoint, tally in tallies.items():
                self.hour.add(minute, endpoint, tally)
        for panel in self.by_name.values():
            for bucket, added in _buckets(deltas, panel.before.span.bucket_ms).items():
                for endpoint, tally in added.items():
                    panel.before.add(bucket, endpoint, tally)
            for bucket, added in _buckets(deltas, panel.chart.span.bucket_ms).items():
                panel.chart.add(bucket, added)

    def state(self, endpoint: str) -> str:
        """`idle` without calls in the latest minutes, else how it did in them: `ok`, `degraded` or `failing`."""
        requests, errors = self.by_name["1h"].chart.latest(endpoint, STATE_MINUTES)
        if not requests:
            return "idle"
        share = errors / requests
        return "failing" if share >= FAILING_FROM else "degraded" if share >= DEGRADED_FROM else "ok"


def _buckets(deltas: Deltas, bucket_ms: int) -> Mapping[int, Mapping[str, Tally]]:
    return deltas.minutes if bucket_ms == MINUTE_MS else deltas.hours


def figures_of(tally: Tally) -> dict[str, Any]:
    """A tally as the dashboard shows it."""
    share = round(tally.errors / tally.requests, 6) if tally.requests else None
    return {**tally.describe(), "error_share": share, "outcomes": tally.by_outcome()}


def change(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, float | None]:
    """How much more there is than before: of requests and p95 as a share of what was; of errors the shares' difference.

    None where one of them is not known, or nothing was.
    """
    shares = before["error_share"], now["error_share"]
    return {
        "requests": _growth(before["requests"], now["requests"]),
        "error_share": None if None in shares else round(shares[1] - shares[0], 6),
        "p95_ms": _growth(before["duration_ms"]["p95"], now["duration_ms"]["p95"]),
    }


def _growth(before: float | None, now: float | None) -> float | None:
    return None if not before or now is None else round(now / before - 1, 4)
