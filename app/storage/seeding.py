"""Puts first mappings into a Redis without touching what is there.

One script on the server does it all, so any number of processes may seed at once and the version moves once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from app.storage.connections import MAPPINGS, MAPPINGS_UPDATES, MAPPINGS_VERSION, Redis

_SEED = """
local first_time = redis.call('EXISTS', KEYS[1]) == 0 and redis.call('EXISTS', KEYS[2]) == 0
if ARGV[2] == '1' and not first_time then return false end
local added = {}
local any = 0
for i = 3, #ARGV, 2 do
  local new = redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
  added[#added + 1] = new
  any = any + new
end
if any > 0 then redis.call('PUBLISH', ARGV[1], redis.call('INCR', KEYS[2])) end
return added
"""


def seed(client: Redis, mappings: Mapping[str, str]) -> dict[str, bool]:
    """Adds the prefixes that are not there. For each prefix: True if it was added, False if it was left alone.

    Raises redis.RedisError.
    """
    return _seed(client, mappings, only_first_time=False) or {}


def seed_first_time(client: Redis, mappings: Mapping[str, str]) -> bool:
    """Seeds a Redis that never held a mapping. False: it has held some, and an operator who deleted them meant it.

    Raises redis.RedisError.
    """
    return _seed(client, mappings, only_first_time=True) is not None


def _seed(client: Redis, mappings: Mapping[str, str], *, only_first_time: bool) -> dict[str, bool] | None:
    words = [word for pair in mappings.items() for word in pair]
    reply = client.eval(_SEED, 2, MAPPINGS, MAPPINGS_VERSION, MAPPINGS_UPDATES, "1" if only_first_time else "0", *words)
    if reply is None:
        return None
    return {prefix: bool(new) for prefix, new in zip(mappings, cast("list[int]", reply), strict=True)}
