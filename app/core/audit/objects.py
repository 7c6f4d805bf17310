"""What a change of the catalogue did to which objects, without secrets: of one that is changed, what is another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from app.core.backup.form import name_of, value_of
from app.core.backup.secret_values import leave_out
from app.core.snapshot import ACCESS_TOKENS, CHANNELS, MAPPINGS, OUTCOME_RULES, PRICES, SETTINGS

TARGETS, OPTIONS = MAPPINGS.tables
_TEXTS: Final = (CHANNELS.tables[0], ACCESS_TOKENS.tables[0])
_WORDS: Final = {
    SETTINGS.tables[0]: "setting",
    TARGETS: "mapping",
    OPTIONS: "mapping",
    CHANNELS.tables[0]: "channel",
    ACCESS_TOKENS.tables[0]: "access token",
    OUTCOME_RULES.tables[0]: "outcome rules",
    PRICES.tables[0]: "prices",
}
"""How an object of a table is called; of other tables nothing is told."""

Fields = dict[str, tuple[Any, Any]]
"""What an object has by name: as it is, and as it may be shown."""
_NOTHING: Final = (None, None)


class FieldChange(NamedTuple):
    """Of one field of a table, as it is stored; None: it is not there."""

    table: str
    field: str
    before: str | None
    after: str | None


class ObjectChange(NamedTuple):
    object: str
    before: Any
    after: Any


def object_changes(changes: Iterable[FieldChange], most: int) -> list[ObjectChange]:
    """Of each object one, of the first so many."""
    found: dict[str, tuple[Fields, Fields]] = {}
    for change in changes:
        if change.table not in _WORDS or change.before == change.after:
            continue
        name = object_name(change.table, change.field, change.after or change.before or "")
        if name not in found and len(found) >= most:
            break
        before, after = found.setdefault(name, ({}, {}))
        before.update(_shown(change.table, change.before))
        after.update(_shown(change.table, change.after))
    return [ObjectChange(name, *_others(before, after)) for name, (before, after) in found.items()]


def object_name(table: str, field: str, text: str) -> str:
    """Of what is stored in a field: `channel 3 main`."""
    word = _WORDS[table]
    if table in _TEXTS:
        name = name_of("channels", "", text)
        return f"{word} {field} {name}".rstrip()
    return word if table in (OUTCOME_RULES.tables[0], PRICES.tables[0]) else f"{word} {field}"


def _shown(table: str, text: str | None) -> Fields:
    if text is None:
        return {}
    true, shown = value_of(text), value_of(text)
    leave_out(table, shown)
    fields = _fields(table, shown)
    return {name: (value, fields.get(name)) for name, value in _fields(table, true).items()}


def _fields(table: str, value: Any) -> dict[str, Any]:
    if table in _TEXTS:
        said = value.get("said") if isinstance(value, dict) else None
        hint = {"hint": value.get("hint")} if isinstance(value, dict) and "hint" in value else {}
        return {**said, **hint} if isinstance(said, dict) else {}
    if table == TARGETS:
        return {"target": value}
    if table == OPTIONS:
        return {"options": value}
    if table == SETTINGS.tables[0]:
        return {"value": value}
    return {_WORDS[table].split()[-1]: value}


def _others(before: Fields, after: Fields) -> tuple[Any, Any]:
    """Of an object that is changed, the fields that are others, be it in a secret; else all."""
    if not before or not after:
        names = [*before, *after]
    else:
        names = [name for name in {**before, **after} if before.get(name, _NOTHING) != after.get(name, _NOTHING)]
    shown = [{name: side.get(name, _NOTHING)[1] for name in names} if side else None for side in (before, after)]
    return shown[0], shown[1]
