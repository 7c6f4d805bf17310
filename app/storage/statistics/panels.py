"""What `/stats/<window>` says: the panel of one window as the worker prepared it, read and completed.

Of an endpoint that is asked for, figures and chart come from a hash, so that a panel stays small however many
endpoints there are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.core.statistics.panels import Panels
from app.core.statistics.sliding import Windows
from app.storage.connections import STATS_PANEL, STATS_PANEL_OF, STATS_PROBLEMS
from app.storage.statistics.stats import Stats

VERSION: Final = b"1"
"""Of a panel's form; see stats.VERSION."""
UNUSED: Final = {"requests": 0, "errors": 0, "error_share": None, "p50_ms": None, "p95_ms": None, "segments": None}
"""The row of an endpoint that was never called."""


class PanelText(NamedTuple):
    """One panel. The big parts are JSON already and are passed on unread."""

    head: dict[str, Any]
    """Counts over all times, marks, calls in flight, and by endpoint its state: see worker/panels.py."""
    traffic: bytes
    rows: Sequence[bytes]
    """In the order of the head's `endpoints`."""

    def pack(self) -> bytes:
        return zlib.compress(b"\n".join((VERSION, orjson.dumps(self.head), self.traffic, *self.rows)), 1)

    @classmethod
    def unpack(cls, packed: bytes) -> PanelText | None:
        """The reverse of pack(); None for bytes that are no panel of this version."""
        try:
            version, head, traffic, *rows = zlib.decompress(packed).split(b"\n")
            return cls(orjson.loads(head), traffic, rows) if version == VERSION else None
        except (ValueError, zlib.error):
            return None


def pack_part(traffic: bytes) -> bytes:
    """Of one endpoint, for the hash."""
    return zlib.compress(VERSION + b"\n" + traffic, 1)


def _unpack_part(packed: bytes | None) -> bytes | None:
    try:
        version, _, traffic = zlib.decompress(packed or b"").partition(b"\n")
        return traffic if version == VERSION else None
    except zlib.error:
        return None


class PanelReader:
    """Reads them, by the connection and within the patience of Stats."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._packed: dict[str, tuple[bytes, PanelText]] = {}
        self._problems = b"[]"

    def read(self, window: str, endpoint: str, prefixes: Iterable[str], now_ms: int) -> bytes:
        """The JSON of one window, with the figures and chart of one endpoint; empty: of all. Never raises, never hangs.

        The same bytes come until there is something new.
        """
        text, part, fresh = self._refresh(window, endpoint)
        if text is None:
            text = _nothing(window, now_ms)
        beats = self._stats.beats
        answer = {
            "enabled": self._stats.enabled,
            "stale": self._stats.enabled and not fresh,
            "generated_at_ms": text.head["generated_at_ms"],
            "total": text.head["total"],
            "dropped_events": text.head["dropped_events"],
            "window": window,
            "endpoint": endpoint or None,
            "traffic": orjson.Fragment(part if endpoint and part else _without(text) if endpoint else text.traffic),
            "in_flight": {"now": sum(beat.in_flight for beat in beats), **text.head["in_flight"]},
            "requests_per_s": round(sum(beat.requests for beat in beats) / 60, 2),
            "processes": len(beats),
            "segment_marks_ms": text.head["segment_marks_ms"],
            "endpoints": [orjson.Fragment(row) for row in _rows(text, prefixes)],
            "problems": orjson.Fragment(self._problems),
        }
        return orjson.dumps(answer)

    def _refresh(self, window: str, endpoint: str) -> tuple[PanelText | None, bytes | None, bool]:
        """What is new, and whether it is; what is known, where nothing is to be had."""

        def ask(pipe: Any) -> None:
            pipe.get(STATS_PANEL + window)
            pipe.get(STATS_PROBLEMS)
            pipe.hget(STATS_PANEL_OF + window, endpoint)

        known_packed, known = self._packed.get(window, (None, None))
        answers, fresh = self._stats.ask(ask)
        if answers is None:
            return known, None, False
        packed, problems, part = answers
        self._problems = problems or b"[]"
        if packed != known_packed:
            text = PanelText.unpack(packed or b"")
            if text is None:
                return known, None, False
            self._packed[window] = packed, text
            known = text
        return known, _unpack_part(part), fresh


def _rows(text: PanelText, prefixes: Iterable[str]) -> list[bytes]:
    """Of all configured endpoints, and of others that were called in the window."""
    configured = dict.fromkeys(prefixes)
    told: dict[str, list[Any]] = text.head["endpoints"]
    rows = []
    for (name, (state, last_used_ms, requests)), row in zip(told.items(), text.rows, strict=True):
        if name in configured or requests:
            shown = state if name in configured else "removed"
            head = orjson.dumps({"endpoint": name, "state": shown, "last_used_ms": last_used_ms})
            rows.append(head[:-1] + b"," + row[1:])
    rows += [
        orjson.dumps({"endpoint": name, "state": "unused", "last_used_ms": None, **UNUSED})
        for name in configured
        if name not in told
    ]
    return rows


def _without(text: PanelText) -> bytes:
    """Figures and chart of an endpoint that has none."""
    return orjson.dumps(text.head["without"])


def _nothing(window: str, now_ms: int) -> PanelText:
    """What is said before the worker has ever said anything."""
    panel = Panels(Windows(now_ms)).by_name[window]
    traffic = panel.describe(None)
    head = {
        "generated_at_ms": None,
        "total": 0,
        "dropped_events": 0,
        "in_flight": {"highest": 0, "highest_before": 0, "points": []},
        "segment_marks_ms": panel.chart.segment_marks,
        "endpoints": {},
        "without": traffic,
    }
    return PanelText(head, orjson.dumps(traffic), ())
