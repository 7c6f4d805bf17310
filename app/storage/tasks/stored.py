"""Tasks as Redis keeps them, and the scripts that change one: all of a change holds, or nothing of it.

Redis's own clock says how long a claim holds, for the machines of several workers may differ. Each claim has a number
of its own, so that a process which lost its task to another can no longer change it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.storage.connections import (
    TASKS,
    TASKS_BUSY,
    TASKS_ENDED,
    TASKS_INPUT,
    TASKS_OPEN,
    Redis,
)
from app.storage.tasks.task import OPEN, Task, TaskState

KEPT_MS: Final = 24 * 3_600_000
"""How long an ended task is told."""
KEPT: Final = 100
"""At most, of all kinds together."""
KEPT_OF_A_KIND: Final = 30
LONG_RESULT_BYTES: Final = 4096
"""A longer result is told of its task alone, not among all."""
_LONG_RESULT: Final = "long_result"
_TOLD: Final = (
    *("kind", "channel_id", "state", "done", "total", "message", "result"),
    *("cancelled", "until_ms", "ordered_at_ms", "started_at_ms", "ended_at_ms"),
)

# KEYS of all: the task, those that are open, who is busy, the task's input, those that ended. ARGV[1]: the task's id.
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# ARGV: for whom it is, then fields and values. Returns the id of the task that is in its way; empty: it was ordered.
_ORDER = (
    _NOW
    + """
local other = redis.call('HGET', KEYS[3], ARGV[2])
if other and redis.call('ZSCORE', KEYS[2], other) then return other end
redis.call('HSET', KEYS[1], 'state', 'queued', 'ordered_at_ms', now, unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[1])
redis.call('PERSIST', KEYS[4])
return ''
"""
)
# What ends one: its state, then fields and values. ARGV[2]: how long it is kept, ms.
# A Redis whose memory is full lets a script go on that begins by removing something: what ends a task frees memory.
_END = """
local function finish(state)
    redis.call('DEL', KEYS[4])
    redis.call('HSET', KEYS[1], 'state', state, 'ended_at_ms', now)
    redis.call('HDEL', KEYS[1], 'claim', 'until_ms', 'process', 'arguments', 'place')
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('ZREM', KEYS[2], ARGV[1])
    local busy = redis.call('HGET', KEYS[1], 'busy')
    if busy and redis.call('HGET', KEYS[3], busy) == ARGV[1] then redis.call('HDEL', KEYS[3], busy) end
    redis.call('UNLINK', KEYS[4])
    redis.call('LPUSH', KEYS[5], ARGV[1])
    redis.call('LTRIM', KEYS[5], 0, 199)
end
"""
# ARGV: 3 how long the claim holds, ms; 4 how often one may begin without getting on; 5 the process that claims.
# Returns nothing where there is nothing to claim, else the task's fields; its number is `claim`.
_CLAIM = (
    _NOW
    + _END
    + """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'queued' and state ~= 'running' then
    redis.call('ZREM', KEYS[2], ARGV[1])
    return {}
end
if tonumber(redis.call('HGET', KEYS[1], 'until_ms') or '0') > now then return {} end
if redis.call('HGET', KEYS[1], 'cancelled') then finish('cancelled') return {} end
if redis.call('HINCRBY', KEYS[1], 'begun', 1) > tonumber(ARGV[4]) then
    local why = 'it was begun ' .. ARGV[4] .. ' times and did not get on; the log of the worker says why'
    redis.call('HSET', KEYS[1], 'message', why)
    finish('failed')
    return {}
end
redis.call('HINCRBY', KEYS[1], 'claims', 1)
redis.call('HSET', KEYS[1], 'state', 'running', 'until_ms', now + ARGV[3], 'process', ARGV[5])
redis.call('HSET', KEYS[1], 'claim', redis.call('HGET', KEYS[1], 'claims'))
redis.call('HSETNX', KEYS[1], 'started_at_ms', now)
return redis.call('HGETALL', KEYS[1])
"""
)
# ARGV: 3 the claim, 4 how long it holds from now on, ms, 5 whether the task got on; then fields and values.
# Returns 0: it is another's, 1: it goes on, 2: it is to end.
_TELL = (
    _NOW
    + """
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'until_ms', now + ARGV[4])
if ARGV[5] == '1' then redis.call('HDEL', KEYS[1], 'begun') end
if #ARGV > 5 then redis.call('HSET', KEYS[1], unpack(ARGV, 6)) end
if redis.call('HGET', KEYS[1], 'cancelled') then return 2 end
return 1
"""
)
# ARGV: 3 the claim, 4 whether this beginning was none. The next may claim it at once.
_GIVE_BACK = """
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[3] then return 0 end
redis.call('HDEL', KEYS[1], 'claim', 'until_ms', 'process')
if ARGV[4] == '1' then redis.call('HDEL', KEYS[1], 'begun') end
redis.call('HSET', KEYS[1], 'state', 'queued')
return 1
"""
# ARGV: 3 the process. What it had, now that it is dead.
_ABANDON = """
if redis.call('HGET', KEYS[1], 'process') ~= ARGV[3] then return 0 end
return redis.call('HDEL', KEYS[1], 'claim', 'until_ms', 'process')
"""
# ARGV: 3 the claim, 4 the state; then fields and values. Returns 0: it is another's.
_FINISH = (
    _NOW
    + _END
    + """
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[3] then return 0 end
finish(ARGV[4])
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
return 1
"""
)
# One that nobody has ends at once, any other as soon as its process hears of it.
_CANCEL = (
    _NOW
    + _END
    + """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'queued' and state ~= 'running' then return 0 end
redis.call('HDEL', KEYS[1], 'cancelled')
redis.call('HSET', KEYS[1], 'cancelled', 1)
if tonumber(redis.call('HGET', KEYS[1], 'until_ms') or '0') <= now then finish('cancelled') end
return 1
"""
)


class Open(NamedTuple):
    """A task that waits or runs."""

    id: str
    kind: str
    is_claimed: bool
    process: str
    """Which has it, or had it and is silent; empty: none, or a name was not said."""


class StoredTasks:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis) -> None:
        self.redis = client

    def order(self, id: str, busy: str, fields: dict[str, object]) -> str:
        """Empty where it was ordered, else the id of the task that is in its way."""
        other: bytes = self._eval(_ORDER, id, busy, "busy", busy, *_flat(fields))
        return other.decode()

    def claim(self, id: str, hold_ms: int, most: int, process: str = "") -> dict[str, str]:
        """The fields of a task that nobody else has; empty: there is none.

        It fails where it was begun `most` times and never got on.
        """
        found = [part.decode() for part in self._eval(_CLAIM, id, KEPT_MS, hold_ms, most, process)]
        return dict(zip(found[::2], found[1::2], strict=True))

    def tell(self, id: str, claim: str, hold_ms: int, fields: dict[str, object], got_on: bool) -> int:
        """0: the task is another's now; 1: it goes on; 2: it is to end, as an operator cancelled it."""
        return int(self._eval(_TELL, id, KEPT_MS, claim, hold_ms, int(got_on), *_flat(fields)))

    def give_back(self, id: str, claim: str, counts: bool = False) -> None:
        """`counts`: as a beginning after which the task did not get on."""
        self._eval(_GIVE_BACK, id, KEPT_MS, claim, int(not counts))

    def abandon(self, process: str) -> None:
        """Whatever a dead process had claimed may be claimed at once."""
        for id in self._open_ids():
            self._eval(_ABANDON, id, KEPT_MS, process)

    def finish(
        self, id: str, claim: str, state: TaskState, fields: dict[str, object], result: Mapping[str, Any] | None = None
    ) -> bool:
        """False: the task is another's now, or gone."""
        if result is not None:
            text = orjson.dumps(result)
            fields = {**fields, "result" if len(text) <= LONG_RESULT_BYTES else _LONG_RESULT: text}
        return bool(self._eval(_FINISH, id, KEPT_MS, claim, state.value, *_flat(fields)))

    def cancel(self, id: str) -> None:
        self._eval(_CANCEL, id, KEPT_MS)

    def open(self) -> list[Open]:
        """Those that wait or run, the oldest first."""
        ids = self._open_ids()
        if not ids:
            return []
        pipe = self.redis.pipeline(transaction=False)
        pipe.time()
        for id in ids:
            pipe.hmget(TASKS + id, "kind", "until_ms", "process")
        time, *found = pipe.execute()
        return [
            Open(id, (kind or b"").decode(), int(until_ms or 0) > _ms(time), (process or b"").decode())
            for id, (kind, until_ms, process) in zip(ids, found, strict=True)
        ]

    def waiting(self) -> list[str]:
        """Those that somebody should claim, the oldest first."""
        return [one.id for one in self.open() if not one.is_claimed]

    def get(self, id: str) -> Task | None:
        return self._read([id], (*_TOLD, _LONG_RESULT))[0]

    def all(self) -> list[Task]:
        """Those that are open, the oldest first; then those that ended, the latest first. Without long results."""
        pipe = self.redis.pipeline(transaction=False)
        pipe.zrange(TASKS_OPEN, 0, -1)
        pipe.lrange(TASKS_ENDED, 0, KEPT - 1)
        open_ids, ended_ids = pipe.execute()
        ids = list(dict.fromkeys(id.decode() for id in [*open_ids, *ended_ids]))
        return [task for task in self._read(ids) if task is not None]

    def trim(self) -> None:
        """Forgets ended tasks beyond the latest."""
        ids = [id.decode() for id in self.redis.lrange(TASKS_ENDED, 0, -1)]  # type: ignore[union-attr]
        counts: dict[str, int] = {}
        gone = []
        for place, (id, task) in enumerate(zip(ids, self._read(ids), strict=True)):
            kind = task.kind if task is not None else ""
            counts[kind] = counts.get(kind, 0) + 1
            if task is None or place >= KEPT or counts[kind] > KEPT_OF_A_KIND:
                gone.append(id)
        if gone:
            pipe = self.redis.pipeline(transaction=False)
            pipe.delete(*[TASKS + id for id in gone])
            for id in gone:
                pipe.lrem(TASKS_ENDED, 0, id)
            pipe.execute()

    def _open_ids(self) -> list[str]:
        return [id.decode() for id in self.redis.zrange(TASKS_OPEN, 0, -1)]  # type: ignore[union-attr]

    def _read(self, ids: list[str], names: Sequence[str] = _TOLD) -> list[Task | None]:
        pipe = self.redis.pipeline(transaction=False)
        pipe.time()
        for id in ids:
            pipe.hmget(TASKS + id, names)
        time, *found = pipe.execute()
        return [_task(id, dict(zip(names, one, strict=True)), _ms(time)) for id, one in zip(ids, found, strict=True)]

    def _eval(self, script: str, id: str, *arguments: object) -> Any:
        keys = (TASKS + id, TASKS_OPEN, TASKS_BUSY, TASKS_INPUT + id, TASKS_ENDED)
        return self.redis.eval(script, len(keys), *keys, id, *arguments)  # type: ignore[arg-type]


def _flat(fields: dict[str, object]) -> list[object]:
    return [part for pair in fields.items() for part in pair]


def _ms(time: tuple[int, int]) -> int:
    return time[0] * 1000 + time[1] // 1000


def _task(id: str, fields: dict[str, bytes | None], now_ms: int) -> Task | None:
    def text(name: str) -> str:
        return (fields[name] or b"").decode()

    def number(name: str) -> int:
        return int(fields[name] or 0)

    if not fields["kind"] or not fields["state"]:
        return None
    state, message = TaskState(text("state")), text("message")
    if state is TaskState.RUNNING and number("until_ms") <= now_ms:
        state, message = TaskState.QUEUED, "its process ended in the middle; it goes on as soon as a worker can"
    if fields["cancelled"] and state in OPEN:
        message = "it is being cancelled"
    result = fields["result"] or fields.get(_LONG_RESULT)
    return Task(
        id,
        text("kind"),
        text("channel_id"),
        state,
        number("done"),
        number("total"),
        message,
        orjson.loads(result) if result else None,
        number("ordered_at_ms"),
        number("started_at_ms") or None,
        number("ended_at_ms") or None,
    )
