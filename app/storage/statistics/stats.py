"""What `/stats` and `/health` say of the statistics: the worker's prepared summary, read and completed.

Reading is one round trip. The worker has the figures of requests ready; memory, tasks and rates come straight
from the heartbeats of the web processes. While Redis is away the last known figures are given at once, marked
stale.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
import redis

from app.core.statistics.sliding import Windows
from app.core.statistics.windows import WINDOW_NAMES
from app.storage.connections import STATS_PROCESSES, STATS_ROLLED_AT, STATS_SUMMARY, Redis
from app.storage.refusals import describe, trouble_of

log = logging.getLogger(__name__)

STALE_AFTER_S = 10.0
"""Figures are stale when the worker's last roll-up is older than this; an idle worker reports every 5 s."""
PROBE_PAUSE_S = 1.0
"""While Redis is away, how often one reader tries it; the others do not wait."""
VERSION = b"2"
"""Of the summary's form. Workers and web processes are not always updated together."""
HEARTBEAT_KEPT_MS = 10_000
"""A web process that has been silent for longer is not running."""


class Heartbeat(NamedTuple):
    """What a web process says of itself every two seconds."""

    memory_mb: float
    tasks: int
    """Greenlets, or threads where there are none."""
    requests: int
    """Finished in the last 60 s."""
    beat_ms: int
    """Redis's own time, so that the clocks of the machines do not matter."""
    in_flight: int = 0
    """Calls that have begun and not ended."""

    def encode(self) -> bytes:
        return b"%s:%d" % (orjson.dumps((*self[:3], self.in_flight)), self.beat_ms)

    @classmethod
    def decode(cls, encoded: bytes) -> Heartbeat | None:
        """The reverse of encode(); None for bytes that are no heartbeat. Earlier versions tell no calls in flight."""
        figures, _, beat_ms = encoded.rpartition(b":")
        try:
            memory_mb, tasks, requests, *in_flight = orjson.loads(figures)
            return cls(float(memory_mb), int(tasks), int(requests), int(beat_ms), int(in_flight[0]) if in_flight else 0)
        except (TypeError, ValueError):
            return None


def living(beats: Iterable[Heartbeat | None], server_ms: int) -> list[Heartbeat]:
    """Those of processes that run, at a time of Redis's."""
    return [beat for beat in beats if beat is not None and server_ms - beat.beat_ms <= HEARTBEAT_KEPT_MS]


class Summary(NamedTuple):
    """What the worker prepares. The big parts are JSON already and are passed on unread."""

    head: dict[str, Any]
    """Counts over all times, by window and by endpoint: see worker/summary.py."""
    requests: bytes
    windows: dict[str, bytes]
    """By WINDOW_NAMES."""

    def pack(self) -> bytes:
        """The summary as bytes for Redis. Compressed, as charts are mostly zeros and all is written each second."""
        windows = (self.windows[name] for name in WINDOW_NAMES)
        return zlib.compress(b"\n".join((VERSION, orjson.dumps(self.head), self.requests, *windows)), 1)

    @classmethod
    def unpack(cls, packed: bytes) -> Summary | None:
        """The reverse of pack(); None for bytes that are no summary of this version."""
        try:
            version, head, requests, *windows = zlib.decompress(packed).split(b"\n")
            if version != VERSION:
                return None
            return cls(orjson.loads(head), requests, dict(zip(WINDOW_NAMES, windows, strict=True)))
        except (ValueError, zlib.error):
            return None


NO_COUNTS: Mapping[str, dict[str, int]] = MappingProxyType({})
EMPTY_ROW = {"count": 0, "error_count": 0, "last_request": 0, "total": 0, "today": 0, "week": 0, "month": 0}


class Stats:
    """The reader. Give it a client whose socket timeout is how long a reader may wait, say a second."""

    def __init__(self, redis_client: Redis, *, enabled: bool = True) -> None:
        self._redis = redis_client
        self.enabled = enabled
        self._packed: bytes | None = None
        self._summary: Summary | None = None
        self.beats: list[Heartbeat] = []
        self._probe_at = 0.0
        """Until then (monotonic seconds) Redis is taken to be away."""
        self._trouble = ""

    def read(
        self, prefixes: Iterable[str], now_ms: int, window: str = "", counts: Mapping[str, dict[str, int]] = NO_COUNTS
    ) -> bytes:
        """The JSON of `/stats`, with a row for each of the configured prefixes, and `counts` as they are. Never raises,
        never hangs.

        With `window`, one of WINDOW_NAMES, it holds that window alone, and the `totals` of all.
        The same bytes come until there is something new, so that they can be told by a tag.
        """
        fresh = self._refresh()
        summary = self._summary or _nothing(now_ms)
        answer = {
            "enabled": self.enabled,
            **{name: summary.head[name] for name in ("total", "errors", "dropped_events")},
            "avg_response": f"{summary.head['avg_response_ms']}ms",
            "stale": self.enabled and not fresh,
            "generated_at_ms": summary.head["generated_at_ms"],
            "endpoints": {prefix: summary.head["endpoints"].get(prefix, EMPTY_ROW) for prefix in prefixes},
            **counts,
            "requests": orjson.Fragment(summary.requests),
            "performance": self._performance(summary.head, now_ms),
        }
        if window:
            answer["totals"] = summary.head["totals"]
        shown = [window] if window else WINDOW_NAMES
        answer["windows"] = {name: orjson.Fragment(summary.windows[name]) for name in shown}
        return orjson.dumps(answer)

    def redis_trouble(self) -> str:
        """Why Redis does not do what it is asked, to follow its name; empty when it does.

        For anybody to read: it names no address. During an outage Redis is asked once a second at the most.
        """
        return "" if self._ask(lambda pipe: pipe.ping()) is not None else self._trouble

    def worker_age_s(self) -> float | None:
        """Seconds since the worker's last roll-up; None if there never was one, or Redis does not answer."""
        answers = self._ask(lambda pipe: (pipe.get(STATS_ROLLED_AT), pipe.time()))
        return None if answers is None else _age_s(answers[0], answers[1])

    def _refresh(self) -> bool:
        """Fetches what is new. False when there is nothing to be had or it is old."""
        answers, fresh = self.ask(lambda pipe: pipe.get(STATS_SUMMARY))
        if answers is None:
            return False
        packed = answers[0]
        if packed != self._packed:
            summary = Summary.unpack(packed or b"")
            if summary is None:
                return False
            self._packed, self._summary = packed, summary
        return fresh

    def ask(self, queue_commands: Callable[[Any], Any]) -> tuple[list[Any] | None, bool]:
        """What Redis answers, with the heartbeats in the same round trip, and whether the worker works.

        None, and False, when Redis is away.
        """

        def queue(pipe: Any) -> None:
            queue_commands(pipe)
            pipe.get(STATS_ROLLED_AT)
            pipe.hgetall(STATS_PROCESSES)
            pipe.time()

        answers = self._ask(queue)
        if answers is None:
            return None, False
        *told, rolled_at, beats, server_time = answers
        self.beats = living(map(Heartbeat.decode, beats.values()), _milliseconds(server_time))
        age_s = _age_s(rolled_at, server_time)
        return told, age_s is not None and age_s <= STALE_AFTER_S

    def _ask(self, queue_commands: Any) -> list[Any] | None:
        """Runs commands in one round trip; None when Redis is away."""
        if time.monotonic() < self._probe_at:
            return None
        away = self._probe_at > 0
        if away:
            self._probe_at = time.monotonic() + PROBE_PAUSE_S  # before we wait, so that no other reader waits too
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                queue_commands(pipe)
                answers: list[Any] = pipe.execute()
        except redis.RedisError as error:
            if not away:
                log.warning("Redis %s; statistics are stale until it answers", describe(error))
            self._probe_at = time.monotonic() + PROBE_PAUSE_S
            self._trouble = trouble_of(error)
            return None
        self._probe_at = 0.0
        return answers

    def _performance(self, head: dict[str, Any], now_ms: int) -> dict[str, Any]:
        """How the gateway does: rates over the last 60 s, times and errors over the last 24 h."""
        return {
            "requests_per_sec": round(sum(beat.requests for beat in self.beats) / 60, 2),
            "avg_response_time_ms": head["avg_response_24h_ms"],
            "error_rate": head["error_rate_24h"],
            "memory_usage_mb": round(sum(beat.memory_mb for beat in self.beats), 2),
            "goroutine_count": sum(beat.tasks for beat in self.beats),
            "last_updated": head["generated_at_ms"] or now_ms,
            "processes": len(self.beats),
        }


def _empty_windows(windows: Windows) -> dict[str, bytes]:
    return {
        name: orjson.dumps({**window.frame, "all": window.describe(None), "endpoints": {}})
        for name, window in windows.by_name().items()
    }


def _nothing(now_ms: int) -> Summary:
    """What is said before the worker has ever said anything."""
    head: dict[str, Any] = {
        "generated_at_ms": None,
        "total": 0,
        "errors": 0,
        "dropped_events": 0,
        "avg_response_ms": 0,
        "avg_response_24h_ms": 0,
        "error_rate_24h": 0.0,
        "totals": {name: {"requests": 0, "errors": 0} for name in WINDOW_NAMES},
        "endpoints": {},
    }
    return Summary(head, b"[]", _empty_windows(Windows(now_ms)))


def _milliseconds(server_time: tuple[int, int]) -> int:
    return server_time[0] * 1000 + server_time[1] // 1000


def _age_s(rolled_at: bytes | None, server_time: tuple[int, int]) -> float | None:
    return None if rolled_at is None else max(0.0, (_milliseconds(server_time) - int(rolled_at)) / 1000)
