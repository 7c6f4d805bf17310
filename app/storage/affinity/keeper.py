"""Tells other processes which key each conversation has, and stores which keys know the ids that answers gave.

What is told is stored too, for processes that start later, by slices of time that expire. While Redis is away each
process goes on with what it knows.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from itertools import islice
from typing import Final
from uuid import uuid4

import orjson

from app.storage.affinity.conversations import MAX_KEPT, Conversations, Kept
from app.storage.affinity.given_ids import GivenIds
from app.storage.connections import CONVERSATIONS, CONVERSATIONS_NEWS, GIVEN_ID, Redis, RedisError
from app.storage.threads import AWAY_S, Threads

log = logging.getLogger(__name__)

GATHER_S: Final = 0.02
"""How long the first to be told waits for others, so that many cost little."""
SLICE_MS: Final = 600_000
MAX_SLICE: Final = 200_000
"""Conversations of one slice that are stored; more are told, and not stored."""
MOST: Final = 500
"""That are told or stored by one command."""


class AffinityKeeper:
    """One for each process: `start` it after any fork."""

    def __init__(self, redis_client: Redis, conversations: Conversations, given_ids: GivenIds) -> None:
        self._id = uuid4().hex
        self._redis = redis_client
        self._conversations = conversations
        self._given_ids = given_ids
        self._threads = Threads("affinity", redis_client, CONVERSATIONS_NEWS)
        self._wake, self._stopping = self._threads.wake, self._threads.stopping

    def start(self) -> None:
        """Does not fail when Redis is away."""
        self._conversations.wake = self._given_ids.wake = self._wake.set
        self._threads.start(self._keep, self._listen)

    def stop(self) -> None:
        """Stores what is left: for the end of a process, after its last call."""
        self._threads.stop()
        with suppress(RedisError):
            self._store_ids()
            self._tell_all()

    def _keep(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                self._store_ids()  # which may be asked for as soon as their answer has left
                if self._stopping.wait(GATHER_S):
                    return
                self._tell_all()
            except RedisError:  # the watch of the catalogue says so
                self._wake.set()
                self._stopping.wait(AWAY_S)
            except Exception:
                log.exception("which keys conversations have could not be told")
                self._stopping.wait(AWAY_S)

    def _store_ids(self) -> None:
        """Raises RedisError; what was not stored is then stored next time."""
        while unstored := self._given_ids.take_unstored(MOST):
            try:
                with self._redis.pipeline(transaction=False) as commands:
                    for name, knower in unstored.items():
                        value = f"{knower.channel_id} {knower.key_id}"
                        commands.set(GIVEN_ID + name, value, px=round(self._given_ids.ttl_s * 1000))
                    commands.execute()
            except RedisError:
                self._given_ids.give_back(unstored)
                raise

    def _tell_all(self) -> None:
        """Raises RedisError; who was not told is then told next time."""
        while untold := self._conversations.take_untold(MOST):
            try:
                self._tell(untold)
            except RedisError:
                self._conversations.give_back(untold)
                raise

    def _tell(self, untold: dict[str, Kept]) -> None:
        number = _now_ms() // SLICE_MS
        slice = f"{CONVERSATIONS}{number}"
        plain = {name: tuple(kept) for name, kept in untold.items()}  # orjson knows no others
        with self._redis.pipeline(transaction=False) as commands:
            commands.publish(CONVERSATIONS_NEWS, orjson.dumps([self._id, plain]))
            commands.hlen(slice)
            _, stored = commands.execute()
            if stored < MAX_SLICE:
                commands.hset(slice, mapping={name: orjson.dumps(kept) for name, kept in plain.items()})
                commands.pexpire(slice, 2 * self._conversations.ttl_ms + SLICE_MS)
                commands.execute()

    def _listen(self) -> None:
        self._threads.listen(self._read_all, self._hear)

    def _hear(self, message: bytes) -> None:
        if not message:
            return  # wakes a listener that is to end
        process, told = orjson.loads(message)
        if process != self._id:
            for name, kept in told.items():
                self._conversations.learn(name, Kept(*kept))

    def _read_all(self) -> None:
        """The latest, as many as there is room for. Raises RedisError."""
        now_ms = _now_ms()
        found: dict[str, Kept] = {}
        for number in range(now_ms // SLICE_MS, (now_ms - self._conversations.ttl_ms) // SLICE_MS - 1, -1):
            stored = self._redis.hscan_iter(f"{CONVERSATIONS}{number}", count=500)
            for name, kept in islice(stored, MAX_KEPT - len(found)):
                found.setdefault(name.decode(), Kept(*orjson.loads(kept)))
            if len(found) >= MAX_KEPT:
                break
        for name in reversed(found):
            self._conversations.learn(name, found[name])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
