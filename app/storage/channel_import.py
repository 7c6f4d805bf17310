"""Channels of a file, with their keys: what taking them would change, and taking them.

Lines that cannot be are told and left out; all others are taken together, or nothing is. A line is for the channel of
its name, or for a new one. It gives the channel all that it says, and just the keys that it names.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from app.core.channels.csv_keys import FileKey, KeyCells
from app.core.channels.csv_reading import ChannelRow
from app.core.channels.definition import comparable, merged
from app.core.channels.keys import StoredKey
from app.core.channels.shape import CHANNEL
from app.core.errors import Invalid
from app.core.model import Channel
from app.core.network.addresses import MASK, mask_url
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit
from app.storage.catalog.channels import (
    NAMES,
    TEXTS,
    adding,
    changing,
    giving_ids,
    last_id,
    noun_of,
    parsed,
    said_of,
)
from app.storage.connections import RedisError
from app.storage.health.stored import StoredHealth
from app.storage.keys.form import Known
from app.storage.keys.listing import stored_in
from app.storage.keys.pool import KeyPool
from app.storage.keys.pools import KeyPools
from app.storage.keys.replacement import Replacement
from app.storage.keys.whole import PIECE

TRIES: Final = 20
"""How often it is decided anew because others changed channels meanwhile."""

Check = Callable[[Channel], object]
"""Raises Invalid for what speaks against a channel that could be."""


class LineError(NamedTuple):
    line: int
    message: str


class LineChange(NamedTuple):
    """What a line does."""

    line: int
    name: str
    action: str
    """created, updated or unchanged."""
    fields: tuple[str, ...]
    """Those that become others."""
    keys_added: int
    keys_changed: int
    keys_removed: int
    notes: tuple[str, ...]
    """What of the line is not taken."""


@dataclass
class KeysAfter:
    """The keys that a channel shall have."""

    channel_id: str
    cells: KeyCells
    before: KeyPool | None
    """None: the channel is new."""
    added: array[int] = field(default_factory=lambda: array("L"))
    """By their places in the cells: objects by the 100,000 would make each run of the garbage collector long."""
    changed: dict[int, int] = field(default_factory=dict)
    """The same of those that are there, by their ids."""
    removed: set[int] = field(default_factory=set)
    """Ids."""


@dataclass
class Decision:
    """What a file means for the channels that are there."""

    changes: list[LineChange] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    keys: list[KeysAfter] = field(default_factory=list)
    """Of channels that have others now."""
    keys_known: Known = Known()
    """That on which it is decided."""
    lines: dict[str, int] = field(default_factory=dict)
    """By the channel's name, for it stands once."""
    next_id: int = 0
    """Of a channel that is new."""

    def count(self, action: str) -> int:
        return sum(change.action == action for change in self.changes)


class ChannelImport:
    """Raises RedisError, whatever it is asked."""

    def __init__(
        self, catalog: Catalog, pools: KeyPools, stored_health: StoredHealth, check: Check, pause: Callable[[], object]
    ) -> None:
        self._catalog = catalog
        self._pools = pools
        self._stored_health = stored_health
        self._check = check
        self._pause = pause

    def decide(self, rows: Iterable[ChannelRow]) -> Decision:
        """Changes nothing."""
        self._catalog.look()
        last, first_new = last_id(self._catalog)
        decision = Decision(next_id=first_new, keys_known=self._pools.load())
        for row in rows:
            try:
                self._decide(decision, row)
            except Invalid as error:
                decision.errors.append(LineError(row.line, str(error)))
            self._pause()
        if decision.next_id > first_new:
            decision.edits[:0] = giving_ids(last, decision.next_id - 1)
        return decision

    def take(self, rows: Sequence[ChannelRow]) -> Decision:
        for _ in range(TRIES):
            decision = self.decide(rows)
            if not decision.edits and not decision.keys:
                return decision
            keys = Replacement(self._pools.stored, decision.keys_known)
            try:
                for after in decision.keys:
                    self._write_aside(keys, after)
                along = keys if decision.keys else None
                if self._catalog.change(noun_of(decision.edits), "imported", decision.edits, along):
                    self._finish(decision)
                    return decision
            finally:
                keys.forget()
        raise RedisError("the channels were changed by others all the while")

    def key_id(self, channel_id: str, secret: str) -> str:
        """Empty: the channel has no such key."""
        found = self._pools.stored.find(channel_id, secret)
        return str(found) if found else ""

    def _decide(self, decision: Decision, row: ChannelRow) -> None:
        """Raises Invalid."""
        name = comparable(row.name)
        if name in decision.lines:
            raise Invalid(f"name: line {decision.lines[name]} is for this channel already", "name")
        channel_id = self._catalog.table(NAMES).get(name, "")
        if channel_id:
            said, created_at_ms = said_of(self._catalog, channel_id)
            channel = parsed(self._catalog, channel_id, merged(said, _for_known(row, said)), created_at_ms)
        else:
            said = {}
            channel = parsed(self._catalog, str(decision.next_id), _for_new(row))
        self._check(channel)
        pool = self._pools.of(channel_id) if channel_id else None
        keys = self._keys_after(channel.id, row.keys or KeyCells([]), pool if row.keys is not None else None)
        fields = tuple(field for field in CHANNEL.fields if field not in said or said[field] != channel.said[field])
        decision.lines[name] = row.line
        if not channel_id:
            decision.next_id += 1
            decision.edits += adding(channel)
        elif fields:
            decision.edits += changing(self._catalog, channel)
        counts = len(keys.added), len(keys.changed), len(keys.removed)
        if any(counts):
            decision.keys.append(keys)
            decision.edits += [Edit("find", TEXTS, channel_id)] if channel_id else []
        action = "created" if not channel_id else "updated" if fields or any(counts) else "unchanged"
        decision.changes.append(
            LineChange(row.line, channel.name, action, fields if channel_id else (), *counts, _notes(row, channel_id))
        )

    def _keys_after(self, channel_id: str, cells: KeyCells, pool: KeyPool | None) -> KeysAfter:
        if pool is None:
            return KeysAfter(channel_id, cells, None, array("L", range(len(cells.secrets))))
        after = KeysAfter(channel_id, cells, pool, removed={key.id for keys in stored_in(pool) for key in keys})
        for begin in range(0, len(cells.secrets), PIECE):
            secrets = cells.secrets[begin : begin + PIECE]
            ids = self._pools.stored.find_all(channel_id, secrets) if after.removed else [0] * len(secrets)
            for place, (secret, id) in enumerate(zip(secrets, ids, strict=True), begin):
                known = _known(pool, id, secret)
                if known is None:
                    after.added.append(place)
                elif cells.at(place, known) != known:
                    after.changed[id] = place
                after.removed.discard(id)
            self._pause()
        return after

    def _write_aside(self, keys: Replacement, after: KeysAfter) -> None:
        cells = after.cells

        def become(key: StoredKey) -> StoredKey:
            place = after.changed.get(key.id)
            return key if place is None else _said(key, cells.at(place, _as_said(key, cells.secrets[place])))

        for there in stored_in(after.before) if after.before is not None else ():
            kept = [become(key) for key in there if key.id not in after.removed]
            if kept:
                keys.keep(after.channel_id, kept)
        for begin in range(0, len(after.added), PIECE):
            new = [cells.at(place) for place in after.added[begin : begin + PIECE]]
            keys.add(after.channel_id, [(key.secret, _said(StoredKey(0, ""), key)) for key in new])
            self._pause()

    def _finish(self, decision: Decision) -> None:
        """What was counted of keys that are no more goes, too. It is done, whatever becomes of that."""
        with suppress(RedisError):
            self._pools.load()
            for after in decision.keys:
                gone = [str(id) for id in after.removed]
                for begin in range(0, len(gone), PIECE):
                    self._stored_health.forget_keys(after.channel_id, gone[begin : begin + PIECE])


def _known(pool: KeyPool, id: int, secret: str) -> FileKey | None:
    place = pool.place_of(id) if id else -1
    if place < 0:
        return None
    return _as_said(pool.stored_at(place), secret)


def _as_said(key: StoredKey, secret: str) -> FileKey:
    return FileKey(secret, key.note, key.models, key.enabled)


def _said(key: StoredKey, said: FileKey) -> StoredKey:
    return key._replace(note=said.note, models=said.models, enabled=said.enabled)


def _for_new(row: ChannelRow) -> dict[str, Any]:
    """Raises Invalid where a secret is not said but masked."""
    proxy_url = row.said.get("proxy_url", "")
    if MASK in proxy_url and mask_url(proxy_url) == proxy_url:
        raise Invalid("proxy_url: its password is masked; take an export with secrets, or write it there", "proxy_url")
    return row.said | {"dialects": list(dict.fromkeys([*row.said["dialects"], *row.guessed]))}


def _for_known(row: ChannelRow, said: dict[str, Any]) -> dict[str, Any]:
    """What is guessed counts for nothing where a channel's dialects are known."""
    if not row.guessed:
        return row.said
    return row.said | {"dialects": list(dict.fromkeys([*said.get("dialects", ()), *row.said["dialects"]]))}


def _notes(row: ChannelRow, channel_id: str) -> tuple[str, ...]:
    notes = list(row.notes)
    if row.guessed and not channel_id:
        notes.append(f"which dialects it speaks is guessed: {', '.join(row.guessed)}")
    if row.keys is None and not channel_id:
        notes.append("it has no key yet")
    return tuple(notes)
