"""What an operator does to the keys of a channel: list, add, change, delete, restore, reveal.

Each is decided on what this process knows, and made by one script only while that is still so; else it is decided
anew. It is known here when it returns, and to all processes within a second. Of many keys some are changed at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from app.core.channels.keys import Key, KeyState, StoredKey
from app.storage.connections import RedisError
from app.storage.health.observed import Health
from app.storage.health.stored import StoredHealth
from app.storage.keys.form import Edit
from app.storage.keys.listing import ListedKey, found_in, ids_in, listed, stored_in
from app.storage.keys.pool import KeyPool
from app.storage.keys.pools import KeyPools
from app.storage.keys.replacement import Removal
from app.storage.keys.whole import PIECE
from app.waiting import Turns

TRIES = 5
PAGE = 100
LONGEST_ID = 19
"""Digits."""


class KeyNotFound(ValueError):
    """The channel has no such key."""


class Added(NamedTuple):
    added: int
    duplicates: int
    """Those that it had already, or that were given twice."""
    total: int


class Page(NamedTuple):
    keys: list[ListedKey]
    following: str
    """Where the next page begins; empty: there is none."""
    total: int
    """Keys on all pages together."""


class KeyEdits:
    """Raises RedisError where Redis does not answer; nothing is changed then, or only the first of very many keys."""

    def __init__(self, pools: KeyPools, health: Health, stored_health: StoredHealth) -> None:
        self._pools = pools
        self._health = health
        self._stored_health = stored_health

    # --- telling ---

    def page(
        self,
        channel_id: str,
        states: Collection[KeyState] = (),
        q: str = "",
        after: str = "",
        limit: int = PAGE,
    ) -> Page:
        """Some keys in the order in which they were added.

        `q` is a part of a hint or a note, or a whole key. `after` is what the page before told.
        """
        pool = self._pool(channel_id)
        found = found_in(pool, states, q, self._pools.stored.find(channel_id, q) if q else 0)
        begin = pool.place_from(int(after) + 1) if after.isdecimal() else 0
        places = list(islice((place for place in _marked(found, begin) if pool.is_there(place)), limit + 1))
        more, places = len(places) > limit, places[:limit]
        following = str(pool.ids[places[-1]]) if more else ""
        return Page(listed(pool, places, self._health, self._stored_health), following, found.count(1))

    def get(self, channel_id: str, key_id: str) -> ListedKey:
        """Raises KeyNotFound."""
        pool, place = self._find(channel_id, key_id)
        return listed(pool, [place], self._health, self._stored_health)[0]

    def reveal(self, channel_id: str, key_id: str) -> str:
        """Its whole text. Whoever asks must write that down. Raises KeyNotFound, and CannotOpen."""
        pool, place = self._find(channel_id, key_id)
        return pool.secret_at(place)

    def export(self, channel_id: str, key_ids: Sequence[str]) -> Iterator[list[Key]]:
        """These keys with their texts, some at a time; without those that were deleted, and that cannot be opened."""
        turns = Turns()
        for begin in range(0, len(key_ids), PIECE):
            pool = self._pools.of(channel_id)
            places = [pool.place_of(_number(key_id)) for key_id in key_ids[begin : begin + PIECE]]
            yield [key for place in places if place >= 0 and (key := pool.key_at(place)) is not None]
            turns.passed()

    def ids(self, channel_id: str, states: Collection[KeyState] = ()) -> list[str]:
        """Of all keys, or of those in these states."""
        return ids_in(self._pool(channel_id), states)

    def unknown(self, channel_id: str, key_ids: Sequence[str]) -> int:
        """The place of the first of these ids that the channel does not have; -1: it has them all."""
        pool, turns = self._pool(channel_id), Turns()
        for place, key_id in enumerate(key_ids):
            if pool.place_of(_number(key_id)) < 0:
                return place
            if not place % PIECE:
                turns.passed()
        return -1

    def _pool(self, channel_id: str) -> KeyPool:
        """As Redis has it now: whoever asks may just have changed it in another process."""
        self._pools.load()
        return self._pools.of(channel_id)

    def _find(self, channel_id: str, key_id: str) -> tuple[KeyPool, int]:
        pool = self._pool(channel_id)
        place = pool.place_of(_number(key_id))
        if place < 0:
            raise KeyNotFound(f"the channel has no key {key_id}")
        return pool, place

    # --- changing ---

    def add(self, channel_id: str, secrets: Sequence[str], note: str = "", models: Iterable[str] = ()) -> Added:
        """`secrets` are as `core.keys.keys_in` tells them; doubles count as duplicates."""
        new = StoredKey(0, "", note, tuple(models))
        pieces = (secrets[begin : begin + PIECE] for begin in range(0, len(secrets), PIECE))
        return self._add(channel_id, ([(secret, new) for secret in piece] for piece in pieces))

    def copy(self, channel_id: str, to_channel_id: str, states: Collection[KeyState] = ()) -> Added:
        """Their texts, notes, models; whether they are enabled. What was observed of them is not copied."""
        pool, secrets = self._pool(channel_id), self._pools.stored.secrets
        pieces = (
            [(secrets.open(key.sealed, channel_id), key._replace(sealed="")) for key in keys]
            for keys in stored_in(pool, states)
        )
        return self._add(to_channel_id, pieces)

    def _add(self, channel_id: str, pieces: Iterable[Sequence[tuple[str, StoredKey]]]) -> Added:
        turns, given, added, total = Turns(), 0, 0, len(self._pools.of(channel_id))
        for piece in pieces:
            given += len(piece)
            for _ in range(TRIES):
                more, total = self._pools.stored.add(channel_id, self._pools.load(), piece)
                if more >= 0:
                    added += more
                    break
            else:
                raise _lost()
            turns.passed()
        self._pools.load()
        return Added(added, given - added, total)

    def change(
        self,
        channel_id: str,
        key_id: str,
        note: str | None = None,
        models: Iterable[str] | None = None,
        enabled: bool | None = None,
    ) -> None:
        """What is given; the rest stays. Raises KeyNotFound."""
        self._find(channel_id, key_id)
        said = {"note": note, "models": None if models is None else tuple(models), "enabled": enabled}
        given = {name: value for name, value in said.items() if value is not None}
        if not self._edit(channel_id, [key_id], lambda key: key._replace(**given)):  # type: ignore[arg-type]
            self._find(channel_id, key_id)

    def delete(self, channel_id: str, key_ids: Iterable[str]) -> int:
        """How many there were."""
        deleted, waiting = 0, iter(key_ids)
        while gone := list(islice(waiting, PIECE)):
            deleted += self._edit(channel_id, gone, lambda key: None)
            self._stored_health.forget_keys(channel_id, gone)
        return deleted

    def enable(self, channel_id: str, key_ids: Iterable[str], enabled: bool = True) -> int:
        """How many were not so before."""
        return self._edit(channel_id, key_ids, lambda key: key._replace(enabled=enabled))

    def restore(self, channel_id: str, key_ids: Iterable[str]) -> int:
        """Ends rests and takes keys off the blacklist; disabled ones stay so. How many were resting or blacklisted."""
        turns, restored, waiting = Turns(), 0, iter(key_ids)
        while some := list(islice(waiting, PIECE)):
            restored += self._health.restore(channel_id, _now_ms(), some)
            turns.passed()
        return restored

    def removal(self, channel_ids: Sequence[str]) -> Removal:
        """What goes along with the deletion of channels; `drop` follows it. Raises RedisError."""
        return Removal(self._pools.stored, self._pools.load(), channel_ids)

    def drop(self, channel_id: str) -> None:
        """All keys of a channel that is deleted."""
        for _ in range(TRIES):
            if self._pools.stored.drop(channel_id, self._pools.load()) >= 0:
                self._pools.load()
                return
        raise _lost()

    def _edit(self, channel_id: str, key_ids: Iterable[str], become: Callable[[StoredKey], StoredKey | None]) -> int:
        turns, changed, waiting = Turns(), 0, iter(key_ids)
        while some := list(islice(waiting, PIECE)):
            wanted = dict.fromkeys(_number(key_id) for key_id in some)
            for _ in range(TRIES):
                known = self._pools.load()
                pool = self._pools.of(channel_id)
                before = [pool.stored_at(place) for id in wanted if (place := pool.place_of(id)) >= 0]
                edits = [Edit(key, after) for key in before if (after := become(key)) != key]
                made = self._pools.stored.change(channel_id, known, edits) if edits else 1
                if made > 0:
                    changed += len(edits)
                    break
            else:
                raise _lost()
            turns.passed()
        self._pools.load()
        return changed


def _marked(marks: bytes, begin: int) -> Iterator[int]:
    place = marks.find(1, begin)
    while place >= 0:
        yield place
        place = marks.find(1, place + 1)


def _number(key_id: str) -> int:
    """0 for what is no id."""
    return int(key_id) if key_id.isdecimal() and len(key_id) <= LONGEST_ID else 0


def _lost() -> RedisError:
    return RedisError("the keys were changed by others all the while, or Redis lost them")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
