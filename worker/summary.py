"""Puts into words what the ledger says: the JSON that `/stats` serves.

Only what changed is described again. A busy endpoint costs its four windows each time; an idle one costs
nothing until the minute turns.
"""

from __future__ import annotations

from typing import Any

import orjson

from app.core.statistics.sliding import SlidingWindow, TotalWindow, Windows
from app.core.statistics.tallies import Tally
from app.core.statistics.windows import DAY_MS, Endpoint
from app.storage.statistics.accounts import Account
from app.storage.statistics.stats import Summary


class Describer:
    """Remembers the descriptions of one worker's windows."""

    def __init__(self) -> None:
        self._windows: Windows | None = None
        self._texts: dict[str, dict[Endpoint, bytes]] = {}

    def describe(self, account: Account, now_ms: int) -> bytes | None:
        """The packed summary; None when nothing has changed since the last one."""
        windows = account.windows
        named = windows.by_name()
        if windows is not self._windows:  # the ledger has read everything afresh
            self._texts = {name: {} for name in named}
        elif not any(window.changed for window in named.values()):
            return None
        self._windows = None  # until we are through: an error on the way must not leave half of it
        parts = {name: orjson.dumps(self._window(name, window)) for name, window in named.items()}
        self._windows = windows
        return Summary(_head(account, now_ms), _requests(account), parts).pack()

    def _window(self, name: str, window: SlidingWindow | TotalWindow) -> dict[str, Any]:
        texts = self._texts[name]
        changed = window.changed if texts else set(window.tallies)
        for endpoint in changed:
            if endpoint in window.tallies:
                texts[endpoint] = orjson.dumps(window.describe(endpoint))
            else:
                texts.pop(endpoint, None)
        window.changed.clear()
        endpoints = {name: orjson.Fragment(text) for name, text in texts.items() if name is not None}
        return {**window.frame, "all": orjson.Fragment(texts[None]), "endpoints": endpoints}


def _head(account: Account, now_ms: int) -> dict[str, Any]:
    windows = account.windows
    total, day = windows.total.tallies[None], windows.day.tallies[None]
    return {
        "generated_at_ms": now_ms,
        "total": total.requests,
        "errors": total.errors,
        "dropped_events": account.dropped,
        "avg_response_ms": _average_ms(total),
        "avg_response_24h_ms": _average_ms(day),
        "error_rate_24h": round(100 * day.errors / day.requests, 2) if day.requests else 0.0,
        "totals": {name: _sums(window) for name, window in windows.by_name().items()},
        "endpoints": {name: _row(windows, name) for name in windows.total.tallies if name is not None},
    }


def _row(windows: Windows, endpoint: str) -> dict[str, int]:
    """What both old versions said of an endpoint. `today` begins at midnight UTC."""
    total = windows.total.tallies[endpoint]
    return {
        "count": total.requests,
        "error_count": total.errors,
        "last_request": total.last_ms // 1000,
        "total": total.requests,
        "today": windows.total.requests_on(windows.now_ms // DAY_MS, endpoint),
        "week": _requests_in(windows.week, endpoint),
        "month": _requests_in(windows.month, endpoint),
    }


def _sums(window: SlidingWindow | TotalWindow) -> dict[str, int]:
    tally = window.tallies[None]
    return {"requests": tally.requests, "errors": tally.errors}


def _requests_in(window: SlidingWindow, endpoint: str) -> int:
    tally = window.tallies.get(endpoint)
    return tally.requests if tally else 0


def _requests(account: Account) -> bytes:
    latest = sorted(account.recent, key=lambda request: request[1])
    return orjson.dumps([{"endpoint": endpoint, "timestamp": ended_s} for endpoint, ended_s in latest])


def _average_ms(tally: Tally) -> int:
    return round(tally.duration_us / tally.requests / 1000) if tally.requests else 0
