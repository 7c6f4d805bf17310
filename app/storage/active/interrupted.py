"""Calls that nobody will tell of any more, as their process died: they become events, by the way that all events take.

A process that is silent for `TTL_MS` counts as dead. It may only be frozen, or have left a journal that is found later:
what is told of these calls then is left out (stored.told_already), so each has one row whatever happens.
While Redis was away nobody could renew: then, and after a pause of the worker itself, all get time to do so first.
"""

from __future__ import annotations

import logging
from typing import Any, Final
from uuid import uuid4

import orjson

from app.core.request_log.running import interrupted
from app.core.wording import counted
from app.storage.active.stored import KEPT_MS, id_and_name
from app.storage.connections import (
    ACTIVE,
    ACTIVE_OF,
    INTERRUPTED,
    STATS_BACKLOG,
    STATS_EVENTS,
    Redis,
    WatchError,
)
from app.storage.statistics.envelopes import encode, events_of, pack

log = logging.getLogger(__name__)

PAUSE_MS: Final = 10_000
"""A longer one between two looks may have been one of Redis. In a shorter one no process that lives can expire."""
GRACE_MS: Final = 10_000
ENVELOPE_EVENTS: Final = 500


class InterruptedCalls:
    """Of one worker. To be asked when all events that wait are booked, so that those are known that were told."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client
        self._looked_ms = 0
        self._since_ms = 0
        """Since when Redis answers without a longer pause. By its clock, as all times here."""

    def book(self) -> int:
        """Puts events of them on the list of those that wait. Returns of how many. Raises redis.RedisError."""
        seconds, microseconds = self._redis.time()
        now_ms = seconds * 1000 + microseconds // 1000
        if not 0 <= now_ms - self._looked_ms <= PAUSE_MS:
            self._since_ms = now_ms
        self._looked_ms = now_ms
        if now_ms - self._since_ms < GRACE_MS:
            return 0
        return sum(self._book(member, now_ms) for member in self._redis.zrangebyscore(ACTIVE, 0, now_ms))

    def _book(self, member: bytes, now_ms: int) -> int:
        process_id, name = id_and_name(member)
        entries_key, booked_key = ACTIVE_OF + process_id, INTERRUPTED + process_id
        pipe: Any
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(entries_key, booked_key)  # whoever renews writes entries, too
            until_ms = pipe.zscore(ACTIVE, member)
            if until_ms is None or until_ms > now_ms:
                return 0  # it lives
            entries = pipe.hgetall(entries_key)
            booked = set(pipe.hkeys(booked_key)) if entries else set()
            calls = {id: entry for id, entry in entries.items() if id not in booked}
            pipe.multi()
            self._write_envelopes(pipe, list(calls.values()))
            if calls:
                pipe.hset(booked_key, mapping=dict.fromkeys(calls, 1))
                pipe.pexpire(booked_key, KEPT_MS)
            pipe.delete(entries_key)
            pipe.zrem(ACTIVE, member)
            try:
                pipe.execute()
            except WatchError:
                return 0  # it lives, or another worker was faster
        if calls:
            log.warning("Process %s is silent: %s interrupted", name, counted(len(calls), "call"))
        return len(calls)

    @staticmethod
    def _write_envelopes(pipe: Any, entries: list[bytes]) -> None:
        sender = f"interrupted-{uuid4().hex}"
        rows = [encode(interrupted(event)) for event in events_of(map(orjson.loads, entries))]
        for seq, at in enumerate(range(0, len(rows), ENVELOPE_EVENTS), 1):
            some = rows[at : at + ENVELOPE_EVENTS]
            pipe.rpush(STATS_EVENTS, pack(sender, seq, 0, some))
            pipe.incrby(STATS_BACKLOG, len(some))
