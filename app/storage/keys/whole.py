"""All keys of a channel at once, in steps: read where too much was missed, written back where lost."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from app.core.channels.keys import StoredKey
from app.core.wording import counted
from app.storage.keys.form import Aside, Known, Look
from app.storage.keys.pool import KeyPool
from app.storage.keys.stored import StoredKeys
from app.waiting import Turns

log = logging.getLogger(__name__)

PIECE = 250
"""Keys that are read, changed or written in one step."""
_IDS = 1000


def all_keys(stored: StoredKeys, channel_id: str, known: Known, turns: Turns) -> Iterator[list[StoredKey]]:
    """By their ids, ascending. Raises RedisError.

    What is changed meanwhile may be told as it was, as it is, or not at all: whoever reads follows the log afterwards.
    """
    runs = []
    for ids in stored.ids(channel_id, known, _IDS):
        runs.append(array("Q", sorted(ids)))
        turns.passed()
    ordered = merge(*runs)
    while some := list(islice(ordered, PIECE)):
        yield stored.read(channel_id, known, some)
        turns.passed()


def write_back(
    stored: StoredKeys, pools: Sequence[KeyPool], found: Look, version: int, last_id: int, turns: Turns
) -> str:
    """What Redis has lost of what is known here, and of what somebody wrote back who knew less.

    The history in which nothing is missing. Raises RedisError; then nothing half is there.
    """
    version = max(version, *(pool.version for pool in pools)) if pools else version
    gone = stored.gone_from(found, {pool.channel_id: pool.version for pool in pools})
    written, known = 0, dict[str, float]()
    for pool in pools:
        if not pool.version or pool.channel_id in gone:
            continue
        if len(pool):
            known[pool.channel_id] = pool.version
        elif found.versions.get(pool.channel_id) == pool.version:
            continue
        if stored.is_lost(pool.channel_id, pool.version) and _write_back(stored, pool, version, last_id, turns):
            written += len(pool)
    was_first, history = stored.end_write_back(version, last_id, found.known, known)
    if was_first or written:
        text = "Redis lost keys of channels (version %d after %d); what was lost is written back, %s by us"
        log.warning(text, found.known.version, version, counted(written, "key"))
    return history


def _write_back(stored: StoredKeys, pool: KeyPool, known_version: int, last_id: int, turns: Turns) -> bool:
    aside = Aside()
    turns.passed()
    for places in pieces(pool, pool.marks()):
        stored.write_aside(pool.channel_id, aside, [pool.stored_at(place) for place in places])
        turns.passed()
    return stored.write_back(pool.channel_id, pool.version, aside, known_version, last_id)


def pieces(pool: KeyPool, marks: bytes) -> Iterator[list[int]]:
    """The places that are marked, some at a time; without those of keys that were removed meanwhile."""
    place = marks.find(1)
    while place >= 0:
        piece: list[int] = []
        while place >= 0 and len(piece) < PIECE:
            piece.append(place)
            place = marks.find(1, place + 1)
        yield [one for one in piece if pool.is_there(one)]
