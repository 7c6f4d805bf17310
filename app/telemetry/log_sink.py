"""Where everything goes that is said on standard error or output: a bounded queue, and a real thread that writes.

Whoever reads our log may stop reading. Then a write to its pipe waits for ever, and under gevent, whose threads are
greenlets, everything would wait with it. So nobody but the thread here writes: one of the system's, which gevent does
not see. It uses no lock, sleep or thread of gevent's and logs nothing itself. What finds the queue full is counted,
and the count is told as soon as somebody reads again.

The thread begins with the first line and ends when none have come for a while. It rests while its process forks:
the child has a queue and a thread of its own.
"""

from __future__ import annotations

import _thread
import atexit
import os
import select
import signal
import stat
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from app.core.statistics.events import RequestEvent
from app.unpatched import unpatched

PERIOD_S = 0.1
"""Lines are written so often, and not each by itself: to wake a thread costs more than to write a line."""
IDLE_PERIODS = 10
MAX_WAITING_EVENTS: Final = 20_000
MAX_WAITING_TEXTS = 1_000
MAX_TEXT_BYTES = 32 * 1024
BULK_BYTES = 64 * 1024
END_S = 5.0
"""How long the last lines may take at the end of a process while somebody reads them."""
STALLED_S = 0.5
"""How long the end of a process waits for a reader who takes nothing."""
REST_S = 0.2
"""How long a fork waits for the thread; one that is stuck in a write is no harm to the child."""


def _no_description(event: RequestEvent) -> bytes:
    return repr(event).encode("utf-8", "backslashreplace") + b"\n"


def _plain_notice(dropped: int) -> bytes:
    return b"%d log lines were dropped: nobody read them\n" % dropped


class LogSink:
    """Takes lines and requests for one file descriptor; never waits."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.describe: Callable[[RequestEvent], bytes] = _no_description
        """Makes the line of a finished request, in the thread: the request does not wait for that either."""
        self.takes_requests = True
        """False: finished requests have no line (setting `log_requests`)."""
        self.notice: Callable[[int], bytes] = _plain_notice
        """Makes the line that tells how many were dropped."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets what waits. For a process that was just forked: its parent writes that."""
        self._texts: deque[bytes] = deque()
        self._events: deque[RequestEvent] = deque()
        self._refused = 0
        self._unwritten = 0
        self._told = 0
        self._pieces_written = 0
        self._stalled_at = -1
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._most_bytes = BULK_BYTES
        self._passing = False
        self._leaving = False
        self._thread_id = 0
        self._running = unpatched("_thread", "allocate_lock")()
        """Held by the thread."""
        self._alarm = unpatched("_thread", "allocate_lock")()
        """The thread sleeps on it."""
        self._alarm.acquire()

    @property
    def dropped(self) -> int:
        """Lines that were not written: the queue was full, or the file descriptor is broken."""
        return self._refused + self._unwritten

    def record(self, event: RequestEvent) -> None:
        """A line for a finished request. Called on the request path."""
        if not self.takes_requests:
            return
        if len(self._events) < MAX_WAITING_EVENTS:
            self._events.append(event)
            if not self._running.locked() and self._running.acquire(False):
                self._begin()
        else:
            self._refused += 1

    def write(self, text: bytes) -> None:
        """Any other line, with its end."""
        if len(self._texts) >= MAX_WAITING_TEXTS:
            self._refused += 1
            return
        self._texts.append(text if len(text) <= MAX_TEXT_BYTES else text[:MAX_TEXT_BYTES] + b"...\n")
        if self._running.acquire(False):
            self._begin()

    def flush(self, timeout_s: float = END_S) -> None:
        """Returns when what waits is written: at the latest after `timeout_s`, and soon when nobody reads."""
        now_s = began_s = moved_s = time.monotonic()
        pieces = self._pieces_written
        if pieces == self._stalled_at:
            return  # nobody has read since the last time
        while self._is_waiting() and now_s - began_s < timeout_s:
            if now_s - moved_s >= STALLED_S:
                self._stalled_at = pieces
                return
            if self._running.acquire(False):
                self._begin()
            self._wake()
            time.sleep(0.002)
            now_s = time.monotonic()
            if self._pieces_written != pieces:
                pieces, moved_s = self._pieces_written, now_s

    def rest(self) -> None:
        """Ends the thread, so that the process can fork, if it can be ended: it may be stuck in a write."""
        self._leaving = True
        self._wake()
        sleep = unpatched("time", "sleep")
        deadline = time.monotonic() + REST_S
        while (self._running.locked() or self._thread_lives()) and time.monotonic() < deadline:
            sleep(0.0005)

    def go_on(self) -> None:
        """After rest()."""
        self._leaving = False
        if self._is_waiting() and self._running.acquire(False):
            self._begin()

    def end(self) -> None:
        """Writes what waits, as flush() does. What comes afterwards is dropped: no thread may meet Python's own end."""
        self.flush()
        self.rest()
        self._running.acquire(False)

    def _is_waiting(self) -> bool:
        return bool(self._texts or self._events or self._passing)

    def _begin(self) -> None:
        try:
            unpatched("_thread", "start_new_thread")(self._run, ())
        except RuntimeError:  # no thread can be had now; the next line tries again
            self._running.release()

    def _wake(self) -> None:
        try:
            self._alarm.release()
        except RuntimeError:
            pass  # it is awake

    def _thread_lives(self) -> bool:
        """False, too, where the system does not tell (it is not Linux)."""
        return bool(self._thread_id) and os.path.exists(f"/proc/self/task/{self._thread_id}")

    # In the thread. ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for those who wait for them
        self._thread_id = _thread.get_native_id()
        idle_periods = 0
        while True:
            idle_periods = 0 if self._write_waiting() else idle_periods + 1
            if self._leaving or idle_periods > IDLE_PERIODS:
                self._running.release()
                # A line that came just before found a thread that runs.
                if self._leaving or not self._is_waiting() or not self._running.acquire(False):
                    return
            self._alarm.acquire(True, PERIOD_S)

    def _write_waiting(self) -> bool:
        """Writes what waits now; False when nothing did."""
        # In this order: what a request said is then written before its line.
        events, texts = len(self._events), len(self._texts)
        if not texts and not events:
            return False
        self._passing = True
        self._most_bytes = _most_bytes(self.fd)
        for _ in range(texts):
            self._take(self._texts.popleft())
        for _ in range(events):
            self._take(self.describe(self._events.popleft()))
        self._write_batch()
        dropped = self.dropped - self._told
        if dropped:
            before = self._unwritten
            self._take(self.notice(dropped))
            self._write_batch()
            if self._unwritten == before:
                self._told += dropped
            else:
                self._unwritten = before  # the notice is no line of anybody's
        self._passing = False
        return True

    def _take(self, line: bytes) -> None:
        if self._batch and self._batch_bytes + len(line) > self._most_bytes:
            self._write_batch()
        self._batch.append(line)
        self._batch_bytes += len(line)

    def _write_batch(self) -> None:
        lines = len(self._batch)
        data = b"".join(self._batch)
        self._batch, self._batch_bytes = [], 0
        while data:
            try:
                data = data[os.write(self.fd, data) :]
                self._pieces_written += 1
            except BlockingIOError:  # somebody who has the same pipe made it so
                if self._leaving:
                    self._unwritten += lines
                    return
                self._alarm.acquire(True, PERIOD_S)
            except OSError:
                self._unwritten += lines
                return


def _most_bytes(fd: int) -> int:
    """How much is written at once. Into a pipe only what goes in whole, because others write there, too."""
    try:
        return select.PIPE_BUF if stat.S_ISFIFO(os.fstat(fd).st_mode) else BULK_BYTES
    except OSError:
        return BULK_BYTES


_sinks: dict[int, LogSink] = {}


def sink_of(fd: int) -> LogSink:
    """The process's one sink for this file descriptor."""
    if fd not in _sinks:
        _sinks[fd] = LogSink(fd)
    return _sinks[fd]


def end_all() -> None:
    """For the end of a process; Python calls it by itself, but not before `os._exit`."""
    for sink in _sinks.values():
        sink.end()


def _before_fork() -> None:
    for sink in _sinks.values():
        sink.rest()


def _after_fork_in_parent() -> None:
    for sink in _sinks.values():
        sink.go_on()


def _after_fork_in_child() -> None:
    for sink in _sinks.values():
        sink.begin_anew()


atexit.register(end_all)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
