"""Puts the roll-up job on the queue, about once a second while there is something to do.

A job costs as much as a thousand events do, so where many come it is ordered half as often.

Many workers may run; one of them holds the lease and ticks, the others stand by. That is for economy only
(whoever rolled up last has the sums in memory): that nothing counts twice is the ledger's business, see
storage/statistics/ledger.py.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.core.statistics.windows import MINUTE_MS
from app.storage.connections import ACTIVE, STATS_EVENTS, STATS_LEASE, Redis
from app.storage.refusals import describe
from app.storage.statistics.envelopes import backlog

log = logging.getLogger(__name__)

QUEUE = "apiproxy-roll-up"
JOB = "worker.roll_up.roll_up"
TICK_S = 0.8
BUSY_TICK_S = 1.4
"""Where so many events a second come: figures are two seconds old at most."""
BUSY_EVENTS_A_S = 100
IDLE_S = 5.0
"""Without events a job runs this often still, as a sign of life."""
LEASE_MS = 3_000
"""How long a worker that died keeps the others waiting."""
JOB_TIMEOUT_S = 120
"""The first job of a worker reads 62 days: some seconds where a hundred endpoints are busy."""
JOB_TRACE_S = 60
"""How long a job that failed, or that nobody fetched, can be looked at."""


class Ticker(threading.Thread):
    """A thread of the worker process. `holds_lease` says whether this worker works or stands by."""

    def __init__(self, redis_client: Redis, worker_name: str) -> None:
        super().__init__(name="ticker", daemon=True)
        self.holds_lease = False
        self.away = False
        """Redis does not answer, or refuses; it was said when that began."""
        self._redis: Any = redis_client
        self._name = worker_name.encode()
        self._queue = Queue(QUEUE, connection=redis_client, serializer=JSONSerializer)
        self._telling = threading.Lock()
        self._stopping = threading.Event()
        self._worked_at = 0.0
        self._minute = 0

    def run(self) -> None:
        pause_s = TICK_S
        while not self._stopping.wait(pause_s):
            waited_s, pause_s = pause_s, TICK_S
            try:
                if self.tick() >= BUSY_EVENTS_A_S * waited_s:
                    pause_s = BUSY_TICK_S
                if self.away:
                    log.warning("Redis does what it is asked again; roll-ups go on")
                self.away = False
            except redis.RedisError as error:
                self.holds_lease = False
                self.tell_of(error)

    def tell_of(self, error: redis.RedisError) -> None:
        """Says that Redis is away, once: RQ's loop, in its own thread, may find it out before the ticker does."""
        with self._telling:
            if not self.away:
                log.warning("Redis %s; no roll-ups until it does what it is asked", describe(error))
            self.away = True

    def stop(self) -> None:
        """Ends the thread and lets another worker go on at once."""
        self._stopping.set()
        self.join(timeout=1)
        try:
            if self._redis.get(STATS_LEASE) == self._name:
                self._redis.delete(STATS_LEASE)
        except redis.RedisError:
            pass  # it expires by itself

    def tick(self) -> int:
        """Keeps or takes the lease; whoever has it orders a roll-up if one is due.

        Returns how many events wait for the one that it ordered. Raises redis.RedisError.
        """
        self.holds_lease = self._lease()
        if not (self.holds_lease and self._is_due() and self._queue.count == 0):
            return 0
        self._queue.enqueue(JOB, job_timeout=JOB_TIMEOUT_S, result_ttl=0, ttl=JOB_TRACE_S, failure_ttl=JOB_TRACE_S)
        self._worked_at = time.monotonic()
        self._minute = _minute()
        try:
            return backlog(self._redis)
        except ValueError:
            return 0  # somebody wrote something else there

    def _lease(self) -> bool:
        if self._redis.set(STATS_LEASE, self._name, nx=True, px=LEASE_MS):
            return True
        if self._redis.get(STATS_LEASE) != self._name:
            return False
        return bool(self._redis.pexpire(STATS_LEASE, LEASE_MS))

    def _is_due(self) -> bool:
        if time.monotonic() - self._worked_at >= IDLE_S or _minute() != self._minute:
            return True
        return bool(self._redis.llen(STATS_EVENTS)) or bool(self._redis.zcount(ACTIVE, 0, time.time_ns() // 1_000_000))


def _minute() -> int:
    return time.time_ns() // 1_000_000 // MINUTE_MS
