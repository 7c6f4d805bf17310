"""The copy follows what Redis holds, for the worker that holds the lease; and Redis gets back from it what it has lost.

What the copy says is what this process knows, so the same rules hold as for any that knows the catalogue
(`core/readings.py`): a word of the operator's is copied, a loss is written back. Where Redis holds an older state, or
somebody began anew before the copy was there, nothing is copied until the operator says which one counts. Keys follow
the log of their changes. Only sealed ones are copied.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from app.core.channels.keys import StoredKey
from app.core.readings import Meaning, judge
from app.core.snapshot import CHANNELS, NOUNS, Stored
from app.core.wording import counted
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import Redis
from app.storage.copy.form import ALL_TABLES, written
from app.storage.copy.restoring import Copy, begun
from app.storage.keys.form import ALL, Change, KeysLost, Known
from app.storage.keys.form import written as written_key
from app.storage.keys.resealing import pieces
from app.storage.keys.stored import StoredKeys
from app.storage.secrets import PREFIX, Secrets
from app.storage.sql.database import WorkerDatabase

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.storage.sql.catalogue import CopiedKey, CopyState

log = logging.getLogger(__name__)

COMPARE_S: Final = 30.0
"""How often all is compared, as some of it may be edited by hand without a new version."""
CHANGES: Final = 1_000
"""Of keys that are copied in one transaction."""
PIECES: Final = 4
"""Of keys that are read by one command; so many are written in one transaction."""
TURNS: Final = 50
"""So many such transactions, until something else has its turn."""
BY_HAND: Final = frozenset(table for noun in NOUNS if noun.by_hand for table in noun.tables)
BEHIND: Final = (
    "Redis holds version {} of what was said, and the database version {}, which is not overwritten: "
    "run `python scripts/database_copy.py`, which shows both, and takes one"
)
TAKEN: Final = (Meaning.WORD, Meaning.EMPTIED, Meaning.MISSING)


class Overtaken(Exception):
    """Another worker has changed the copy."""


class FollowingCopy:
    """Raises RedisError and DatabaseError, whatever it is asked."""

    def __init__(self, client: Redis, database: WorkerDatabase, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets
        self._copy = Copy(client, database, secrets)
        self._catalog = StoredCatalog(client, ALL_TABLES)
        self._keys = StoredKeys(client, secrets)
        self._is_read = False
        self._state: CopyState | None = None
        self._known: Stored | None = None
        """What the copy says; None: there is none."""
        self.trouble = ""
        """Why the copy does not follow; empty: it does."""
        self._compare_at_s = 0.0
        self._has_others = False
        """There are other channels than before, or may be: of somebody who began anew, say, of whose keys the log tells
        nothing from the version on that is known."""

    def forget(self) -> None:
        """Another worker may change the copy from now on."""
        self._is_read = False

    def work(self) -> None:
        """Copies what has changed; writes back what is lost. Raises CopyUnreadable too."""
        if not self._is_read or self._is_another():
            self._read()
        try:
            self._follow_catalogue()
            turns = iter(range(TURNS))
            while self._known is not None and not self.trouble and self._follow_keys():
                if next(turns, None) is None:
                    break
        except Overtaken:
            self.forget()
        except KeysLost:
            pass  # the next look finds that, and puts them back

    def _is_another(self) -> bool:
        """Whether the database is no longer what this process left: a file that was removed, say, and made anew."""
        from app.storage.sql.catalogue import read_state

        if self._known is None or time.monotonic() < self._compare_at_s:
            return False
        return self._database.run(read_state, writes=False) != self._state

    def _read(self) -> None:
        from app.storage.sql.catalogue import read_state

        self._state = self._database.run(read_state, writes=False)
        self._known, self._compare_at_s, self._has_others = None, 0.0, True
        if self._state is not None:
            state = self._state
            self._known = Stored(state.version, self._copy.shown_tables(), state.origin, state.stamps)
        self._is_read = True

    # --- the catalogue ---

    def _follow_catalogue(self) -> None:
        known, look = self._known, self._catalog.read(()).stored
        is_news = known is None or _versions(look) != _versions(known)
        if not is_news and time.monotonic() < self._compare_at_s:
            return
        found = self._catalog.read(ALL_TABLES).stored
        if known is None:
            if found.version or any(found.tables.values()):
                self._take(found)
            return
        meaning = judge(known, found, None, BY_HAND)
        if meaning in (Meaning.LOST, Meaning.OVERLAID):
            self._put_back(known, found, meaning)
            found = self._catalog.read(ALL_TABLES).stored
            meaning = judge(known, found, None, BY_HAND)
        if meaning in TAKEN:
            self._take(found)
            self.trouble = ""
        elif not self.trouble:
            self.trouble = BEHIND.format(found.version, known.version)
        self._compare_at_s = time.monotonic() + COMPARE_S

    def _put_back(self, known: Stored, found: Stored, meaning: Meaning) -> None:
        whole = known._replace(tables=self._copy.tables())
        if self._copy.put_back(whole, found, gives_way=meaning is Meaning.OVERLAID):
            log.warning("Redis lost the catalogue; it was restored from the database, version %d", known.version)

    def _take(self, found: Stored) -> None:
        """Makes it what the copy says."""
        from app.storage.sql.catalogue import CopiedField, CopyState, drop_channels, write_fields

        if self._known == found:
            return
        if self._known is None or self._known._replace(filled="") != found._replace(filled=""):
            fields = [CopiedField(*one) for one in written(found.tables, self._secrets)]
            before = self._state or CopyState()
            gone = self._others(found)
            state = before._replace(
                version=found.version,
                origin=found.origin,
                stamps=found.stamps,
                copied_at_ms=_now_ms(),
                keys_versions={id: version for id, version in before.keys_versions.items() if id not in gone},
            )

            def write(connection: Connection) -> None:
                write_fields(connection, fields)
                drop_channels(connection, gone)

            self._change(write, state)
            self._has_others |= bool(gone)
        self._known = found

    def _others(self, found: Stored) -> set[str]:
        """Ids of channels that are no longer those whose keys are copied."""
        before = self._known.tables[CHANNELS.tables[0]] if self._known is not None else {}
        after = found.tables[CHANNELS.tables[0]]
        return {id for id, text in before.items() if begun(after.get(id)) != begun(text)}

    # --- keys ---

    def _follow_keys(self) -> bool:
        """Whether there may be more to do."""
        state = self._state
        if state is None:
            return False
        if not self._secrets.encrypts:
            self._drop_keys(state)
            return False
        known = known_of(state)
        news = self._keys.since(known, CHANGES)
        if news.is_lost:
            known = known._replace(history=self._put_keys_back(state))
        if news.changes is None or self._has_others:
            self._copy_all(state, known)
            self._has_others = False
            return True
        if news.changes:
            self._copy_changes(state, known._replace(history=news.now.history), news.changes)
        return bool(news.changes)

    def _put_keys_back(self, state: CopyState) -> str:
        """The history in which Redis lacks none."""
        channels = self._known.tables[CHANNELS.tables[0]] if self._known is not None else {}
        done = self._copy.put_keys_back(state, channels)
        if done.keys:
            text = "Redis lost keys of channels; %s restored from the database"
            log.warning(text, f"{counted(done.keys, 'key')} were")
        return done.history

    def _copy_changes(self, state: CopyState, known: Known, changes: Sequence[Change]) -> None:
        from app.storage.sql.catalogue import write_keys

        versions, last_id = dict(state.keys_versions), state.keys_last_id
        copied: list[CopiedKey] = []
        gone: list[int] = []
        for channel_id in dict.fromkeys(change.channel_id for change in changes):
            of_channel = [change for change in changes if change.channel_id == channel_id]
            versions[channel_id] = of_channel[-1].version
            known = known._replace(version=of_channel[-1].version)
            ids = list(dict.fromkeys(change.key_id for change in of_channel))
            last_id = max(last_id, *ids)
            if ALL in ids:
                versions[channel_id] = self._keys.version_of(channel_id)
                if not self._copy_channel(channel_id, known):
                    del versions[channel_id]
                continue
            found = {key.id: key for key in self._keys.read(channel_id, known, ids)}
            copied += _copied(channel_id, found.values())
            gone += [id for id in ids if id not in found or not _is_sealed(found[id])]
        after = state._replace(
            keys_version=changes[-1].version,
            keys_history=known.history,
            keys_last_id=last_id,
            keys_versions=versions,
        )
        self._change(lambda connection: write_keys(connection, copied, gone), after)

    def _copy_all(self, state: CopyState, known: Known) -> None:
        """Raises KeysLost where Redis has lost what was `known`."""
        from app.storage.sql.catalogue import drop_channels

        look = self._keys.look()
        if known.is_lost_in(look.known):
            raise KeysLost
        is_other = look.known.history != state.keys_history  # whose versions say nothing of ours
        for channel_id, version in look.versions.items():
            if is_other or state.keys_versions.get(channel_id) != version:
                self._copy_channel(channel_id, look.known)
        gone = state.keys_versions.keys() - look.versions.keys()
        last_id = max(state.keys_last_id, look.last_id)
        after = state._replace(
            keys_version=look.known.version,
            keys_history=look.known.history,
            keys_last_id=last_id,
            keys_versions=look.versions,
        )
        self._change(lambda connection: drop_channels(connection, gone), after)

    def _copy_channel(self, channel_id: str, known: Known) -> int:
        """All keys of one, piece by piece: nobody misses one meanwhile. How many. Raises KeysLost."""
        from app.storage.sql.catalogue import key_ids, write_keys

        seen: set[int] = set()
        waiting = pieces(self._keys, channel_id, known)
        while some := list(islice(waiting, PIECES)):
            copied = _copied(channel_id, chain.from_iterable(some))
            seen.update(key.id for key in copied)
            self._database.run(partial(write_keys, keys=copied))
        ids = self._database.run(lambda connection: key_ids(connection, channel_id), writes=False)
        if gone := [id for id in ids if id not in seen]:
            self._database.run(lambda connection: write_keys(connection, [], gone))
        return len(seen)

    def _drop_keys(self, state: CopyState) -> None:
        """Of a gateway that encrypts none."""
        from app.storage.sql.catalogue import drop_keys

        if state.keys_version:
            after = state._replace(keys_version=0, keys_history="", keys_versions={})
            self._change(drop_keys, after)

    def _change(self, act: Callable[[Connection], Any], after: CopyState) -> None:
        """Raises Overtaken."""
        from app.storage.sql.catalogue import read_state, write_state

        before = self._state

        def change(connection: Connection) -> None:
            if read_state(connection) != before:
                raise Overtaken
            act(connection)
            write_state(connection, after)

        self._database.run(change)
        self._state = after


def known_of(state: CopyState) -> Known:
    """How much of Redis's keys the copy knows."""
    return Known(state.keys_version, state.keys_history)


def _copied(channel_id: str, keys: Iterable[StoredKey]) -> list[CopiedKey]:
    """Those that are sealed."""
    from app.storage.sql.catalogue import CopiedKey

    sealed = {key.id: key for key in keys if _is_sealed(key)}
    return [CopiedKey(key.id, channel_id, written_key(key).decode()) for key in sealed.values()]


def _is_sealed(key: StoredKey) -> bool:
    return key.sealed.startswith(PREFIX)


def _versions(stored: Stored) -> tuple[int, str, str]:
    return stored.version, stored.origin, stored.stamps


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
