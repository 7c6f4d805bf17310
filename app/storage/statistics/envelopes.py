"""How events travel from a web process to the worker: packed into envelopes, on a list in Redis.

An envelope bears its sender and a number that only grows. Whoever is not sure that an envelope arrived sends
the same one again, and whoever opens it skips what it has seen before: so each event counts exactly once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from app.core.statistics.events import RequestEvent
from app.storage.connections import STATS_BACKLOG, STATS_EVENTS, Redis

VERSION = 1
_FIELDS = len(RequestEvent._fields)


class Envelope(NamedTuple):
    """What one process sends at once."""

    process_id: str
    seq: int
    """1, 2, 3, ... within a process."""
    dropped: int
    """Events that were given up since the process's last envelope."""
    events: list[RequestEvent]


def encode(event: RequestEvent) -> bytes:
    """An event as it stands in an envelope.

    Raises TypeError for what JSON cannot express: a text that is not Unicode, a number beyond 64 bits.
    """
    return orjson.dumps(tuple(event))


def pack(process_id: str, seq: int, dropped: int, events: Sequence[bytes]) -> bytes:
    """An envelope of encoded events."""
    return b'[%d,"%b",%d,%d,[%b]]' % (VERSION, process_id.encode(), seq, dropped, b",".join(events))


def unpack(packed: bytes) -> Envelope | None:
    """The reverse of pack(); None for bytes that are no envelope. Fields we do not know yet are left out."""
    try:
        version, process_id, seq, dropped, rows = orjson.loads(packed)[:5]
        if version != VERSION or not isinstance(process_id, str):
            return None
        events = [event for event in map(_event, rows) if event is not None]
        return Envelope(process_id, int(seq), int(dropped) + len(rows) - len(events), events)
    except (LookupError, TypeError, ValueError):  # LookupError: what a JSON object says to a slice, from Python 3.12 on
        return None


def _event(fields: Any) -> RequestEvent | None:
    try:
        return RequestEvent(*fields[:_FIELDS])
    except (LookupError, TypeError):
        return None


def push(client: Redis, packed: bytes, events: int) -> int:
    """Appends an envelope for the worker. Returns how many events wait there now. Raises redis.RedisError."""
    with client.pipeline(transaction=True) as pipe:
        pipe.rpush(STATS_EVENTS, packed)
        pipe.incrby(STATS_BACKLOG, events)
        return int(pipe.execute()[1])


def backlog(client: Redis) -> int:
    """How many events wait for the worker. Raises redis.RedisError."""
    return int(client.get(STATS_BACKLOG) or 0)
