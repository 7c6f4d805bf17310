"""The keys of a channel in a line of a CSV file: their texts in one cell, what else is said of them in others.

A cell may hold 100,000 of them, so they are read and written in pieces, with a pause between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as MappingOf
from typing import Any, Final, NamedTuple

import orjson

from app.core.channels.keys import InvalidKey, hint_of, keys_in
from app.wire.csv_files import nothing

KEYS_A_STEP: Final = 1000
_STEP_CHARS: Final = 32_768
_SEPARATOR: Final = re.compile(r"[\s,;]")
_AMBIGUOUS: Final = re.compile(r"[,;]|^\[")
"""What a key holds that cannot stand in a list with commas."""
HINT_MARK: Final = "…"
"""In a hint, and in no key."""


class FileKey(NamedTuple):
    """A key as a file says it."""

    secret: str
    note: str = ""
    models: tuple[str, ...] = ()
    enabled: bool = True


class KeyCells(NamedTuple):
    """The keys that a channel shall have, each once; the rest by their places. None: nothing is said of it."""

    secrets: list[str]
    notes: list[str] | None = None
    models: list[tuple[str, ...]] | None = None
    enabled: list[bool] | None = None

    def at(self, place: int, before: FileKey | None = None) -> FileKey:
        """One of them; what is not said is as it was `before`."""
        key = before if before is not None else FileKey(self.secrets[place])
        if self.notes is not None:
            key = key._replace(note=self.notes[place])
        if self.models is not None:
            key = key._replace(models=self.models[place])
        if self.enabled is not None:
            key = key._replace(enabled=self.enabled[place])
        return key


def read_keys(cells: MappingOf[str, str], pause: Callable[[], object] = nothing) -> KeyCells | None:
    """By the columns that the file has. None: the cell is empty or holds hints, so the keys stay. Raises InvalidKey."""
    text = cells.get("api_key", "")
    if not text or _holds_hints(text):
        return None
    first, count = _read_secrets(text, pause)
    if not first:
        raise InvalidKey("api_key holds no key", "api_key")
    notes = _of_each(cells, "api_key_notes", count, _note, pause)
    models = _of_each(cells, "api_key_allowed_models", count, _models, pause)
    enabled = _of_each(cells, "api_key_enabled", count, _enabled, pause)
    scopes = _of_each(cells, "api_key_model_scope_empty", count, _enabled, pause)
    if scopes is not None and any(scopes):  # keys that ccLoad has no model for, so they serve nothing there either
        enabled = [not empty for empty in scopes]
    secrets = list(first)
    if len(secrets) == count:
        return KeyCells(secrets, notes, models, enabled)
    places = list(first.values())
    return KeyCells(secrets, _kept(notes, places), _kept(models, places), _kept(enabled, places))


def write_keys(
    keys: Iterable[FileKey], *, secrets: bool = True, pause: Callable[[], object] = nothing
) -> dict[str, str]:
    """The cells of some keys, by their columns. Without `secrets` hints stand for them."""
    texts: list[str] = []
    notes: dict[int, str] = {}
    models: dict[int, tuple[str, ...]] = {}
    disabled: set[int] = set()
    is_list = False
    for place, key in enumerate(keys):
        texts.append(key.secret if secrets else hint_of(key.secret))
        is_list = is_list or _AMBIGUOUS.search(key.secret) is not None
        if key.note:
            notes[place] = key.note
        if key.models:
            models[place] = key.models
        if not key.enabled:
            disabled.add(place)
        if len(texts) % KEYS_A_STEP == 0:
            pause()
    places = range(len(texts))
    return {
        "api_key": _json(texts) if is_list and secrets else ",".join(texts),
        "api_key_notes": _json([notes.get(place, "") for place in places]) if notes else "",
        "api_key_allowed_models": _json([models.get(place, ()) for place in places]) if models else "",
        "api_key_enabled": _json([place not in disabled for place in places]) if disabled else "",
    }


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _holds_hints(text: str) -> bool:
    return HINT_MARK in text[:1000]


def _read_secrets(text: str, pause: Callable[[], object]) -> tuple[dict[str, int], int]:
    """Each with its first place, and how many places there are."""
    first: dict[str, int] = {}
    count = begin = 0
    while begin < len(text):
        separator = _SEPARATOR.search(text, begin + _STEP_CHARS) if not text.startswith("[") else None
        end = separator.start() if separator else len(text)
        try:
            found = keys_in(text[begin:end], "api_key")
        except InvalidKey:
            raise InvalidKey(_which(text[begin:end], count), "api_key") from None
        for place, secret in enumerate(found, count):
            first.setdefault(secret, place)
        count += len(found)
        begin = end + 1
        pause()
    return first, count


def _which(text: str, before: int) -> str:
    """What is wrong with one of the keys in a text, `before` which there are others; none of them is shown."""
    for place, one in enumerate(filter(None, _SEPARATOR.split(text))):
        try:
            keys_in(one, "api_key")
        except InvalidKey as error:
            return str(error).replace("number 1 of", f"number {before + place + 1} of")
    return "api_key holds what cannot be a key"


def _of_each(
    cells: MappingOf[str, str], column: str, count: int, read: Callable[[Any], Any], pause: Callable[[], object]
) -> Any:
    """What a column says of each key, by its place; None: the file has not this column."""
    if column not in cells:
        return None
    if not cells[column]:
        return [read(None)] * count
    try:
        entries = orjson.loads(cells[column])
    except orjson.JSONDecodeError:
        entries = None
    if not isinstance(entries, list) or len(entries) != count:
        text = f"{column} must be a list in JSON with an entry for each of the {count:,} keys"
        raise InvalidKey(text, column)
    said: list[Any] = []
    try:
        for begin in range(0, count, KEYS_A_STEP):
            said += map(read, entries[begin : begin + KEYS_A_STEP])
            pause()
    except ValueError as error:
        raise InvalidKey(f"{column} {error}", column) from None
    return said


def _note(entry: Any) -> str:
    if entry is not None and (not isinstance(entry, str) or len(entry) > 1000):
        raise ValueError("must hold texts of at most 1,000 characters")
    return entry or ""


def _models(entry: Any) -> tuple[str, ...]:
    if entry is None:
        return ()
    if not isinstance(entry, list) or not all(isinstance(name, str) and 0 < len(name.strip()) <= 300 for name in entry):
        raise ValueError("must hold a list of models for each key")
    return tuple(dict.fromkeys(name.strip() for name in entry))


def _enabled(entry: Any) -> bool:
    if entry is not None and not isinstance(entry, bool):
        raise ValueError("must hold true or false for each key")
    return entry is not False


def _kept(entries: Sequence[Any] | None, places: Iterable[int]) -> list[Any] | None:
    return None if entries is None else [entries[place] for place in places]
