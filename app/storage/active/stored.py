"""How Redis keeps calls that have not ended: of each process a hash, which counts for as long as the process renews it.

An entry is the call's event, as it would be if it ended now. It goes in the one step that books the call's own event,
so what a process leaves behind when it dies are the calls that nobody will tell of any more
(storage/active/interrupted.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.core.statistics.events import RequestEvent
from app.storage.connections import ACTIVE, ACTIVE_OF, INTERRUPTED

AGE_MS: Final = 500
"""Calls that end sooner have no entry."""
TTL_MS: Final = 20_000
"""How long the entries of a process count after it has renewed them."""
RENEWED_S: Final = 5.0
KEPT_MS: Final = 31 * 24 * 3_600_000
"""How long it is remembered which calls were interrupted: their processes may live, or have left a journal behind.
So long at most a process that died is remembered where no worker runs."""

# KEYS: the processes. ARGV: a process, ttl in ms. Returns whether it was among them.
_RENEW: Final = """
local time = redis.call('TIME')
local was = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], ARGV[1])
return was and 1 or 0
"""


def member_of(process_id: str, name: str) -> str:
    """How a process stands among the processes."""
    return f"{process_id} {name}"


def id_and_name(member: bytes) -> tuple[str, str]:
    """The reverse."""
    process_id, _, name = member.decode("utf-8", "replace").partition(" ")
    return process_id, name


def write(redis: Any, process_id: str, name: str, entries: Mapping[str, bytes]) -> bool:
    """Stores entries, and renews all of the process. False: it did not count any more. Raises RedisError."""
    with redis.pipeline(transaction=True) as pipe:
        pipe.eval(_RENEW, 1, ACTIVE, member_of(process_id, name), TTL_MS)
        if entries:
            pipe.hset(ACTIVE_OF + process_id, mapping=dict(entries))
            pipe.pexpire(ACTIVE_OF + process_id, KEPT_MS)
        return bool(pipe.execute()[0])


def remove(redis: Any, process_id: str, name: str, ids: Iterable[str], *, are_all: bool) -> None:
    """Of calls that have ended. `are_all`: the process has none any more. Raises RedisError."""
    with redis.pipeline(transaction=True) as pipe:
        if are_all:
            pipe.delete(ACTIVE_OF + process_id)
            pipe.zrem(ACTIVE, member_of(process_id, name))
        else:
            pipe.hdel(ACTIVE_OF + process_id, *ids)
        pipe.execute()


# --- for who books the events of calls ---


_NUMBER: Final = (int, float)


def ids_with_entries(events: Iterable[RequestEvent]) -> list[str]:
    """Of those calls that may have one."""
    return [
        event.request_id
        for event in events
        if isinstance(event.duration_ms, _NUMBER) and event.duration_ms >= AGE_MS  # others are no events of ours
    ]


def told_already(redis: Any, calls: Mapping[str, list[str]]) -> set[tuple[str, str]]:
    """Process and id of those that were booked as interrupted. `calls`: ids by process. Raises RedisError."""
    asked = {process_id: ids for process_id, ids in calls.items() if ids}
    if not asked:
        return set()
    with redis.pipeline(transaction=False) as pipe:
        for process_id, ids in asked.items():
            pipe.hmget(INTERRUPTED + process_id, ids)
        found = pipe.execute()
    return {
        (process_id, id)
        for (process_id, ids), marks in zip(asked.items(), found, strict=True)
        for id, mark in zip(ids, marks, strict=True)
        if mark is not None
    }


def write_ended(pipe: Any, calls: Mapping[str, list[str]]) -> None:
    """Queues, in the MULTI that books them, that these have ended."""
    for process_id, ids in calls.items():
        if ids:
            pipe.hdel(ACTIVE_OF + process_id, *ids)
