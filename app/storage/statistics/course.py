"""What endpoints did in the course of a span, for `/api/series`: minutes of the last day, hours of the last 62.

It is read in steps by a web process, whose other calls go on between them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.core.statistics.tallies import Tally, requests_in
from app.core.statistics.windows import HOUR_MS, MINUTE_MS
from app.storage.connections import STATS_HOUR, STATS_MINUTE, STATS_TOTAL, Redis

STEP_TALLIES: Final = 100
"""So many are read at once, which takes 1 to 3 ms."""

_NAMES: Final = {MINUTE_MS: STATS_MINUTE, HOUR_MS: STATS_HOUR}
_UNKNOWN: Final = {"usage": None, "cost_usd": None}
"""What endpoints are not counted by."""


class Course(NamedTuple):
    """One endpoint's."""

    endpoint: str
    points: orjson.Fragment
    """A JSON array."""


class Courses:
    """Reads them."""

    def __init__(self, redis_client: Redis, pause: Callable[[], None]) -> None:
        """`pause` lets others run, if it is time for that."""
        self._redis: Any = redis_client
        self._pause = pause

    def busiest(self, from_ms: int, to_ms: int) -> list[str]:
        """All endpoints that were called in the hours that a span touches, the busiest first. Raises RedisError."""
        names = self._redis.hkeys(STATS_TOTAL)
        requests: Counter[bytes] = Counter()
        for _, stored in self._stored(HOUR_MS, range(from_ms // HOUR_MS, -(-to_ms // HOUR_MS)), names):
            for name, encoded in zip(names, stored, strict=True):
                if encoded is not None:
                    requests[name] += requests_in(encoded)
        return [name.decode() for name, _ in sorted(requests.items(), key=lambda one: (-one[1], one[0]))]

    def read(self, begins: Sequence[int], to_ms: int, unit_ms: int, endpoints: Sequence[str]) -> list[Course]:
        """Those of some endpoints. Raises RedisError.

        Points begin at `begins`, the last one ends at `to_ms`; they are put together of minutes or hours (`unit_ms`),
        each in the point in which it begins.
        """
        told: dict[str, dict[int, orjson.Fragment]] = {endpoint: {} for endpoint in endpoints}
        sums: dict[str, Tally] = {}
        point = 0
        for number, stored in self._stored(unit_ms, range(-(-begins[0] // unit_ms), -(-to_ms // unit_ms)), endpoints):
            begun = bisect_right(begins, number * unit_ms) - 1
            if begun != point:
                _tell(told, sums, point, begins[point])
                point = begun
            for endpoint, encoded in zip(endpoints, stored, strict=True):
                if encoded is not None:
                    sums.setdefault(endpoint, Tally()).merge(Tally.decode(encoded))
        _tell(told, sums, point, begins[point])
        return [self._course(endpoint, points, begins) for endpoint, points in told.items()]

    def _stored(
        self, unit_ms: int, numbers: range, endpoints: Sequence[Any]
    ) -> Iterator[tuple[int, list[bytes | None]]]:
        """The tallies of endpoints in some buckets, one bucket after the other."""
        step = max(1, STEP_TALLIES // max(1, len(endpoints)))
        for at in range(0, len(numbers), step) if endpoints else ():
            some = numbers[at : at + step]
            with self._redis.pipeline(transaction=False) as pipe:
                for number in some:
                    pipe.hmget(f"{_NAMES[unit_ms]}{number}", endpoints)
                yield from zip(some, pipe.execute(), strict=True)
            self._pause()

    def _course(self, endpoint: str, points: dict[int, orjson.Fragment], begins: Sequence[int]) -> Course:
        told = []
        for place, at_ms in enumerate(begins):
            told.append(points.get(place) or _point(at_ms, _NOTHING))
            if place % STEP_TALLIES == 0:
                self._pause()
        return Course(endpoint, orjson.Fragment(orjson.dumps(told)))


def _tell(told: dict[str, dict[int, orjson.Fragment]], sums: dict[str, Tally], point: int, at_ms: int) -> None:
    """A point is done: what it adds up to is put into words, and forgotten."""
    for endpoint, tally in sums.items():
        told[endpoint][point] = _point(at_ms, tally)
    sums.clear()


_NOTHING: Final = Tally()


def _point(at_ms: int, tally: Tally) -> orjson.Fragment:
    figures = tally.describe()
    point: dict[str, Any] = {"at_ms": at_ms, "requests": tally.requests, "errors": tally.errors, **_UNKNOWN}
    for name in ("first_byte_ms", "duration_ms"):
        point[name] = {rank: figures[name][rank] for rank in ("p50", "p95", "p99")}
    return orjson.Fragment(orjson.dumps(point))
