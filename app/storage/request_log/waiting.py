"""Rows on their way to the SQL database: one list in Redis, appended to in the ledger's MULTI, read by one thread.

A row is a JSON list, its id first. The list is bounded: while the database is away, calls and statistics go on, and
what finds no room is given up and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import orjson

from app.core.request_log.rows import LogRow
from app.storage.connections import (
    LOG_DATABASE,
    LOG_DROPPED,
    LOG_DROPPED_LATELY,
    LOG_LAST_ID,
    LOG_TROUBLE,
    LOG_WAITING,
    Redis,
)
from app.storage.request_log.kept_row import KeptRow

MOST_WAITING: Final = 50_000
"""Rows; about 20 MB of Redis. docs/operations.md says it."""
TROUBLE_S: Final = 60
"""For how long trouble is believed that nobody tells again."""
DROPPED_LATELY_S: Final = 86_400

_FIELDS: Final = len(LogRow._fields)

_TRIM: Final = """
if redis.call('LINDEX', KEYS[1], 0) == ARGV[1] then
  redis.call('LTRIM', KEYS[1], ARGV[2], -1)
end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last < tonumber(ARGV[3]) then
  redis.call('SET', KEYS[2], ARGV[3])
end
return redis.call('LLEN', KEYS[1])
"""
"""Only what was read goes: another worker may have been faster. And no id is given that the database has."""


def packed(body: bytes, id: int) -> bytes:
    """A row of which `body` is the JSON list."""
    return b"[%d,%b" % (id, body[1:])


def unpacked(members: Sequence[bytes]) -> list[KeptRow]:
    """The reverse, of many. Left out is what is no row, and fields that we do not know yet; lacking ones are empty."""
    try:
        found = orjson.loads(b"[%b]" % b",".join(members))
    except ValueError:
        found = [_loaded(member) for member in members]
    return [kept for values in found if (kept := _row(values)) is not None]


def _loaded(member: bytes) -> Any:
    try:
        return orjson.loads(member)
    except ValueError:
        return None


def _row(values: Any) -> KeptRow | None:
    try:
        kinds = tuple(map(type, values))
        if kinds not in _fitting and not _fits(kinds):
            return None
        of_row = values[1 : _FIELDS + 1]
        return KeptRow(values[0], LogRow._make(of_row) if len(of_row) == _FIELDS else LogRow(*of_row))
    except (LookupError, TypeError):
        return None


def _kinds(hint: Any) -> frozenset[type]:
    """Of values that may stand in a field with this annotation."""
    kinds = {get_origin(one) or one for one in (get_args(hint) if isinstance(hint, UnionType) else (hint,))}
    return frozenset(kinds | {int} if float in kinds else kinds)


_ALLOWED: Final = (_kinds(int), *map(_kinds, get_type_hints(LogRow).values()))
"""Nothing else may come to a database: it would refuse whole batches."""
_fitting: set[tuple[type, ...]] = set()
"""Of the rows that were looked at; there are few."""
MOST_FITTING: Final = 1_000


def _fits(kinds: tuple[type, ...]) -> bool:
    if not all(kind in allowed for kind, allowed in zip(kinds, _ALLOWED, strict=False)):
        return False
    if len(_fitting) < MOST_FITTING:
        _fitting.add(kinds)
    return True


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
        pipe.llen(LOG_WAITING)
        pipe.get(LOG_DROPPED_LATELY)
        text, waiting, dropped = pipe.execute()
    return LogTrouble((text or b"").decode(errors="replace"), waiting, int(dropped or 0))


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

    def read(self, count: int) -> list[bytes]:
        """The oldest, at most so many."""
        found: list[bytes] = self._redis.lrange(LOG_WAITING, 0, count - 1)
        return found

    def trim(self, written: Sequence[bytes], last_id: int) -> int:
        """Removes what `read` gave, and has later rows have ids above `last_id`. How many wait then."""
        return int(self._trim([LOG_WAITING, LOG_LAST_ID], [written[0], len(written), last_id]))

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
