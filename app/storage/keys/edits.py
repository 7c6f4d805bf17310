"""What an operator does to the keys of a channel: list, add, change, delete, restore, reveal.

Each is decided on what this process knows, and made by one script only while that is still so; else it is decided
anew. It is known here when it returns, and to all processes within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from app.core.channels.keys import KeyState, StoredKey, hint_of
from app.core.judging.troubles import Trouble
from app.storage.connections import RedisError
from app.storage.health.observed import Health
from app.storage.health.stored import KeyUsage, StoredHealth
from app.storage.keys.pool import KeyPool
from app.storage.keys.pools import KeyPools
from app.storage.keys.stored import Edit

TRIES = 5
PAGE = 100
CHUNK = 5000
"""Keys that one script takes, so that it blocks Redis for a few milliseconds."""


class KeyNotFound(ValueError):
    """The channel has no such key."""


class Added(NamedTuple):
    added: int
    duplicates: int
    """Those that it had already, or that were given twice."""
    total: int


class ListedKey(NamedTuple):
    """A key as the API tells it: without its text."""

    id: str
    hint: str
    note: str
    state: KeyState
    trouble: Trouble
    models: tuple[str, ...]
    usage: KeyUsage


class KeyEdits:
    """Raises RedisError where Redis does not answer; nothing is changed then, or all."""

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
    ) -> tuple[list[ListedKey], str]:
        """A page of keys in the order in which they were added, and where the next begins; empty: there is none.

        `q` is a part of a hint or a note, or a whole key. `after` is what the page before told.
        """
        pool = self._pool(channel_id)
        begin = pool.place_of(int(after)) + 1 if after.isdecimal() and pool.place_of(int(after)) >= 0 else 0
        if after.isdecimal() and not begin:  # it was deleted meanwhile
            begin = sum(id <= int(after) for id in pool.ids)
        places: list[int] = []
        for place in range(begin, len(pool.ids)):
            if states and pool.state_at(place) not in states:
                continue
            if q and not _is_meant(pool.stored_at(place), q):
                continue
            places.append(place)
            if len(places) > limit:
                break
        more = len(places) > limit
        keys = [(pool.stored_at(place), pool.state_at(place)) for place in places[:limit]]
        return self._listed(channel_id, pool, keys), str(keys[-1][0].id) if more else ""

    def count(self, channel_id: str, states: Collection[KeyState] = (), q: str = "") -> int:
        """How many `page` tells, on all pages together."""
        pool = self._pools.of(channel_id)
        if not states and not q:
            return len(pool.ids)
        places = [place for place in range(len(pool.ids)) if not states or pool.state_at(place) in states]
        return sum(_is_meant(pool.stored_at(place), q) for place in places) if q else len(places)

    def get(self, channel_id: str, key_id: str) -> ListedKey:
        """Raises KeyNotFound."""
        pool, place = self._find(channel_id, key_id)
        return self._listed(channel_id, pool, [(pool.stored_at(place), pool.state_at(place))])[0]

    def reveal(self, channel_id: str, key_id: str) -> str:
        """Its whole text. Whoever asks must write that down. Raises KeyNotFound."""
        pool, place = self._find(channel_id, key_id)
        return pool.secret_at(place)

    def export(self, channel_id: str, states: Collection[KeyState] = ()) -> Sequence[str]:
        """The whole texts."""
        pool = self._pool(channel_id)
        return [pool.secret_at(place) for place in range(len(pool.ids)) if not states or pool.state_at(place) in states]

    def _pool(self, channel_id: str) -> KeyPool:
        """As Redis has it now: whoever asks may just have changed it in another process."""
        self._pools.load()
        return self._pools.of(channel_id)

    def _find(self, channel_id: str, key_id: str) -> tuple[KeyPool, int]:
        pool = self._pool(channel_id)
        place = pool.place_of(int(key_id)) if key_id.isdecimal() and len(key_id) < 20 else -1
        if place < 0:
            raise KeyNotFound(f"the channel has no key {key_id}")
        return pool, place

    def _listed(self, channel_id: str, pool: KeyPool, keys: Sequence[tuple[StoredKey, KeyState]]) -> list[ListedKey]:
        usage = self._stored_health.key_usage(channel_id, [str(key.id) for key, _ in keys])
        return [
            ListedKey(
                str(key.id),
                hint_of(key.secret),
                key.note,
                state,
                pool.trouble_of(key.id),
                key.models,
                usage[str(key.id)],
            )
            for key, state in keys
        ]

    # --- changing ---

    def add(self, channel_id: str, secrets: Sequence[str], note: str = "", models: Iterable[str] = ()) -> Added:
        """`secrets` are as `core.keys.keys_in` tells them; doubles count as duplicates."""
        keys = [StoredKey(0, secret, note, tuple(models)) for secret in dict.fromkeys(secrets)]
        added, total = 0, len(self._pools.of(channel_id).ids)
        for begin in range(0, len(keys), CHUNK):
            for _ in range(TRIES):
                known = self._pools.load()
                more, total = self._pools.stored.add(channel_id, known, keys[begin : begin + CHUNK])
                if more >= 0:
                    added += more
                    break
            else:
                raise _lost()
        self._pools.load()
        return Added(added, len(secrets) - added, total)

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
        gone = list(key_ids)
        deleted = self._edit(channel_id, gone, lambda key: None)
        self._stored_health.forget_keys(channel_id, gone)
        return deleted

    def enable(self, channel_id: str, key_ids: Iterable[str], enabled: bool = True) -> int:
        """How many were not so before."""
        return self._edit(channel_id, key_ids, lambda key: key._replace(enabled=enabled))

    def restore(self, channel_id: str, key_ids: Iterable[str]) -> int:
        """Ends rests and takes keys off the blacklist; disabled ones stay so. How many were resting or blacklisted."""
        return self._health.restore(channel_id, _now_ms(), key_ids)

    def ids(self, channel_id: str, states: Collection[KeyState] = ()) -> Sequence[str]:
        """Of all keys, or of those in these states."""
        pool = self._pool(channel_id)
        places = range(len(pool.ids))
        return [str(pool.ids[place]) for place in places if not states or pool.state_at(place) in states]

    def copy(self, channel_id: str, to_channel_id: str, states: Collection[KeyState] = ()) -> Added:
        """Their texts, notes, models; whether they are enabled. What was observed of them is not copied."""
        pool = self._pool(channel_id)
        places = [place for place in range(len(pool.ids)) if not states or pool.state_at(place) in states]
        keys = [pool.stored_at(place) for place in places]
        for _ in range(TRIES):
            added, total = self._pools.stored.add(to_channel_id, self._pools.load(), keys)
            if added >= 0:
                self._pools.load()
                return Added(added, len(keys) - added, total)
        raise _lost()

    def drop(self, channel_id: str) -> None:
        """All keys of a channel that is deleted."""
        for _ in range(TRIES):
            if self._pools.stored.drop(channel_id, self._pools.load()) >= 0:
                self._pools.load()
                return
        raise _lost()

    def _edit(self, channel_id: str, key_ids: Iterable[str], become: Callable[[StoredKey], StoredKey | None]) -> int:
        wanted = [int(key_id) for key_id in dict.fromkeys(key_ids) if key_id.isdecimal() and len(key_id) < 20]
        changed = 0
        for begin in range(0, len(wanted), CHUNK):
            for _ in range(TRIES):
                known = self._pools.load()
                pool = self._pools.of(channel_id)
                places = [place for id in wanted[begin : begin + CHUNK] if (place := pool.place_of(id)) >= 0]
                before = [pool.stored_at(place) for place in places]
                edits = [Edit(key, after) for key in before if (after := become(key)) != key]
                made = self._pools.stored.change(channel_id, known, edits) if edits else 1
                if made > 0:
                    changed += len(edits)
                    break
            else:
                raise _lost()
        self._pools.load()
        return changed


def _is_meant(key: StoredKey, q: str) -> bool:
    return q == key.secret or q.lower() in key.note.lower() or q.lower() in hint_of(key.secret).lower()


def _lost() -> RedisError:
    return RedisError("the keys were changed by others all the while, or Redis lost them")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
