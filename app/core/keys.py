"""A key of a channel, and what may be shown of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

HINT_ENDS = 4
HINT_WHOLE = 12
"""Of a shorter key only the last two characters are shown."""

_SEPARATORS = re.compile(r"[\s,;]+")


class KeyState(Enum):
    ACTIVE = "active"
    RESTING = "resting"
    BLACKLISTED = "blacklisted"
    """Out of the pool until it is validated or restored."""
    DISABLED = "disabled"
    """By the operator."""


class KeyCounts(NamedTuple):
    """How many keys of a channel are in which state; each is in one."""

    total: int = 0
    active: int = 0
    resting: int = 0
    blacklisted: int = 0
    disabled: int = 0

    @property
    def usable(self) -> int:
        return self.active + self.resting


class Key:
    """An upstream's credential. Its text shows in no representation of it."""

    __slots__ = ("id", "secret")

    def __init__(self, id: str, secret: str) -> None:
        self.id = id
        self.secret = secret

    @property
    def hint(self) -> str:
        return hint_of(self.secret)

    def __repr__(self) -> str:
        return f"Key({self.id}, {self.hint})"


def hint_of(secret: str) -> str:
    """What is shown of a secret: its first and last four characters; of one under 12 the last two only."""
    if len(secret) < HINT_WHOLE:
        return "…" + secret[-2:]
    return f"{secret[:HINT_ENDS]}…{secret[-HINT_ENDS:]}"


def split_keys(said: str | Sequence[object]) -> list[str]:
    """The keys in a text (one a line, or between blanks, commas and semicolons) or a list, in order, each once.

    What cannot be a key is passed over: an object, an empty text, and one with blanks or control characters.
    """
    found = _SEPARATORS.split(said) if isinstance(said, str) else [one.strip() for one in said if isinstance(one, str)]
    return list(dict.fromkeys(key for key in found if key and key.isprintable() and " " not in key))
