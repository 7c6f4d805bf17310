"""Bundles on their way to the SQL database: one list in Redis, appended to in the ledger's MULTI, read by one thread.

The list is bounded: while the database is away, calls and statistics go on, and what finds no room is given up and
counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from app.storage.connections import (
    LOG_DATABASE,
    LOG_DROPPED,
    LOG_DROPPED_LATELY,
    LOG_LAST_ID,
    LOG_TROUBLE,
    LOG_WAITING,
    LOG_WAITING_ROWS,
    Redis,
)

MOST_WAITING: Final = 50_000
"""Rows; about 20 MB of Redis. docs/operations.md says it."""
TROUBLE_S: Final = 60
"""For how long trouble is believed that nobody tells again."""
DROPPED_LATELY_S: Final = 86_400

READ_BUNDLES: Final = 6
"""What is read at once goes into one transaction: 6,000 to 18,000 rows of a busy gateway."""

_TRIM: Final = """
if redis.call('LINDEX', KEYS[1], 0) == ARGV[1] then
  redis.call('LTRIM', KEYS[1], ARGV[2], -1)
  redis.call('DECRBY', KEYS[2], ARGV[3])
end
local left = redis.call('LLEN', KEYS[1])
if left == 0 then
  redis.call('DEL', KEYS[2])
end
local last = tonumber(redis.call('GET', KEYS[3]) or '0')
if last < tonumber(ARGV[4]) then
  redis.call('SET', KEYS[3], ARGV[4])
end
return left
"""
"""Only what was read goes: another worker may have been faster. And no id is given that the database has."""


class LogTrouble(NamedTuple):
    text: str
    """Why nothing is written; empty: it is."""
    waiting: int
    """Rows."""
    dropped: int
    """Rows, until none was for a day."""


def trouble_of_log(redis_client: Redis) -> LogTrouble:
    """For who is to be warned. Raises redis.RedisError."""
    with redis_client.pipeline(transaction=False) as pipe:
        pipe.get(LOG_TROUBLE)
        pipe.get(LOG_DROPPED_LATELY)
        ask_rows(pipe)
        text, dropped, *asked = pipe.execute()
    return LogTrouble((text or b"").decode(errors="replace"), rows_told(asked), int(dropped or 0))


def ask_rows(pipe: Any) -> None:
    """Queues the question how many rows wait, for `rows_told`."""
    pipe.llen(LOG_WAITING)
    pipe.get(LOG_WAITING_ROWS)


def rows_told(answers: Sequence[Any]) -> int:
    """How many rows wait. Where there is no bundle there is none, whatever their count says: somebody deleted keys."""
    bundles, rows = answers
    return max(int(rows or 0), 0) if bundles else 0


def room_beside(answers: Sequence[Any]) -> int:
    """For how many rows there is room."""
    return MOST_WAITING - rows_told(answers)


def queue_bundles(pipe: Any, bundles: Sequence[bytes], rows: int) -> None:
    """Appends, in an open MULTI, bundles of so many rows."""
    for bundle in bundles:
        pipe.rpush(LOG_WAITING, bundle)
    pipe.incrby(LOG_WAITING_ROWS, rows)


def queue_dropped(pipe: Any, count: int) -> None:
    """Counts, in an open MULTI, rows that are given up."""
    pipe.incrby(LOG_DROPPED, count)
    pipe.incrby(LOG_DROPPED_LATELY, count)
    pipe.expire(LOG_DROPPED_LATELY, DROPPED_LATELY_S)


class WaitingRows:
    """The worker's end of the list. Each method raises redis.RedisError."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client
        self._trim = self._redis.register_script(_TRIM)

    def read(self) -> list[bytes]:
        """The oldest bundles, as many as go into one transaction."""
        found: list[bytes] = self._redis.lrange(LOG_WAITING, 0, READ_BUNDLES - 1)
        return found

    def trim(self, written: Sequence[bytes], rows: int, last_id: int) -> int:
        """Removes what `read` gave, bundles of so many rows, and has later rows have ids above `last_id`.

        How many bundles wait then.
        """
        keys = [LOG_WAITING, LOG_WAITING_ROWS, LOG_LAST_ID]
        return int(self._trim(keys, [written[0], len(written), rows, last_id]))

    def count_dropped(self, count: int) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            queue_dropped(pipe, count)
            pipe.execute()

    def tell_database(self, id: str) -> None:
        """Says which database is written, for web processes to open the same."""
        self._redis.set(LOG_DATABASE, id)

    def tell_trouble(self, text: str) -> None:
        """Why nothing is written; empty: it is."""
        if text:
            self._redis.set(LOG_TROUBLE, text, ex=TROUBLE_S)
        else:
            self._redis.delete(LOG_TROUBLE)
