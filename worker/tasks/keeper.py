"""Sees to it that tasks are done: gives those that wait to RQ, and starts the process that does them.

A task waits when it was ordered, and again when whoever did it has been silent for too long. So what a kill leaves, of
any process or of Redis, is taken up by the same look.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final
from uuid import uuid4

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.config import Config
from app.storage.connections import Redis
from app.storage.tasks.stored import Open, StoredTasks

log = logging.getLogger(__name__)

QUEUE: Final = "apiproxy-tasks"
JOB: Final = "worker.tasks.runner.begin"
LOOK_S: Final = 0.5
AT_ONCE: Final = 8
"""Of each kind, over all processes: so an import does not wait for validations that take hours."""
JOB_TRACE_S: Final = 60
"""How long a job that failed, or that nobody fetched, can be looked at."""
STOP_S: Final = 9.0
"""How long the process may take to leave its tasks in order."""
BACKOFF_S: Final = (0.0, 1.0, 2.0, 5.0, 15.0, 30.0)
"""The pauses before a process that died is started again."""
SILENT_S: Final = 60.0
"""So long a process may have tasks and not tell how far they are."""
STEADY_S: Final = 60.0
"""One that lived as long starts again without a pause."""


class TasksKeeper(threading.Thread):
    """A thread of the worker."""

    def __init__(self, redis_client: Redis, config: Config, holds_lease: Callable[[], bool]) -> None:
        """`holds_lease`: of several workers one keeps the tasks, too."""
        super().__init__(name="tasks", daemon=True)
        self._stored = StoredTasks(redis_client)
        self._queue = Queue(QUEUE, connection=redis_client, serializer=JSONSerializer)
        self._holds_lease = holds_lease
        self.environ = os.environ | _said_at_our_start(config)
        """Of the process."""
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._process_name = ""
        """Of the process: what it has claimed bears it."""
        self._started_at_s = self._heard_at_s = 0.0
        self._deaths = 0
        self._dead = ""
        """The name of one that died and may have left something."""

    def run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except redis.RedisError:
                pass  # the ticker says so
            except Exception:
                log.exception("Tasks wait: they could not be looked after")

    def stop(self) -> None:
        """Ends the thread and the process; what runs goes on in another worker's, or in that of the next start."""
        self._stopping.set()
        self.join(timeout=1)
        self.end_process()

    def end_process(self) -> None:
        """Waits until it has left its tasks in order, and kills it where that takes too long."""
        process = self._process
        if process is None:
            return
        self._close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            log.warning("The tasks process does not end; killing it")
            process.kill()
            process.wait()

    def look(self) -> None:
        """Raises redis.RedisError."""
        self._note_death()
        if self._dead:
            self._stored.abandon(self._dead)
            self._dead = ""
        if not self._holds_lease():
            return
        found = self._stored.open()
        self._watch({one.process for one in found if not one.is_claimed})
        waiting = next_of(found)
        if not waiting:
            return
        if not self._queue.count:  # else those were given already
            for id in waiting:
                self._queue.enqueue(JOB, id, job_timeout=-1, result_ttl=0, ttl=JOB_TRACE_S, failure_ttl=JOB_TRACE_S)
        if self._process is None and not self._stopping.is_set() and time.monotonic() >= self._due_at_s():
            self._start()

    def _watch(self, silent: Collection[str]) -> None:
        """Kills the process where it lives and says nothing any more, so that another takes its place."""
        now_s = time.monotonic()
        if self._process is None or self._process_name not in silent:
            self._heard_at_s = now_s
        elif now_s - self._heard_at_s > SILENT_S:
            self._heard_at_s = now_s
            log.warning("The tasks process has said nothing for %.0f s; killing it", SILENT_S)
            self._process.kill()

    def _start(self) -> None:
        self._process_name = uuid4().hex
        command = [sys.executable, "-m", "worker.tasks", self._process_name]
        # Its input closes with us, however we end; and a Ctrl-C of our terminal is for us alone.
        self._process = subprocess.Popen(command, env=self.environ, stdin=subprocess.PIPE, process_group=0)  # noqa: S603
        self._started_at_s = time.monotonic()

    def _note_death(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        code = self._process.returncode
        self._close()
        self._process, self._dead = None, self._process_name
        if code == 0:
            self._deaths = 0
            return
        lived_s = time.monotonic() - self._started_at_s
        self._deaths = 1 if lived_s > STEADY_S else self._deaths + 1
        log.warning("The tasks process ended unexpectedly (%s); it is started again for what waits", _ending(code))

    def _due_at_s(self) -> float:
        return self._started_at_s + BACKOFF_S[min(self._deaths, len(BACKOFF_S) - 1)]

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def next_of(found: Sequence[Open]) -> list[str]:
    """Those that may begin, the oldest first."""
    counts = Counter(one.kind for one in found if one.is_claimed)
    ids = []
    for one in found:
        if not one.is_claimed and counts[one.kind] < AT_ONCE:
            counts[one.kind] += 1
            ids.append(one.id)
    return ids


def _said_at_our_start(config: Config) -> dict[str, str]:
    """What the process must read as we did, whatever `.env` says by now: where Redis is, and what encrypts there."""
    keys = [key or "off" for key in config.encryption_keys]
    return {"API_PROXY_REDIS_URL": config.redis_url or "", "ENCRYPTION_KEY": ",".join(keys) or "off"}


def _ending(code: int) -> str:
    return f"code {code}" if code > 0 else f"killed by signal {-code}"
