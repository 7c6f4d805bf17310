"""How many calls were in flight at once: the highest that was seen in each minute and hour.

Web processes tell with their heartbeats how many they have; the worker adds those up at each roll-up. A peak between
two heartbeats nobody sees.
"""

from __future__ import annotations

from typing import Any

from app.core.statistics.windows import HOUR_MS, MINUTE_MS
from app.storage.connections import STATS_IN_FLIGHT, STATS_PROCESSES, Redis
from app.storage.statistics.stats import Heartbeat, living


class InFlight:
    """What is known of them. A bucket that is not there had none."""

    def __init__(self, kept_ms: dict[int, int]) -> None:
        """`kept_ms`: how long buckets of each length stay."""
        self._kept_ms = kept_ms
        self.highest: dict[int, dict[int, int]] = {MINUTE_MS: {}, HOUR_MS: {}}
        """Length of the buckets → number of a bucket → calls."""
        self._noted: set[tuple[int, int]] = set()
        self._swept = 0

    def load(self, stored: dict[bytes, bytes]) -> None:
        """What Redis keeps of it."""
        for name, calls in stored.items():
            bucket_ms = MINUTE_MS if name[:1] == b"m" else HOUR_MS
            self.highest[bucket_ms][int(name[1:])] = int(calls)

    def look(self, client: Redis, server_ms: int, now_ms: int) -> None:
        """Counts what the web processes have just now. Raises redis.RedisError."""
        beats: Any = client.hgetall(STATS_PROCESSES)
        self.note(sum(beat.in_flight for beat in living(map(Heartbeat.decode, beats.values()), server_ms)), now_ms)

    def note(self, calls: int, now_ms: int) -> None:
        for bucket_ms, highest in self.highest.items():
            number = now_ms // bucket_ms
            if calls > highest.get(number, 0):
                highest[number] = calls
                self._noted.add((bucket_ms, number))

    def write(self, pipe: Any, now_ms: int) -> None:
        """Queues what is new, and that old buckets go, in an open MULTI."""
        if self._noted:
            pipe.hset(STATS_IN_FLIGHT, mapping={_name(*one): self.highest[one[0]][one[1]] for one in self._noted})
        self._noted.clear()
        if self._swept == now_ms // HOUR_MS:
            return
        self._swept = now_ms // HOUR_MS
        for bucket_ms, highest in self.highest.items():
            oldest = (now_ms - self._kept_ms[bucket_ms]) // bucket_ms
            gone = [number for number in highest if number < oldest]
            for number in gone:
                del highest[number]
            if gone:
                pipe.hdel(STATS_IN_FLIGHT, *(_name(bucket_ms, number) for number in gone))

    def most(self, bucket_ms: int, numbers: range, per_point: int = 1) -> list[int]:
        """The highest in each of the points that these buckets make."""
        first = numbers[0] // per_point
        points = [0] * (numbers[-1] // per_point - first + 1)
        for number, calls in self.highest[bucket_ms].items():
            if number in numbers and calls > points[number // per_point - first]:
                points[number // per_point - first] = calls
        return points


def _name(bucket_ms: int, number: int) -> str:
    return f"{'m' if bucket_ms == MINUTE_MS else 'h'}{number}"
