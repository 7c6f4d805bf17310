"""What attempts have cost, as Redis keeps it: added once by the number of the batch, read at one instant.

A day's sum only grows; so where Redis has lost it, what is known here is put back before anything is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from app.storage.connections import COSTS_TOLD, COSTS_UNPRICED, DAY_COSTS, Redis
from app.storage.costs.costs import MOST_UNPRICED, Batch

DAY_TTL_S = 3 * 86_400
TOLD_TTL_S = 3_600
EVICTED = 10
"""Of models without a price, by one batch, where there are too many: those not seen for the longest time."""

# KEYS: the number of this process's last batch, models without a price, then days. ARGV: number of the batch (0: there
# is none), how long that is kept, how long a day is, how many sums; of each the number of its day's key, the channel,
# what it is at least, what is added. Then how many models may be kept, how many may go; of each new its name, calls,
# time, version. Returns the sums.
_STORE = """
local number = tonumber(ARGV[1])
local is_new = number > tonumber(redis.call('GET', KEYS[1]) or '0')
local at, sums = 5, {}
for one = 1, tonumber(ARGV[4]) do
    local key, channel = KEYS[tonumber(ARGV[at])], ARGV[at + 1]
    local stored = redis.call('HGET', key, channel) or '0'
    if tonumber(stored) < tonumber(ARGV[at + 2]) then
        stored = ARGV[at + 2]
        redis.call('HSET', key, channel, stored)
    end
    if is_new and ARGV[at + 3] ~= '0' then
        redis.call('HINCRBY', key, channel, ARGV[at + 3])
        redis.call('EXPIRE', key, ARGV[3])
        stored = redis.call('HGET', key, channel)
    end
    sums[one] = stored
    at = at + 4
end
if not is_new then return sums end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
local most, gone = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
for i = at + 2, #ARGV, 4 do
    local name = ARGV[i]
    local stored = redis.call('HGET', KEYS[2], name)
    if not stored and redis.call('HLEN', KEYS[2]) >= most then
        if gone == 0 then break end
        gone = gone - 1
        local oldest, oldest_at, all = nil, nil, redis.call('HGETALL', KEYS[2])
        for j = 1, #all, 2 do
            local seen_at = tonumber(string.match(all[j + 1], '^%d+ (%d+)') or '0')
            if not oldest or seen_at < oldest_at then oldest, oldest_at = all[j], seen_at end
        end
        redis.call('HDEL', KEYS[2], oldest)
    end
    local calls = tonumber(string.match(stored or '', '^(%d+)') or '0') + tonumber(ARGV[i + 1])
    redis.call('HSET', KEYS[2], name, string.format('%.0f', calls) .. ' ' .. ARGV[i + 2] .. ' ' .. ARGV[i + 3])
end
return sums
"""


class Sum(NamedTuple):
    """Of a channel in a day."""

    begin_ms: int
    """Of the day."""
    channel_id: str
    least: int
    """What is known to be stored, in nano-dollars."""
    added: int


class UnpricedModel(NamedTuple):
    model: str
    requests: int
    last_at_ms: int
    version: str
    """Of the prices that lacked one."""


class StoredCosts:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, redis_client: Redis, process_id: str) -> None:
        self._redis = redis_client
        self._told = COSTS_TOLD + process_id

    def store(self, sums: Sequence[Sum], batch: Batch | None, number: int) -> list[int]:
        """What each of the sums is then. The batch `number` is added once; None: nothing is added."""
        days = {begin_ms: place for place, begin_ms in enumerate(dict.fromkeys(one.begin_ms for one in sums), 3)}
        arguments: list[int | str] = [number if batch is not None else 0, TOLD_TTL_S, DAY_TTL_S, len(sums)]
        for one in sums:
            arguments += days[one.begin_ms], one.channel_id, one.least, one.added
        arguments += MOST_UNPRICED, EVICTED
        for model, unpriced in batch.unpriced.items() if batch is not None else ():
            arguments += model, unpriced.requests, unpriced.last_at_ms, unpriced.version
        keys = [self._told, COSTS_UNPRICED, *(f"{DAY_COSTS}{begin_ms}" for begin_ms in days)]
        return [int(found) for found in self._redis.eval(_STORE, len(keys), *keys, *arguments)]

    def unpriced(self) -> list[UnpricedModel]:
        """Those most called first."""
        stored = cast("Mapping[bytes, bytes]", self._redis.hgetall(COSTS_UNPRICED))
        found = []
        for model, text in stored.items():
            requests, last_at_ms, version = text.decode().split(" ", 2)
            found.append(UnpricedModel(model.decode("utf-8", "replace"), int(requests), int(last_at_ms), version))
        return sorted(found, key=lambda one: (-one.requests, one.model))
