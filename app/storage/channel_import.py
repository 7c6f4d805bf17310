"""Channels of a file, with their keys: what taking them would change, and taking them.

Lines that cannot be are told and left out; all others are taken together, or nothing is. A line is for the channel of
its name, or for a new one. It gives the channel all that it says, and just the keys that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from app.core.channels.csv_keys import KEYS_A_STEP, FileKey, KeyCells
from app.core.channels.csv_reading import ChannelRow
from app.core.channels.definition import FIELDS, comparable, merged
from app.core.errors import Invalid
from app.core.model import Channel
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit
from app.storage.catalog.channels import NAMES, adding, changing, giving_ids, last_id, noun_of, parsed, said_of
from app.storage.connections import RedisError
from app.storage.keys.edits import KeyEdits
from app.storage.keys.pools import KeyPools

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


class KeysAfter(NamedTuple):
    """The keys that a channel shall have, where it has others now."""

    channel_id: str
    added: list[FileKey]
    changed: dict[str, FileKey]
    """By id."""
    removed: list[str]
    """By id."""


@dataclass
class Decision:
    """What a file means for the channels that are there."""

    changes: list[LineChange] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    keys: list[KeysAfter] = field(default_factory=list)
    _lines: dict[str, int] = field(default_factory=dict)
    _next_id: int = 0

    def count(self, action: str) -> int:
        return sum(change.action == action for change in self.changes)


class ChannelImport:
    """Raises RedisError, whatever it is asked."""

    def __init__(
        self, catalog: Catalog, pools: KeyPools, key_edits: KeyEdits, check: Check, pause: Callable[[], object]
    ) -> None:
        self._catalog = catalog
        self._pools = pools
        self._key_edits = key_edits
        self._check = check
        self._pause = pause

    def decide(self, rows: Iterable[ChannelRow]) -> Decision:
        """Changes nothing."""
        self._catalog.look()
        self._pools.load()
        last, first_new = last_id(self._catalog)
        decision = Decision(_next_id=first_new)
        for row in rows:
            try:
                self._decide(decision, row)
            except Invalid as error:
                decision.errors.append(LineError(row.line, str(error)))
            self._pause()
        if decision._next_id > first_new:
            decision.edits[:0] = giving_ids(last, decision._next_id - 1)
        return decision

    def take(self, rows: Sequence[ChannelRow]) -> Decision:
        for _ in range(TRIES):
            decision = self.decide(rows)
            edits = decision.edits
            if not edits or self._catalog.change(noun_of(edits), "imported", edits):
                for keys in decision.keys:
                    self._give(keys)
                return decision
        raise RedisError("the channels were changed by others all the while")

    def _decide(self, decision: Decision, row: ChannelRow) -> None:
        """Raises Invalid."""
        name = comparable(row.name)
        if name in decision._lines:
            raise Invalid(f"name: line {decision._lines[name]} is for this channel already", "name")
        channel_id = self._catalog.table(NAMES).get(name, "")
        if channel_id:
            said, created_at_ms = said_of(self._catalog, channel_id)
            channel = parsed(self._catalog, channel_id, merged(said, _for_known(row, said)), created_at_ms)
        else:
            said = {}
            channel = parsed(self._catalog, str(decision._next_id), _for_new(row))
        self._check(channel)
        keys = self._keys_after(channel.id, row.keys) if row.keys is not None else KeysAfter(channel.id, [], {}, [])
        fields = tuple(field for field in FIELDS if field not in said or said[field] != channel.said[field])
        decision._lines[name] = row.line
        if not channel_id:
            decision._next_id += 1
            decision.edits += adding(channel)
        elif fields:
            decision.edits += changing(self._catalog, channel)
        counts = len(keys.added), len(keys.changed), len(keys.removed)
        if any(counts):
            decision.keys.append(keys)
        action = "created" if not channel_id else "updated" if fields or any(counts) else "unchanged"
        decision.changes.append(
            LineChange(row.line, channel.name, action, fields if channel_id else (), *counts, _notes(row, channel_id))
        )

    def _keys_after(self, channel_id: str, cells: KeyCells) -> KeysAfter:
        before = self._keys_of(channel_id)
        after = KeysAfter(channel_id, [], {}, [])
        for place, secret in enumerate(cells.secrets):
            key_id, known = before.pop(secret, ("", None))
            key = cells.at(place, known)
            if known is None:
                after.added.append(key)
            elif key != known:
                after.changed[key_id] = key
            if place % KEYS_A_STEP == 0:
                self._pause()
        after.removed.extend(key_id for key_id, _ in before.values())
        return after

    def _keys_of(self, channel_id: str) -> dict[str, tuple[str, FileKey]]:
        """Those that it has, with their ids, by their texts."""
        pool = self._pools.of(channel_id)
        found: dict[str, tuple[str, FileKey]] = {}
        for place in range(len(pool.ids)):
            key, secret = pool.stored_at(place), pool.secret_at(place)
            found[secret] = str(key.id), FileKey(secret, key.note, key.models, key.enabled)
            if place % KEYS_A_STEP == 0:
                self._pause()
        return found

    def _give(self, keys: KeysAfter) -> None:
        edits, channel_id = self._key_edits, keys.channel_id
        for said, secrets in _alike(keys.added).items():
            edits.add(channel_id, secrets, said.note, said.models)
        if any(not key.enabled for key in keys.added):
            self._pools.load()
            known = self._keys_of(channel_id)
            edits.enable(channel_id, [known[key.secret][0] for key in keys.added if not key.enabled], False)
        for key_id, key in keys.changed.items():
            edits.change(channel_id, key_id, key.note, key.models, key.enabled)
        if keys.removed:
            edits.delete(channel_id, keys.removed)


def _alike(keys: Iterable[FileKey]) -> dict[FileKey, list[str]]:
    """Their texts, by what else is said of them."""
    found: dict[FileKey, list[str]] = {}
    for key in keys:
        found.setdefault(key._replace(secret="", enabled=True), []).append(key.secret)
    return found


def _for_new(row: ChannelRow) -> dict[str, Any]:
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
