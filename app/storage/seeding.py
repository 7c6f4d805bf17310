"""Puts first mappings into a Redis without touching what is there.

One script on the server does it all, so any number of processes may seed at once and the version moves once.

A Redis that holds nothing may be new, or have lost all that other machines still know. So whoever knows is asked for it
first. Default mappings moreover bear their origin (`core/readings.py`): where somebody who knows better comes later,
they give way.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import cast
from uuid import uuid4

from app.storage.connections import MAPPINGS, MAPPINGS_ORIGIN, MAPPINGS_UPDATES, MAPPINGS_VERSION, Redis

ANSWER_S = 1.0
"""How long a start waits for those who may know what Redis has lost."""

# KEYS: mappings, version, origin. ARGV: the channel, whether only the first time, a mark of its own for what no
# operator said, or nothing; then the mappings.
_SEED = """
local first_time = redis.call('EXISTS', KEYS[1]) == 0 and redis.call('EXISTS', KEYS[2]) == 0
if ARGV[2] == '1' and not first_time then return false end
local added = {}
local any = 0
for i = 4, #ARGV, 2 do
  local new = redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
  added[#added + 1] = new
  any = any + new
end
if any > 0 then
  local version = redis.call('INCR', KEYS[2])
  if first_time and ARGV[3] ~= '' then redis.call('SET', KEYS[3], version .. ' 0 ' .. ARGV[3]) end
  redis.call('PUBLISH', ARGV[1], version)
end
return added
"""


def seed(client: Redis, mappings: Mapping[str, str], *, by_operator: bool = True) -> dict[str, bool]:
    """Adds the prefixes that are not there. For each prefix: True if it was added, False if it was left alone.

    Raises redis.RedisError.
    """
    return _seed(client, mappings, only_first_time=False, by_operator=by_operator) or {}


def seed_first_time(client: Redis, mappings: Mapping[str, str]) -> bool:
    """Seeds a Redis that never held a mapping. False: it has held some, and an operator who deleted them meant it.

    Raises redis.RedisError.
    """
    _ask_those_who_know(client)
    return _seed(client, mappings, only_first_time=True, by_operator=False) is not None


def _ask_those_who_know(client: Redis) -> None:
    """Returns when they have written back what was lost, or it is not to be hoped for."""
    deadline_s = time.monotonic() + ANSWER_S
    heard = None
    while not client.exists(MAPPINGS, MAPPINGS_VERSION) and heard != 0 and time.monotonic() < deadline_s:
        if heard is None:
            heard = client.publish(MAPPINGS_UPDATES, "missed")
        time.sleep(0.02)


def _seed(
    client: Redis, mappings: Mapping[str, str], *, only_first_time: bool, by_operator: bool
) -> dict[str, bool] | None:
    words = [word for pair in mappings.items() for word in pair]
    mode, mark = str(int(only_first_time)), "" if by_operator else uuid4().hex
    keys = (MAPPINGS, MAPPINGS_VERSION, MAPPINGS_ORIGIN)
    reply = client.eval(_SEED, len(keys), *keys, MAPPINGS_UPDATES, mode, mark, *words)
    if reply is None:
        return None
    return {prefix: bool(new) for prefix, new in zip(mappings, cast("list[int]", reply), strict=True)}
