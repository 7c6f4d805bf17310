"""A backup is taken: what that would change, and the change, which is one, of all that the operator said.

Afterwards all stands as the backup says, and nothing else. What it leaves out (its secrets) stays as it is where it is
known. Nothing is changed that others changed between the decision and the change: then it is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.backup.form import NAMES, SAID, TABLES, Tables, ids_by_name, name_of, text_of, value_of
from app.core.backup.secret_values import keep_known
from app.core.judging.troubles import read, written
from app.core.snapshot import ACCESS_TOKENS, CHANNELS, SETTINGS, Table
from app.storage.backup.keys import ChannelKeys, RestoredKeys
from app.storage.backup.reading import Document
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Along, Edit
from app.storage.connections import RedisError
from app.storage.health.stored import Change, StoredHealth, field_of
from app.storage.health.subjects import KEY
from app.storage.keys.form import Known
from app.storage.keys.pools import KeyPools
from app.storage.keys.replacement import Removal, Replacement, Together
from app.storage.keys.whole import PIECE

TRIES: Final = 20
"""How often it is decided anew because others changed something meanwhile."""
LAST_IDS: Final = (CHANNELS.tables[2], ACCESS_TOKENS.tables[1])
ANONYMOUS: Final = "anonymous_channels"


@dataclass
class NounChange:
    """What becomes of one noun, by names."""

    noun: str
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass
class Decision:
    """What a backup means for what is there."""

    nouns: list[NounChange]
    edits: list[Edit]
    notes: list[str]
    """What it does not bring, and what of it makes no sense here."""
    keys: list[ChannelKeys]
    """Of channels whose keys become others."""
    emptied: list[str]
    """Ids of channels that lose all their keys."""
    keys_known: Known
    """That on which it is decided."""
    key_counts: dict[str, int]


class Restore:
    """Raises RedisError and BackupRefused, whatever it is asked; nothing was changed then."""

    def __init__(
        self,
        catalog: Catalog,
        pools: KeyPools,
        stored_health: StoredHealth,
        document: Document,
        pause: Callable[[], object],
        *,
        only_here: bool,
    ) -> None:
        """`only_here`: nobody but this machine reaches the gateway."""
        self._catalog = catalog
        self._pools = pools
        self._stored_health = stored_health
        self._document = document
        self._pause = pause
        self._only_here = only_here

    def decide(self) -> Decision:
        """Changes nothing."""
        return self._decide()[0]

    def take(self) -> Decision:
        for _ in range(TRIES):
            decision, restored = self._decide()
            replacement = Replacement(self._pools.stored, decision.keys_known)
            try:
                if restored is not None and decision.keys:
                    self._pools.stored.give_no_id_up_to(restored.last_id())
                    for keys in decision.keys:
                        restored.write_aside(replacement, keys)
                if not decision.edits and not decision.keys and not decision.emptied:
                    return decision
                if self._catalog.change(None, "restored", decision.edits, self._along(decision, replacement)):
                    self._finish(decision)
                    return decision
            finally:
                replacement.forget()
        raise RedisError("what was said was changed by others all the while")

    def _along(self, decision: Decision, replacement: Replacement) -> Along | None:
        parts: list[Replacement | Removal] = []
        if decision.keys:
            parts.append(replacement)
        if decision.emptied:
            parts.append(Removal(self._pools.stored, decision.keys_known, decision.emptied, must=True))
        return Together(*parts) if parts else None

    def _decide(self) -> tuple[Decision, RestoredKeys | None]:
        self._catalog.look()
        known = self._catalog.tables()
        keys_known = self._pools.load()
        wanted, notes = self._wanted(known)
        edits = _edits(known, wanted)
        decision = Decision(self._changes(known, wanted), edits, notes, [], [], keys_known, {})
        restored = None
        if self._document.cipher is not None:
            restored = RestoredKeys(self._pools, self._document.cipher, self._pause)
        self._decide_keys(decision, restored, wanted[CHANNELS.tables[0]])
        return decision, restored

    def _wanted(self, known: MappingOf[str, Table]) -> tuple[Tables, list[str]]:
        """All tables as they shall be, and what is to be told of them."""
        notes: list[str] = []
        wanted: Tables = {table: {} for table in TABLES}
        for table in TABLES:
            for name, text in self._document.tables[table].items():
                wanted[table][name] = self._with_known_secrets(table, name, text, known, notes)
                self._pause()
        for table in LAST_IDS:
            for name, text in known.get(table, {}).items():
                wanted[table][name] = max(text, wanted[table].get(name, ""), key=_number)
        settings = wanted[SETTINGS.tables[0]]
        if settings.get(ANONYMOUS) == "true" and not self._only_here:
            del settings[ANONYMOUS]
            notes.append(f"{ANONYMOUS} is not taken: it is for one machine alone, and others reach this gateway")
        wanted[NAMES] = ids_by_name(wanted[CHANNELS.tables[0]])
        notes += [f"{name} makes no sense here: {error}" for name, error in self._catalog.rejected(wanted).items()]
        return wanted, notes

    def _with_known_secrets(
        self, table: str, name: str, text: str, known: MappingOf[str, Table], notes: list[str]
    ) -> str:
        if self._document.cipher is not None:
            return text
        value = value_of(text)
        missing = keep_known(table, value, value_of(known.get(table, {}).get(name, "")))
        if missing:
            notes.append(f"{table} {name} lacks secrets that the backup leaves out: {', '.join(missing)}")
        return text_of(value)

    def _changes(self, known: MappingOf[str, Table], wanted: Tables) -> list[NounChange]:
        changes = []
        for noun in SAID:
            change = NounChange(noun.name)
            tables = [table for table in noun.tables if table not in LAST_IDS and table != NAMES]
            before = [known.get(table, {}) for table in tables]
            after = [wanted[table] for table in tables]
            for name in sorted({**before[0], **after[0]}):
                if name not in after[0]:
                    change.removed.append(name_of(noun.name, name, before[0][name]))
                elif name not in before[0]:
                    change.added.append(name_of(noun.name, name, after[0][name]))
                elif [one.get(name) for one in before] != [one.get(name) for one in after]:
                    change.changed.append(name_of(noun.name, name, after[0][name]))
            changes.append(change)
            self._pause()
        return changes

    def _decide_keys(self, decision: Decision, restored: RestoredKeys | None, channels: MappingOf[str, str]) -> None:
        counts = dict.fromkeys(("added", "changed", "removed"), 0)
        having = {pool.channel_id for pool in self._pools.all() if len(pool)}
        for channel_id in channels if restored is not None else ():
            entries = self._document.keys.get(channel_id, [])
            if restored is not None and entries:
                after = restored.decide(channel_id, entries)
                counts["added"] += after.added
                counts["changed"] += after.changed
                counts["removed"] += len(after.removed)
                decision.keys += [after] if after.is_another else []
        gone = having - (channels.keys() if restored is None else self._document.keys.keys())
        for channel_id in sorted(gone):
            counts["removed"] += len(self._pools.of(channel_id))
            decision.emptied.append(channel_id)
        if restored is None and channels:
            decision.notes.append(
                "the backup leaves keys out: channels keep those that they have, and others have none"
            )
        decision.key_counts = counts

    def _finish(self, decision: Decision) -> None:
        """What was counted of keys that are no more goes, and who was on the blacklist is there again.

        The change is done, whatever becomes of that.
        """
        with suppress(RedisError):
            self._pools.load()
            for keys in decision.keys:
                for begin in range(0, len(keys.removed), PIECE):
                    gone = [str(id) for id in keys.removed[begin : begin + PIECE]]
                    self._stored_health.forget_keys(keys.channel_id, gone)
                for begin in range(0, len(keys.blacklisted), PIECE):
                    self._blacklist(keys.channel_id, keys.blacklisted[begin : begin + PIECE])
                    self._pause()

    def _blacklist(self, channel_id: str, told: list[tuple[int, dict[str, Any]]]) -> None:
        fields = [field_of(channel_id, f"{KEY}{id}") for id, _ in told]
        changes = []
        for (_, one), name, before in zip(told, fields, self._stored_health.troubles_of(fields), strict=True):
            trouble = read(before)
            if not trouble.blacklisted_ms:
                since_ms, failures = _whole(one.get("since_ms")), _whole(one.get("failures"))
                trouble = trouble._replace(
                    version=trouble.version + 1,
                    failures=max(1, failures),
                    changed_ms=since_ms,
                    refusals=_whole(one.get("refusals")),
                    blacklisted_ms=max(1, since_ms),
                    outcome=str(one.get("outcome", "")),
                    text=str(one.get("text", "")),
                )
                changes.append(Change(name, before, written(trouble)))
        if changes:
            self._stored_health.store(changes, None, 0, 0)


def _edits(known: MappingOf[str, Table], wanted: Tables) -> list[Edit]:
    edits: list[Edit] = []
    for table, after in wanted.items():
        before = known.get(table, {})
        for name in {**before, **after}:
            text, was = after.get(name), before.get(name, "")
            if text == was:
                continue
            edits.append(Edit("same", table, name, was))
            edits.append(Edit("delete", table, name) if text is None else Edit("put", table, name, text))
    return edits


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
