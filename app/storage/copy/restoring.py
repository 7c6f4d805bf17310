"""The copy is put into a Redis that has lost what it is a copy of, or never held anything.

First the catalogue, by one script that somebody who knows better makes do nothing; then keys, of channels that are the
same as those of the copy. A kill in between leaves no keys, and whoever looks next finds those missing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from app.core.backup.form import Tables
from app.core.channels.keys import StoredKey
from app.core.snapshot import CHANNELS, Stored
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import Redis
from app.storage.copy.form import ALL_TABLES
from app.storage.copy.form import read as read_tables
from app.storage.keys.form import Aside, KeysLost, read_key
from app.storage.keys.stored import StoredKeys
from app.storage.secrets import CannotOpen, Secrets
from app.storage.sql.database import WorkerDatabase

if TYPE_CHECKING:
    from app.storage.sql.catalogue import CopyState

log = logging.getLogger(__name__)

KEPT_S: Final = 3600
"""How long keys are kept that are written aside, should their process die."""


LACKING: Final = 0.5
"""By so much what the copy knows of a channel is behind its version, as it may lack keys: storage/keys/scripts.py."""


class CopyUnreadable(Exception):
    """ENCRYPTION_KEY does not open the copy. Its text says what would do."""

    def __init__(self) -> None:
        super().__init__(
            "Redis holds nothing, and ENCRYPTION_KEY does not open the copy in the database: set it as it was, or put "
            "the old one behind a comma. To begin anew, name another database"
        )


class PutBack(NamedTuple):
    keys: int
    """So many."""
    history: str
    """The one in which Redis lacks none."""


class Copy:
    """That in one database."""

    def __init__(self, client: Redis, database: WorkerDatabase, secrets: Secrets) -> None:
        self._client = client
        self._database = database
        self._secrets = secrets
        self._catalog = StoredCatalog(client, ALL_TABLES)
        self._keys = StoredKeys(client, secrets)

    def tables(self) -> Tables:
        """Raises CopyUnreadable, DatabaseError."""
        from app.storage.sql.catalogue import read_fields

        try:
            return read_tables(self._database.run(read_fields, writes=False), self._secrets.open)
        except CannotOpen:
            raise CopyUnreadable from None

    def shown_tables(self) -> Tables:
        """The same, without secrets that cannot be opened. Raises DatabaseError."""
        from app.storage.sql.catalogue import read_fields

        return read_tables(self._database.run(read_fields, writes=False), self._opened_or_nothing)

    def _opened_or_nothing(self, sealed: str, bound_to: str) -> str:
        try:
            return self._secrets.open(sealed, bound_to)
        except CannotOpen:
            return ""

    def put_back(self, known: Stored, found: Stored, *, gives_way: bool) -> bool:
        """The catalogue. False: somebody else was faster. Raises RedisError."""
        return self._catalog.write_back(known, found, gives_way=gives_way)

    def put_keys_back(self, state: CopyState, channels: Mapping[str, str], *, even_dropped: bool = False) -> PutBack:
        """Those of `channels`, as the copy has them, that Redis has lost, or that somebody wrote back who knew less.

        The copy has encrypted keys alone, so whoever knows a channel whole goes before it. `even_dropped`: also of
        channels of which keys were dropped since.
        Raises RedisError, DatabaseError, CopyUnreadable; KeysLost where Redis has lost the catalogue, or keys, again.
        """
        found = self._catalog.read((CHANNELS.tables[0],)).stored
        if found.version < state.version:
            raise KeysLost
        there = found.tables[CHANNELS.tables[0]]
        look = self._keys.look()
        gone = set() if even_dropped else self._keys.gone_from(look, state.keys_versions)
        count, known = 0, {}
        for channel_id, of_channel in state.keys_versions.items():
            if begun(there.get(channel_id)) != begun(channels.get(channel_id)) or channel_id not in there:
                continue
            if channel_id in gone:
                continue
            put_back = self._put_channel_back(state, channel_id, of_channel - LACKING)
            count += put_back or 0
            if put_back is not None:
                known[channel_id] = of_channel - LACKING
        _, history = self._keys.end_write_back(state.keys_version, state.keys_last_id, look.known, known)
        return PutBack(count, history)

    def _put_channel_back(self, state: CopyState, channel_id: str, version: float) -> int | None:
        """How many keys; None: the copy has none of that channel, and Redis need not."""
        if not self._keys.is_lost(channel_id, version):
            return 0
        aside = Aside()
        for keys in self._copied(channel_id):
            if not all(self._secrets.opens(key.sealed) for key in keys):
                raise CopyUnreadable
            self._keys.write_aside(channel_id, aside, keys, KEPT_S)
        if not aside.count:
            return None
        done = self._keys.write_back(channel_id, version, aside, state.keys_version, state.keys_last_id)
        return aside.count if done else 0

    def _copied(self, channel_id: str) -> Iterator[list[StoredKey]]:
        from app.storage.sql.catalogue import read_keys

        after = 0
        while some := self._database.run(partial(read_keys, channel_id=channel_id, after=after), writes=False):
            yield [key for one in some if (key := read_key(one.id, one.stored.encode())) is not None]
            after = some[-1].id


def begun(text: str | None) -> object:
    """By which a stored channel is known to be the same, whatever was said of it since."""
    try:
        return orjson.loads(text or "")["created_at_ms"]
    except (ValueError, TypeError, KeyError):
        return None
