"""Entries of the audit on their way to the SQL database: a list in Redis, which the worker empties.

So an act waits for no database and fails with none. Up to so many entries wait; beyond that the oldest are lost, and
counted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from app.core.audit.entry import Entry, packed, unpacked
from app.storage.connections import AUDIT_LOST, AUDIT_WAITING, Redis, RedisError
from app.storage.refusals import describe

log = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000
_WRITE: Final = """
local waiting = redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
local over = waiting - tonumber(ARGV[1])
if over > 0 then
    redis.call('LTRIM', KEYS[1], over, -1)
    redis.call('INCRBY', KEYS[2], over)
end
return waiting
"""

_TRIM: Final = """
if redis.call('LINDEX', KEYS[1], 0) == ARGV[1] then redis.call('LTRIM', KEYS[1], ARGV[2], -1) end
return 1
"""


class Waiting(NamedTuple):
    entries: list[Entry]
    """The newest last."""
    lost: int
    """Entries that were lost, ever, because too many waited."""


class AuditTrail:
    """Those that wait."""

    def __init__(self, client: Redis) -> None:
        self._redis: Any = client

    def write(self, entries: Sequence[Entry]) -> None:
        """What they tell of is done: where Redis does not take them, the log says so, and has its lines of them."""
        if not entries:
            return
        try:
            texts = map(packed, entries)
            self._redis.eval(_WRITE, 2, AUDIT_WAITING, AUDIT_LOST, MOST_WAITING, *texts)
        except RedisError as error:
            log.error("Redis %s; %d entries of the audit stand in this log alone", describe(error), len(entries))

    def waiting(self) -> Waiting:
        """Raises RedisError."""
        pipe = self._redis.pipeline()
        pipe.lrange(AUDIT_WAITING, 0, -1)
        pipe.get(AUDIT_LOST)
        texts, lost = pipe.execute()
        return Waiting(parsed(texts), int(lost or 0))

    def read(self, most: int) -> list[bytes]:
        """The oldest that wait, as they are written. Raises RedisError."""
        texts: list[bytes] = self._redis.lrange(AUDIT_WAITING, 0, most - 1)
        return texts

    def trim(self, texts: Sequence[bytes]) -> None:
        """These are in the database. Where some were lost meanwhile the others come again. Raises RedisError."""
        self._redis.eval(_TRIM, 1, AUDIT_WAITING, texts[0], len(texts))


def parsed(texts: Sequence[bytes]) -> list[Entry]:
    """What makes no sense is passed over."""
    return [entry for text in texts if (entry := unpacked(text)) is not None]
