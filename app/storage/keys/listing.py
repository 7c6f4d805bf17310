"""What an operator is told of the keys of a channel: found in steps, and opened only where a text is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import merge
from itertools import islice, repeat
from typing import NamedTuple

from app.core.channels.keys import HINT_ENDS, KeyState, StoredKey, hint_of
from app.core.judging.troubles import Trouble
from app.storage.health.observed import Health
from app.storage.health.stored import KeyUsage, StoredHealth
from app.storage.health.subjects import KEY
from app.storage.keys.pool import KeyPool
from app.storage.keys.whole import PIECE, pieces
from app.storage.secrets import CannotOpen
from app.waiting import Turns

CLOSED_HINT = "…"
"""Of a key that cannot be opened."""
_LONGEST_HINT = 2 * HINT_ENDS + 1


class ListedKey(NamedTuple):
    """A key as the API tells it: without its text."""

    id: str
    hint: str
    note: str
    state: KeyState
    trouble: Trouble
    models: tuple[str, ...]
    usage: KeyUsage


def found_in(pool: KeyPool, states: Collection[KeyState], q: str, whole: int) -> bytes:
    """At each place 1 where a key is meant. `q` is a part of a hint or a note; `whole` the id of the key that it is."""
    marks = pool.marks(states)
    if not q:
        return marks
    turns, found = Turns(), bytearray(len(marks))
    lower, may_be_hint = q.lower(), len(q) <= _LONGEST_HINT
    for places in pieces(pool, marks):
        for place in places:
            is_meant = pool.ids[place] == whole or lower in pool.note_at(place).lower()
            found[place] = is_meant or (may_be_hint and lower in hint_at(pool, place).lower())
        turns.passed()
    return bytes(found)


def hint_at(pool: KeyPool, place: int) -> str:
    try:
        return hint_of(pool.secret_at(place))
    except CannotOpen:
        return CLOSED_HINT


def ids_in(pool: KeyPool, states: Collection[KeyState] = ()) -> list[str]:
    turns, ids = Turns(), []
    for places in pieces(pool, pool.marks(states)):
        ids += [str(pool.ids[place]) for place in places]
        turns.passed()
    return ids


def stored_in(pool: KeyPool, states: Collection[KeyState] = ()) -> Iterator[list[StoredKey]]:
    turns = Turns()
    for places in pieces(pool, pool.marks(states)):
        yield [pool.stored_at(place) for place in places]
        turns.passed()


class OutOfPool(NamedTuple):
    """A key that is on the blacklist."""

    channel_id: str
    id: str
    hint: str
    trouble: Trouble


def out_of_pools(pools: Collection[KeyPool], health: Health) -> Iterator[list[OutOfPool]]:
    """All keys on the blacklist in the order in which they got there, some at a time."""
    turns, runs = Turns(), []
    of = {pool.channel_id: pool for pool in pools}
    for pool in pools:
        for places in pieces(pool, pool.marks([KeyState.BLACKLISTED])):
            ids = [pool.ids[place] for place in places]
            since_ms = [health.trouble(pool.channel_id, KEY, str(id)).blacklisted_ms for id in ids]
            runs.append(sorted(zip(since_ms, ids, repeat(pool.channel_id))))
            turns.passed()
    ordered = merge(*runs)
    while some := list(islice(ordered, PIECE)):
        told = []
        for _, id, channel_id in some:
            pool = of[channel_id]
            if (place := pool.place_of(id)) >= 0 and pool.state_at(place) is KeyState.BLACKLISTED:
                trouble = health.trouble(channel_id, KEY, str(id))
                told.append(OutOfPool(channel_id, str(id), hint_at(pool, place), trouble))
        yield told
        turns.passed()


def listed(pool: KeyPool, places: Collection[int], health: Health, stored_health: StoredHealth) -> list[ListedKey]:
    """Raises RedisError."""
    keys = [(pool.stored_at(place), pool.state_at(place), hint_at(pool, place)) for place in places]
    troubles = {key.id: health.trouble(pool.channel_id, KEY, str(key.id)) for key, _, _ in keys}
    usage = stored_health.key_usage(pool.channel_id, [str(key.id) for key, _, _ in keys])
    return [
        ListedKey(str(key.id), hint, key.note, state, troubles[key.id], key.models, usage[str(key.id)])
        for key, state, hint in keys
    ]
