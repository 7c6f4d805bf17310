"""Carries events from the request path to Redis. May give them up when all is full, never slows a request down.

record() appends to this process's journal, which outlives a kill of the process, and that is all. A thread (in the web
process, where threading is patched, a greenlet) makes an envelope every `PERIOD_S` of what has come, and pushes it.
An envelope whose push failed is pushed again, the same one, until Redis confirms it; the worker skips what it has seen.
Events that find the journal full are counted, and the count travels with the next envelope.

The thread also reports every `BEAT_S` how the process does (see storage.stats.Heartbeat), and sends what processes of
this machine left behind that were killed, under their names and numbers, so that nothing counts twice.
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
from uuid import uuid4

from app.core.statistics.events import RequestEvent
from app.core.wording import counted
from app.storage.connections import STATS_PROCESSES, Redis, RedisError
from app.storage.journal import Journal
from app.storage.journal_files import create, left_behind
from app.storage.refusals import answer_of, describe
from app.storage.servers import KeptConnection
from app.storage.statistics.envelopes import backlog, encode, pack, push
from app.storage.statistics.stats import Heartbeat

log = logging.getLogger(__name__)

PERIOD_S = 0.4
BEAT_S = 2.0
RATE_SPAN_S = 60.0
RETRY_PAUSE_S = 0.5
ENVELOPE_EVENTS = 2000
BACKLOG_EVENTS = 300_000
"""So many events may wait in Redis (130 to 450 bytes each) while no worker runs; then the queue is left to fill."""

DOUBT_MS = 6 * 24 * 3_600_000
"""What may have arrived is not sent again after this: the worker remembers a sender's last number for 7 days."""

_STATM = "/proc/self/statm"


class Recorder:
    """One for each process; made in the process whose events it carries, after any fork."""

    def __init__(
        self,
        redis_client: Redis,
        *,
        queue_size: int,
        process_id: str | None = None,
        journal_folder: Path | None = None,
        backlog_events: int = BACKLOG_EVENTS,
        task_count: Callable[[], int] = threading.active_count,
        in_flight: Callable[[], int] = lambda: 0,
    ) -> None:
        """`process_id` must be new for each start of each process; None makes one up.

        `queue_size`: so many events may wait. `journal_folder`: where they outlive the process; None: nowhere.
        """
        self.process_id = process_id or uuid4().hex
        self._redis = KeptConnection(redis_client)
        self._folder = journal_folder
        self._queue_size = queue_size
        self._journal = create(None, self.process_id, queue_size)
        self._backlog_events = backlog_events
        self._task_count = task_count
        self._in_flight = in_flight
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self._runner: threading.Thread | None = None
        self._redis_full = False
        self._away = False
        self.refused = ""
        """How Redis refused what was last sent, to follow its name; empty when it did not, or does not answer."""
        self._beat_at = 0.0
        self._totals: deque[tuple[float, int]] = deque()

    @property
    def dropped(self) -> int:
        """Events of this process that found no room."""
        return self._journal.dropped

    @property
    def waiting(self) -> int:
        """Events that Redis has not confirmed."""
        return self._journal.waiting

    def record(self, event: RequestEvent) -> None:
        """Takes note of a finished request. Called on the request path: no system call, no waiting."""
        try:
            row = encode(event)
        except TypeError:  # it must not hold up the others
            self._journal.drop()
        else:
            self._journal.append(row)

    def start(self) -> None:
        """Begins to carry, and to keep what is recorded where it outlives the process."""
        if self._folder is not None:
            self.keep_in(self._folder)
        self._runner = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._runner.start()

    def keep_in(self, folder: Path) -> None:
        """From here on what is recorded stands in a file."""
        early, self._journal = self._journal, create(folder, self.process_id, self._queue_size)
        while batch := early.next_batch(ENVELOPE_EVENTS):
            for row in batch.rows:
                self._journal.append(row)
            early.confirm()
        early.close()

    def stop(self, timeout_s: float) -> None:
        """Sends what waits, then ends. The log says what still waits after `timeout_s`: the next start sends it."""
        if self._runner is not None:
            self._deadline = time.monotonic() + timeout_s
            self._stopping.set()
            self._runner.join(timeout_s)
            if self.waiting:
                kept = f"left in {self._journal.path} for the next start" if self._journal.path else "lost"
                log.warning("Redis did not take %s before the end: %s", counted(self.waiting, "event"), kept)
            if self.waiting or self._runner.is_alive():
                return  # what comes now stands beside it
        self._journal.close()

    # In the thread. ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(RETRY_PAUSE_S if self._away else PERIOD_S):
            self._guarded(self._carry)
        while time.monotonic() < self._deadline and not self._guarded(self._carry):
            time.sleep(PERIOD_S)
        if not self._away:
            self._guarded(self._send_left_behind)
            self._guarded(self._sign_off)
        self._redis.close()

    def _guarded(self, act: Callable[[], None]) -> bool:
        """True when Redis did what it was asked; says so when that changes."""
        try:
            act()
        except Exception as error:  # whatever it is, the thread must outlive it
            if not self._away:
                known = isinstance(error, RedisError)
                why = f"Redis {describe(error)}" if known else error
                log.warning("Statistics wait in the queue: %s", why, exc_info=None if known else error)
            self._away, self.refused = True, answer_of(error)
            return False
        if self._away:
            log.warning("Statistics go to Redis again; dropped so far: %s", counted(self.dropped, "event"))
        self._away, self.refused = False, ""
        return True

    def _carry(self) -> None:
        """Sends what waits, and a heartbeat when it is time for one."""
        if self._redis_full:
            self._redis_full = backlog(self._redis) > self._backlog_events
        self._send(self._journal)
        if time.monotonic() >= self._beat_at:
            self._beat()
            self._send_left_behind()

    def _send(self, journal: Journal) -> None:
        """What comes meanwhile waits for the next turn: on a busy gateway it would go off in ever smaller envelopes."""
        left = journal.waiting
        while not self._redis_full and (batch := journal.next_batch(ENVELOPE_EVENTS)) is not None:
            packed = pack(journal.sender, batch.seq, batch.dropped, batch.rows)
            self._redis_full = push(self._redis, packed, len(batch.rows)) > self._backlog_events
            journal.confirm()
            left -= len(batch.rows)
            if left <= 0:
                break

    def _send_left_behind(self) -> None:
        if self._folder is None:
            return
        for journal in left_behind(self._folder, self._journal.path):
            try:
                is_doubtful = time.time_ns() // 1_000_000 - journal.claimed_at_ms > DOUBT_MS
                if journal.is_open and is_doubtful and journal.next_batch(ENVELOPE_EVENTS):
                    journal.confirm()
                log.info("Sending %s that process %s left behind", counted(journal.waiting, "event"), journal.sender)
                self._send(journal)
            finally:
                journal.close()

    def _beat(self) -> None:
        now_s = time.monotonic()
        seconds, microseconds = map(int, self._redis.execute_command("TIME"))
        beat = Heartbeat(
            memory_mb=memory_mb(),
            tasks=self._task_count(),
            requests=self._recent_requests(now_s),
            beat_ms=seconds * 1000 + microseconds // 1000,
            in_flight=self._in_flight(),
        )
        self._redis.execute_command("HSET", STATS_PROCESSES, self.process_id, beat.encode())
        self._beat_at = now_s + BEAT_S  # not before: a turn that asked Redis for nothing would pass for its return

    def _recent_requests(self, now_s: float) -> int:
        """Requests finished in the last RATE_SPAN_S. Counted here, so that record() need not look at a clock."""
        total = self._journal.appended + self.dropped
        self._totals.append((now_s, total))
        while len(self._totals) > 1 and self._totals[1][0] <= now_s - RATE_SPAN_S:
            self._totals.popleft()
        began_s, before = self._totals[0]
        return total - before if began_s <= now_s - RATE_SPAN_S else total

    def _sign_off(self) -> None:
        self._redis.execute_command("HDEL", STATS_PROCESSES, self.process_id)


def memory_mb() -> float:
    """Resident memory of this process in MB."""
    if sys.platform == "linux":
        with open(_STATM, "rb", buffering=0) as figures:
            return int(figures.read(100).split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS: bytes, and the highest so far
