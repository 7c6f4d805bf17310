"""What is known of stored keys and told of them, and the forms in which Redis keeps it."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple
from uuid import uuid4

import orjson

from app.core.channels.keys import StoredKey
from app.storage.connections import RedisError

HISTORY = ""
"""The field of the history among the versions by channel."""
ALL = 0
"""In place of an id: all keys of the channel."""


class KeysLost(RedisError):
    """Redis has fallen behind what was known of it."""

    def __init__(self) -> None:
        super().__init__("it lost keys of channels meanwhile")


class Known(NamedTuple):
    """What whoever reads or changes keys relies on. Where Redis holds less, or lost something since, he is refused."""

    version: int = 0
    """Of all keys."""
    history: str = ""
    """In which that version is one; `scripts.py` says what that is."""

    @property
    def text(self) -> str:
        """For scripts."""
        return f"{self.version} {self.history}"

    @property
    def begin(self) -> Known:
        """Of its history."""
        return self._replace(version=read_number(self.history.partition(" ")[0]))

    def is_lost_in(self, found: Known) -> bool:
        return found.version < self.version or (self.version > 0 and found.history != self.history)


class Look(NamedTuple):
    """What is there, without the keys themselves."""

    known: Known
    last_id: int
    versions: dict[str, int]
    """By channel."""


class Change(NamedTuple):
    """A line of the log."""

    version: int
    channel_id: str
    key_id: int
    """ALL: every key of the channel."""


class News(NamedTuple):
    """What changed since a version."""

    now: Known
    changes: list[Change] | None
    """The first of them; None: nobody can tell any more."""
    is_lost: bool
    """Redis has lost what was known, whether or not somebody wrote it back."""


class Edit(NamedTuple):
    """Of one key: what it was, and what it becomes; None: it goes."""

    before: StoredKey
    after: StoredKey | None


class Aside:
    """Keys of one channel that are written where nobody sees them."""

    def __init__(self) -> None:
        self.name = uuid4().hex
        self.count = 0


def written(key: StoredKey) -> bytes:
    """As it is stored: always the same for the same key, for changes compare it."""
    said: dict[str, object] = {"value": key.sealed}
    if key.note:
        said["note"] = key.note
    if key.models:
        said["models"] = key.models
    if not key.enabled:
        said["enabled"] = False
    return orjson.dumps(said)


def read_key(id: int, stored: bytes) -> StoredKey | None:
    """None where it makes no sense."""
    try:
        said = orjson.loads(stored)
        models = tuple(map(str, said.get("models", ())))
        return StoredKey(id, str(said["value"]), str(said.get("note", "")), models, bool(said.get("enabled", True)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_change(line: bytes) -> Change | None:
    """None where it makes no sense."""
    try:
        version, channel_id, key_id = line.split(b" ")
        return Change(int(version), channel_id.decode(), int(key_id))
    except ValueError:
        return None


def read_version(stored: bytes | str | None) -> int:
    """Of a channel, as whoever has it knows it; 0 where it makes no sense."""
    try:
        return ceil(float(stored or 0))
    except (ValueError, OverflowError):
        return 0


def read_number(stored: bytes | str | int | None) -> int:
    """0 where it makes no sense."""
    try:
        return int(stored or 0)
    except ValueError:
        return 0
