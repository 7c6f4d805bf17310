"""Carries events from the request path to Redis. May lose them when all is full, never slows a request down.

record() appends to a bounded queue and that is all. A thread (in the web process, where threading is patched,
a greenlet) empties the queue every `PERIOD_S` into an envelope and pushes it. An envelope whose push failed
is pushed again, the same one, until Redis confirms it; the worker skips what it has seen. Events that find
the queue full are counted, and the count travels with the next envelope.

The thread also reports every `BEAT_S` how the process does; see storage.stats.Heartbeat.
"""

from __future__ import annotations

import logging
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from app.core.events import RequestEvent
from app.core.wording import counted
from app.storage.connections import STATS_PROCESSES, Redis, RedisError
from app.storage.envelopes import backlog, pack, push
from app.storage.stats import Heartbeat

log = logging.getLogger(__name__)

PERIOD_S = 0.1
BEAT_S = 2.0
RATE_SPAN_S = 60.0
RETRY_PAUSE_S = 0.5
ENVELOPE_EVENTS = 500
BACKLOG_EVENTS = 1_000_000
"""So many events may wait in Redis (about 100 bytes each) while no worker runs; then the queue is left to fill."""

_STATM = Path("/proc/self/statm")


class _Parcel(NamedTuple):
    packed: bytes
    events: int


class Recorder:
    """One for each process; start() it in the process whose events it carries, after any fork."""

    def __init__(
        self,
        redis_client: Redis,
        *,
        queue_size: int,
        process_id: str | None = None,
        backlog_events: int = BACKLOG_EVENTS,
        task_count: Callable[[], int] = threading.active_count,
    ) -> None:
        """`process_id` must be new for each start of each process; None makes one up when it starts."""
        self.dropped = 0
        """Events of this process that found the queue full."""
        self.process_id = process_id or ""
        self._redis = redis_client
        self._queue: deque[RequestEvent] = deque()
        self._queue_size = queue_size
        self._backlog_events = backlog_events
        self._task_count = task_count
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self._runner: threading.Thread | None = None
        self._seq = 0
        self._taken = 0
        self._dropped_reported = 0
        self._parcel: _Parcel | None = None
        self._redis_full = False
        self._away = False
        self._beat_at = 0.0
        self._totals: deque[tuple[float, int]] = deque()

    def record(self, event: RequestEvent) -> None:
        """Takes note of a finished request. Called on the request path: no lock, no system call, no waiting."""
        if len(self._queue) < self._queue_size:
            self._queue.append(event)
        else:
            self.dropped += 1

    def start(self) -> None:
        """Begins to carry."""
        # Not before: two processes forked from one must not send under one id.
        self.process_id = self.process_id or uuid4().hex
        self._runner = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._runner.start()

    def stop(self, timeout_s: float) -> None:
        """Sends what waits, then ends. After `timeout_s` what still waits is lost, and the log says how much."""
        if self._runner is None:
            return
        self._deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._runner.join(timeout_s)
        lost = len(self._queue) + (self._parcel.events if self._parcel else 0)
        if lost:
            log.warning("Redis did not take %s before the end", counted(lost, "event"))

    # In the thread. ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(RETRY_PAUSE_S if self._away else PERIOD_S):
            self._guarded(self._carry)
        while time.monotonic() < self._deadline and not self._guarded(self._carry):
            time.sleep(PERIOD_S)
        self._guarded(self._sign_off)

    def _guarded(self, act: Callable[[], None]) -> bool:
        """True when Redis did what it was asked; says so when that changes."""
        try:
            act()
        except Exception as error:  # whatever it is, the thread must outlive it
            if not self._away:
                known = isinstance(error, RedisError)
                log.warning("Statistics wait in the queue: %s", error, exc_info=None if known else error)
            self._away = True
            return False
        if self._away:
            log.warning("Statistics go to Redis again; dropped so far: %s", counted(self.dropped, "event"))
        self._away = False
        return True

    def _carry(self) -> None:
        """Sends what waits, and a heartbeat when it is time for one.

        What comes meanwhile waits for the next turn: on a busy gateway it would go off in ever smaller envelopes.
        """
        if self._redis_full:
            self._redis_full = backlog(self._redis) > self._backlog_events
        left = len(self._queue) + (self._parcel.events if self._parcel else 0)
        while not self._redis_full:
            self._parcel = self._parcel or self._next_parcel()
            if self._parcel is None:
                break
            self._redis_full = push(self._redis, *self._parcel) > self._backlog_events
            left -= self._parcel.events
            self._parcel = None
            if left <= 0:
                break
        if time.monotonic() >= self._beat_at:
            self._beat()

    def _next_parcel(self) -> _Parcel | None:
        events = [self._queue.popleft() for _ in range(min(len(self._queue), ENVELOPE_EVENTS))]
        dropped = self.dropped - self._dropped_reported
        if not events and not dropped:
            return None
        self._dropped_reported += dropped
        self._taken += len(events)
        self._seq += 1
        return _Parcel(*pack(self.process_id, self._seq, dropped, events))

    def _beat(self) -> None:
        now_s = time.monotonic()
        seconds, microseconds = self._redis.time()
        beat = Heartbeat(
            memory_mb=memory_mb(),
            tasks=self._task_count(),
            requests=self._recent_requests(now_s),
            beat_ms=seconds * 1000 + microseconds // 1000,
        )
        self._redis.hset(STATS_PROCESSES, self.process_id, beat.encode())
        self._beat_at = now_s + BEAT_S  # not before: a turn that asked Redis for nothing would pass for its return

    def _recent_requests(self, now_s: float) -> int:
        """Requests finished in the last RATE_SPAN_S. Counted here, so that record() need not look at a clock."""
        total = self._taken + self.dropped + len(self._queue)
        self._totals.append((now_s, total))
        while len(self._totals) > 1 and self._totals[1][0] <= now_s - RATE_SPAN_S:
            self._totals.popleft()
        began_s, before = self._totals[0]
        return total - before if began_s <= now_s - RATE_SPAN_S else total

    def _sign_off(self) -> None:
        self._redis.hdel(STATS_PROCESSES, self.process_id)


def memory_mb() -> float:
    """Resident memory of this process in MB."""
    if sys.platform == "linux":
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS: bytes, and the highest so far
