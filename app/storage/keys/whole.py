"""All keys of a channel at once, in steps: read where too much was missed, written back where lost."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from app.core.channels.keys import StoredKey
from app.storage.keys.pool import KeyPool
from app.storage.keys.stored import Look, StoredKeys, new_name
from app.waiting import Turns

log = logging.getLogger(__name__)

PIECE = 250
"""Keys that are read, changed or written in one step."""
_IDS = 1000


def all_keys(stored: StoredKeys, channel_id: str, known: int, turns: Turns) -> Iterator[list[StoredKey]]:
    """By their ids, ascending. Raises RedisError; KeysLost, too, where Redis has fallen behind the version `known`.

    What is changed meanwhile may be told as it was, as it is, or not at all: whoever reads follows the log afterwards.
    """
    runs, cursor = [], -1
    while cursor:
        cursor, ids = stored.ids(channel_id, known, max(cursor, 0), _IDS)
        runs.append(array("Q", sorted(set(ids))))
        turns.passed()
    ordered = merge(*runs)
    while ids := list(islice(ordered, PIECE)):
        yield stored.read(channel_id, known, list(dict.fromkeys(ids)))
        turns.passed()


def write_back(
    stored: StoredKeys, pools: Sequence[KeyPool], found: Look, version: int, last_id: int, turns: Turns
) -> None:
    """What Redis has lost of what is known here. Raises RedisError; then nothing half is there."""
    written, known = 0, {}
    for pool in pools:
        there = found.versions.get(pool.channel_id, 0)
        if not pool.version or there > pool.version or (there == pool.version and not len(pool)):
            continue
        known[pool.channel_id] = pool.version
        if stored.is_lost(pool.channel_id, pool.version):
            written += len(pool) * _write_back(stored, pool, turns)
    if stored.end_write_back(version, last_id, known):
        text = "Redis lost keys of channels (version %d after %d); what was lost is written back, %d keys by us"
        log.warning(text, found.version, version, written)


def _write_back(stored: StoredKeys, pool: KeyPool, turns: Turns) -> bool:
    name, count = new_name(), 0
    for places in pieces(pool, pool.marks()):
        stored.write_aside(pool.channel_id, name, [pool.stored_at(place) for place in places])
        count += len(places)
        turns.passed()
    return stored.write_back(pool.channel_id, pool.version, name, count)


def pieces(pool: KeyPool, marks: bytes) -> Iterator[list[int]]:
    """The places that are marked, some at a time; without those of keys that were removed meanwhile."""
    place = marks.find(1)
    while place >= 0:
        piece: list[int] = []
        while place >= 0 and len(piece) < PIECE:
            piece.append(place)
            place = marks.find(1, place + 1)
        yield [one for one in piece if pool.is_there(one)]
