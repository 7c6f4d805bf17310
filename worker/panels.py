"""Puts into words what the dashboard shows: the JSON that `/stats/<window>` serves.

A panel is written whenever something in it changed; so are the parts of single endpoints, which few look at, while they
are few. Where there are many they are put off for up to `PARTS_EVERY_MS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from app.core.statistics.panels import Panel, Panels
from app.core.statistics.tallies import percentiles
from app.core.statistics.windows import DAY_MS, Endpoint
from app.storage.connections import STATS_PANEL, STATS_PANEL_OF
from app.storage.statistics.accounts import Account
from app.storage.statistics.panels import PanelText, pack_part

PARTS_EVERY_MS: Final = 5_000
FEW_PARTS: Final = 16
"""Of all windows together: four endpoints."""


class PanelDescriber:
    """Remembers the descriptions of one worker's panels."""

    def __init__(self) -> None:
        self._panels: Panels | None = None
        self._rows: dict[str, dict[str, bytes]] = {}
        self._pending: dict[str, set[str]] = {}
        """Endpoints whose parts are out of date."""
        self._written_ms = 0
        self._in_flight: dict[str, Any] = {}

    def describe(self, account: Account, now_ms: int) -> Callable[[Any], None] | None:
        """What writes them in an open MULTI; None when nothing has changed since the last time."""
        panels = account.panels
        is_new = panels is not self._panels  # the ledger has read everything afresh
        self._panels = None  # until we are through: an error on the way must not leave half of it
        if is_new:
            self._rows = {name: {} for name in panels.by_name}
            self._pending = {name: set() for name in panels.by_name}
            self._in_flight = {}
        in_flight = {name: _in_flight(account, panel) for name, panel in panels.by_name.items()}
        texts: dict[str, bytes] = {}
        if is_new or in_flight != self._in_flight or any(panel.changed for panel in panels.by_name.values()):
            self._in_flight = in_flight
            states = {name: panels.state(name) for name in account.windows.total.tallies if name is not None}
            for name, panel in panels.by_name.items():
                texts[name] = self._panel(account, name, panel, states, now_ms, is_new=is_new).pack()
        parts = self._parts(account, now_ms, is_new=is_new)
        self._panels = panels
        return None if not texts and not parts else _writer(texts, parts, is_new=is_new)

    def _panel(
        self, account: Account, name: str, panel: Panel, states: dict[str, str], now_ms: int, *, is_new: bool
    ) -> PanelText:
        rows = self._rows[name]
        changed = panel.endpoints if is_new else panel.changed
        for endpoint in changed:
            if endpoint is not None:
                rows[endpoint] = _row(panel, endpoint)
                self._pending[name].add(endpoint)
        total = account.windows.total.tallies
        told = {}
        for endpoint, state in states.items():
            shown = panel.shown.tallies.get(endpoint)
            told[endpoint] = state, total[endpoint].last_ms, shown.requests if shown else 0
        traffic = orjson.dumps(_traffic(account, panel, None))
        head = {
            "generated_at_ms": now_ms,
            "total": total[None].requests,
            "dropped_events": account.dropped,
            "in_flight": self._in_flight[name],
            "segment_marks_ms": panel.chart.segment_marks,
            "endpoints": told,
            "without": _traffic(account, panel, ""),
        }
        nothing = _row(panel, "")
        panel.described()
        return PanelText(head, traffic, [rows.get(endpoint, nothing) for endpoint in told])

    def _parts(self, account: Account, now_ms: int, *, is_new: bool) -> dict[str, dict[str, bytes | None]]:
        """By window and endpoint; None: it has nothing any more."""
        waiting = sum(map(len, self._pending.values()))
        is_soon = 0 <= now_ms - self._written_ms < PARTS_EVERY_MS
        if not waiting or (waiting > FEW_PARTS and is_soon and not is_new):
            return {}
        self._written_ms = now_ms
        parts: dict[str, dict[str, bytes | None]] = {}
        for name, endpoints in self._pending.items():
            panel = account.panels.by_name[name]
            there = panel.endpoints
            parts[name] = {
                endpoint: pack_part(orjson.dumps(_traffic(account, panel, endpoint))) if endpoint in there else None
                for endpoint in endpoints
            }
            endpoints.clear()
        return parts


def _writer(
    texts: dict[str, bytes], parts: dict[str, dict[str, bytes | None]], *, is_new: bool
) -> Callable[[Any], None]:
    def write(pipe: Any) -> None:
        for name, text in texts.items():
            pipe.set(STATS_PANEL + name, text)
            if is_new:
                pipe.delete(STATS_PANEL_OF + name)
        for name, of_endpoints in parts.items():
            if there := {endpoint: part for endpoint, part in of_endpoints.items() if part is not None}:
                pipe.hset(STATS_PANEL_OF + name, mapping=there)
            if gone := [endpoint for endpoint, part in of_endpoints.items() if part is None]:
                pipe.hdel(STATS_PANEL_OF + name, *gone)

    return write


def _traffic(account: Account, panel: Panel, endpoint: Endpoint) -> dict[str, Any]:
    """Figures and chart. There is no change to a span before of which something is not known."""
    told = panel.describe(endpoint)
    known_from_ms = max(account.windows.total.first_day * DAY_MS, account.hours_from_ms)
    if panel.before.from_ms < known_from_ms:
        told["change"] = dict.fromkeys(told["change"])
    return told


def _row(panel: Panel, endpoint: Endpoint) -> bytes:
    """What a panel says of an endpoint in its table."""
    tally = panel.shown.tallies.get(endpoint)
    if tally is None or not tally.requests:
        figures: dict[str, Any] = {"requests": 0, "errors": 0, "error_share": None, "p50_ms": None, "p95_ms": None}
    else:
        p50_ms, p95_ms = percentiles(tally.duration_bins, (0.50, 0.95))
        share = round(tally.errors / tally.requests, 6)
        figures = {
            "requests": tally.requests,
            "errors": tally.errors,
            "error_share": share,
            "p50_ms": p50_ms,
            "p95_ms": p95_ms,
        }
    return orjson.dumps({**figures, "segments": panel.chart.segments(endpoint) if tally is not None else None})


def _in_flight(account: Account, panel: Panel) -> dict[str, Any]:
    """The most calls at once: in each point of the chart, in all of them, and in the span before."""
    shown, before, chart = panel.shown, panel.before, panel.chart
    points = account.in_flight.most(shown.span.bucket_ms, shown.numbers, chart.step_ms // shown.span.bucket_ms)
    return {
        "highest": max(points),
        "highest_before": max(account.in_flight.most(before.span.bucket_ms, before.numbers)),
        "points": points,
    }
