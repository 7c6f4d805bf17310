"""Puts first mappings into a Redis without touching what is there.

One script on the server does it all, so any number of processes may seed at once and the version moves once.

A Redis that holds nothing may be new, or have lost all that other machines still know. So whoever knows is asked for it
first; and where the mappings are missed and nobody knows them, the defaults stand in for them. Default mappings
moreover bear their origin (`core/readings.py`): where somebody who knows better comes later, they give way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import cast

from app.core.readings import missing
from app.core.snapshot import MAPPINGS, NOUNS
from app.storage.catalog.changes import KEYS, TELL, new_mark
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import MAPPINGS_UPDATES, TABLE, Redis

ANSWER_S = 1.0
"""How long a start waits for those who may know what Redis has lost."""

TARGETS = MAPPINGS.tables[0]
TABLES = [TARGETS, *(table for noun in NOUNS for table in noun.tables if table != TARGETS)]

# ARGV: whether only where there are none and nobody deleted them, whether an operator said it, a mark; then the
# mappings. What else is missed stays so.
_SEED = (
    TELL
    + """
local before = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
local noted, filled = string.match(redis.call('GET', KEYS[5]) or '', '^(%d+)(.*)$')
local is_missed = noted == string.format('%.0f', before) and string.find(filled .. ' ', ' ' .. KEYS[6] .. ' ', 1, true)
local fills = redis.call('EXISTS', KEYS[6]) == 0 and (is_missed or redis.call('EXISTS', KEYS[1]) == 0)
if ARGV[1] == '1' and not fills then return false end
local added = {}
local any = 0
for i = 4, #ARGV, 2 do
    local new = redis.call('HSETNX', KEYS[6], ARGV[i], ARGV[i + 1])
    added[#added + 1] = new
    any = any + new
end
if any > 0 then
    local after = string.format('%.0f', before + 1)
    tell(before, before + 1, 'mappings', ARGV[3], after)
    if fills and ARGV[2] == '0' then
        redis.call('SET', KEYS[3], after .. ' 0 ' .. ARGV[3])
        if is_missed then redis.call('SET', KEYS[5], after .. filled) end
    end
end
return added
"""
)


def seed(client: Redis, mappings: Mapping[str, str], *, by_operator: bool = True) -> dict[str, bool]:
    """Adds the prefixes that are not there. For each prefix: True if it was added, False if it was left alone.

    Raises redis.RedisError.
    """
    return _seed(client, mappings, only_first_time=False, by_operator=by_operator) or {}


def seed_first_time(client: Redis, mappings: Mapping[str, str], restore: Callable[[], object] = lambda: None) -> bool:
    """Seeds a Redis that never held a mapping, or lost them. False: it holds some, or an operator has deleted them.

    `restore`: what may know more than whoever runs, asked after them. Raises redis.RedisError, and what `restore` does.
    """
    _ask_those_who_know(client)
    restore()
    return _seed(client, mappings, only_first_time=True, by_operator=False) is not None


def _ask_those_who_know(client: Redis) -> None:
    """Returns when they have written back what was lost, or it is not to be hoped for."""
    deadline_s = time.monotonic() + ANSWER_S
    store = StoredCatalog(client, TABLES)
    heard = None
    while heard != 0 and time.monotonic() < deadline_s:
        stored = store.read((TARGETS,)).stored
        if (stored.version or stored.tables[TARGETS]) and not missing(stored):
            return
        if heard is None:
            heard = client.publish(MAPPINGS_UPDATES, "missed")
        time.sleep(0.02)


def _seed(
    client: Redis, mappings: Mapping[str, str], *, only_first_time: bool, by_operator: bool
) -> dict[str, bool] | None:
    words = [word for pair in mappings.items() for word in pair]
    keys = [*KEYS, *(TABLE + table for table in TABLES)]
    reply = client.eval(_SEED, len(keys), *keys, int(only_first_time), int(by_operator), new_mark(), *words)
    if reply is None:
        return None
    return {prefix: bool(new) for prefix, new in zip(mappings, cast("list[int]", reply), strict=True)}
