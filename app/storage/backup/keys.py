"""The keys that channels shall have after a restore, found out piece by piece, and written aside.

A key that the channel has already, by its text, keeps its id. Another one has the id that the backup tells, so what the
log says of it goes on to be true; where that is another key's by now, a new one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.backup.form import BackupRefused, damaged
from app.core.channels.keys import StoredKey
from app.storage.backup.passphrase import Cipher
from app.storage.backup.reading import keys_in
from app.storage.keys.listing import stored_in
from app.storage.keys.pools import KeyPools
from app.storage.keys.replacement import Replacement
from app.storage.secrets import CannotOpen, id_of

STEP: Final = 100
"""Keys that are opened and looked for in one step."""


@dataclass
class ChannelKeys:
    """Those that one channel shall have."""

    channel_id: str
    entries: Sequence[bytes]
    ids: array[int] = field(default_factory=lambda: array("Q"))
    """Of each in the order of the entries; 0: a new one is given."""
    added: int = 0
    changed: int = 0
    removed: array[int] = field(default_factory=lambda: array("Q"))
    """Those that the channel has and shall not have."""
    blacklisted: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Ids of those that are new, and what the backup says of their trouble; known when they are written. Of a key that
    is there already, what was observed since counts."""

    @property
    def is_another(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class RestoredKeys:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, pools: KeyPools, cipher: Cipher, pause: Callable[[], object]) -> None:
        self._pools = pools
        self._cipher = cipher
        self._pause = pause
        self._given: set[int] = set()
        """Ids of keys that shall be."""
        self._taken: set[int] | None = None
        """Ids of keys that are."""

    def decide(self, channel_id: str, entries: Sequence[bytes]) -> ChannelKeys:
        """Raises BackupRefused."""
        after, pool, kept = ChannelKeys(channel_id, entries), self._pools.of(channel_id), set[int]()
        for told, secrets in self._opened(channel_id, entries):
            known = self._pools.stored.find_all(channel_id, secrets) if len(pool) else [0] * len(secrets)
            for key, id in zip(told, known, strict=True):
                place = pool.place_of(id) if id else -1
                if place < 0:
                    after.added += 1
                    after.ids.append(self._free(key["id"]))
                else:
                    after.changed += pool.stored_at(place) != _said(key, pool.stored_at(place))
                    after.ids.append(self._once(id))
                    kept.add(id)
            self._pause()
        for keys in stored_in(pool):
            after.removed.extend(key.id for key in keys if key.id not in kept)
            self._pause()
        return after

    def write_aside(self, keys: Replacement, after: ChannelKeys) -> None:
        """For one change with others."""
        stored, pool, at = self._pools.stored, self._pools.of(after.channel_id), 0
        after.blacklisted.clear()
        for told, secrets in self._opened(after.channel_id, after.entries):
            ids = after.ids[at : at + len(told)]
            at += len(told)
            new = iter(stored.new_ids(ids.count(0)) if 0 in ids else ())
            shall_be = []
            for key, secret, id in zip(told, secrets, ids, strict=True):
                place = pool.place_of(id) if id else -1
                if place >= 0:
                    there = pool.stored_at(place)
                else:
                    there = StoredKey(id or next(new), stored.secrets.seal(secret, after.channel_id))
                    if isinstance(key.get("blacklisted"), dict):
                        after.blacklisted.append((there.id, key["blacklisted"]))
                shall_be.append(_said(key, there))
            keys.keep(after.channel_id, shall_be)
            self._pause()

    def last_id(self) -> int:
        """The largest id that the backup gives."""
        return max(self._given, default=0)

    def _opened(self, channel_id: str, entries: Sequence[bytes]) -> Iterator[tuple[list[dict[str, Any]], list[str]]]:
        """Some keys at a time, with their texts. Raises BackupRefused."""
        for entry in entries:
            keys = keys_in(entry)
            for begin in range(0, len(keys), STEP):
                some = keys[begin : begin + STEP]
                yield some, [self._secret(channel_id, key) for key in some]

    def _secret(self, channel_id: str, key: dict[str, Any]) -> str:
        if "secret" in key:
            return self._cipher.open(key["secret"], f"key {key['id']} of channel {channel_id}")
        try:
            return self._pools.stored.secrets.open(key["sealed"], channel_id)
        except CannotOpen:
            text = (
                f"keys of the backup, such as {key['id']} of channel {channel_id}, could not be opened when it was made"
            )
            text += f": they are encrypted with the ENCRYPTION_KEY that has the id {id_of(key['sealed'])}. Put that "
            text += "behind a comma in ENCRYPTION_KEY, restart and try again; nothing was changed"
            raise BackupRefused("key_unreadable", text) from None

    def _free(self, id: int) -> int:
        """The id that a new key has; 0: a new one, as this is another key's."""
        if self._taken is None:
            self._taken = set(self._all_ids())
        return 0 if id in self._taken else self._once(id)

    def _once(self, id: int) -> int:
        if id in self._given:
            raise damaged(f"two of its keys have the id {id}")
        self._given.add(id)
        return id

    def _all_ids(self) -> Iterator[int]:
        for pool in self._pools.all():
            for keys in stored_in(pool):
                yield from (key.id for key in keys)


def _said(key: dict[str, Any], there: StoredKey) -> StoredKey:
    """A key with what the backup says of it."""
    models, note = key.get("models", ()), key.get("note", "")
    models = tuple(map(str, models)) if isinstance(models, list) else ()
    return there._replace(note=str(note), models=models, enabled=key.get("enabled", True) is not False)
