"""Tells Redis which calls of this process have not ended, and answers whoever asks all processes.

Redis is told of calls that have gone on for `AGE_MS`, and of each again whenever all are renewed: only so much is
needed for the log to have a row of each, should this process die. What an operator wants to see is asked for when he
looks (storage/active/asking.py). No call waits for any of this, or does more for it than to stand in a dictionary.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import gethostname
from typing import Any, Final, Protocol
from uuid import uuid4

import orjson

from app.storage.active.stored import AGE_MS, RENEWED_S, remove, write
from app.storage.connections import ACTIVE_NEWS, Redis, RedisError
from app.storage.threads import AWAY_S, Threads

log = logging.getLogger(__name__)

TICK_S: Final = 0.2
"""Between two looks for calls that have become old enough."""
AT_ONCE: Final = 100
"""Calls in one command, so that neither we nor Redis are busy with them for long."""
ANSWER_KEPT_MS: Final = 10_000

Place = tuple[int, str]


class LocalCalls(Protocol):
    """The calls of this process that have not ended."""

    def count(self) -> int:
        """How many there are."""

    def older_than(self, age_s: float, known: set[str]) -> Sequence[Any]:
        """Those that have gone on for so long and are not among `known`, the oldest first."""

    def before(self, place: Place, most: int) -> Sequence[Any]:
        """The newest that stand before a place, about so many."""

    def place_of(self, call: Any) -> Place:
        """When it came, in ms since the epoch, and its id."""

    def goes_on(self, call: Any) -> bool:
        """Whether it has not ended, and so not told of its end."""

    def entry(self, call: Any) -> bytes | None:
        """Its event as it would be if it ended now; None where it has ended."""

    def end(self, request_id: str) -> bytes | None:
        """Ends the one of this id, in a moment. Its entry, or None: there is none."""


class ActiveKeeper:
    """One for each process: `start` it after any fork."""

    def __init__(
        self, redis_client: Redis, calls: LocalCalls, process_id: str | None, pause: Callable[[], None]
    ) -> None:
        """`process_id`: under which events are sent; None: none are, and so nobody is told of calls beforehand.

        `pause` lets others run.
        """
        self._redis = redis_client
        self._calls = calls
        self._books = process_id is not None
        self._id = process_id or uuid4().hex
        self._name = ""
        self._pause = pause
        self._known: set[str] = set()
        """Ids of those that Redis was told of."""
        self._renews_at_s = 0.0
        self._threads = Threads("active", redis_client, ACTIVE_NEWS)
        self._stopping = self._threads.stopping

    def start(self) -> None:
        """Does not fail when Redis is away."""
        self._name = f"{gethostname()}:{os.getpid()}"
        self._threads.start(self._listen, *([self._keep] if self._books else []))

    def stop(self) -> None:
        """For the end of a process, after its last call: takes back what was told of those that have ended."""
        self._threads.stop()
        with suppress(RedisError):
            self._remove_ended(set() if not self._calls.count() else self._ids(self._calls.older_than(0.0, set())))

    # --- what Redis is told beforehand ---

    def _keep(self) -> None:
        while not self._stopping.wait(TICK_S):
            try:
                self._tell()
            except RedisError:  # the watch of the catalogue says so
                self._renews_at_s = 0.0
                self._stopping.wait(AWAY_S)
            except Exception:
                log.exception("which calls go on could not be told")
                self._stopping.wait(AWAY_S)

    def _tell(self) -> None:
        now_s = time.monotonic()
        if not self._known:
            self._renews_at_s = now_s + RENEWED_S
        if now_s < self._renews_at_s:
            if not self._write(self._calls.older_than(AGE_MS / 1000, self._known)):
                self._renews_at_s = now_s
            return
        calls = self._calls.older_than(AGE_MS / 1000, set())
        running = self._ids(calls)
        self._write(calls)
        self._remove_ended(running)
        self._renews_at_s = now_s + RENEWED_S

    def _write(self, calls: Sequence[Any]) -> bool:
        """False: of those that were told before Redis knows nothing any more, as we were taken for dead, or it lost it.

        Raises RedisError; who was not told then is told next time.
        """
        are_known = True
        for at in range(0, len(calls), AT_ONCE):
            entries = {
                self._calls.place_of(call)[1]: entry
                for call in calls[at : at + AT_ONCE]
                if (entry := self._calls.entry(call)) is not None
            }
            if not entries:
                continue
            if not write(self._redis, self._id, self._name, entries) and self._known:
                are_known = False
            self._known.update(entries)
            self._remove_late(calls[at : at + AT_ONCE])
        return are_known

    def _remove_late(self, calls: Sequence[Any]) -> None:
        """Those that ended while Redis was told: their events may have been booked before."""
        ended = self._ids([call for call in calls if not self._calls.goes_on(call)]) & self._known
        if ended:
            remove(self._redis, self._id, self._name, ended, are_all=False)
            self._known -= ended

    def _remove_ended(self, running: set[str]) -> None:
        ended = list(self._known - running)
        are_all = len(ended) == len(self._known)
        for at in range(0, len(ended), AT_ONCE):
            remove(self._redis, self._id, self._name, ended[at : at + AT_ONCE], are_all=are_all)
            if are_all:
                break
        self._known.difference_update(ended)

    def _ids(self, calls: Sequence[Any]) -> set[str]:
        return {self._calls.place_of(call)[1] for call in calls}

    # --- what is asked of all processes ---

    def _listen(self) -> None:
        self._threads.listen(lambda: None, self._hear)

    def _hear(self, message: bytes) -> None:
        if not message:
            return  # wakes a listener that is to end
        kind, key, *asked = orjson.loads(message)
        answer = orjson.dumps([self._id, self._name, *self._answer(kind, asked)])
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, answer)
            pipe.pexpire(key, ANSWER_KEPT_MS)
            pipe.execute()

    def _answer(self, kind: str, asked: list[Any]) -> list[Any]:
        if kind == "end":
            entry = self._calls.end(asked[0])
            return [None if entry is None else orjson.Fragment(entry)]
        at_ms, id, most = asked
        entries = []
        for number, call in enumerate(self._calls.before((at_ms, id), most), 1):
            entry = self._calls.entry(call)
            if entry is not None:
                entries.append(orjson.Fragment(entry))
            if number % AT_ONCE == 0:
                self._pause()
        return [self._calls.count(), entries]
