"""A key of a channel, and what may be shown of it."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, NamedTuple

import orjson

from app.core.errors import Invalid

HINT_ENDS = 4
HINT_WHOLE = 12
"""Of a shorter key only the last two characters are shown."""

LONGEST = 8192

_SEPARATORS = re.compile(r"[\s,;]+")
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST}}}")


class InvalidKey(Invalid):
    """What cannot be a key."""


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


class StoredKey(NamedTuple):
    """A key as it is stored."""

    id: int
    sealed: str
    """Its secret as `storage.secrets` seals it: plain where nothing is encrypted."""
    note: str = ""
    models: tuple[str, ...] = ()
    """Those that it is kept for; empty: all of the channel's."""
    enabled: bool = True


class Key:
    """An upstream's credential. Its text shows in no representation of it."""

    __slots__ = ("id", "secret")

    def __init__(self, id: str, secret: str) -> None:
        self.id = id
        self.secret = secret

    @property
    def hint(self) -> str:
        return hint_of(self.secret)

    def masked(self, text: str) -> str:
        """A text of an upstream's, which may repeat the key or, where it was cut off, end within it: with the hint."""
        if self.secret in text:
            text = text.replace(self.secret, self.hint)
        rest = text.removesuffix("…")
        for size in range(min(len(self.secret) - 1, len(rest)), HINT_ENDS, -1):
            if rest.endswith(self.secret[:size]):
                return rest[:-size] + self.hint
        return text

    def masked_field(self, text: str) -> str:
        """The same of what stands in the head of an answer, which has no room for the hint's ellipsis."""
        return text.replace(self.secret, self.hint.replace("…", "...")) if self.secret in text else text

    def masked_fields(self, fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
        secret = self.secret
        for _, value in fields:
            if secret in value:
                return [(name, self.masked_field(value)) for name, value in fields]
        return fields

    def masked_bytes(self, data: bytes, *, is_cut: bool = False) -> bytes:
        """`is_cut`: it may end within the key."""
        secret, hint = self.secret.encode(), self.hint.encode()
        if secret in data:
            data = data.replace(secret, hint)
        if is_cut:
            for size in range(min(len(secret) - 1, len(data)), HINT_ENDS, -1):
                if data.endswith(secret[:size]):
                    return data[:-size] + hint
        return data

    def may_stand_in(self, data: bytes) -> bool:
        """Whether it stands there, or may begin at its end."""
        secret = self.secret.encode()
        if secret in data:
            return True
        tail = data[max(0, len(data) - len(secret) + 1) :]
        at = tail.find(secret[:1])
        while at >= 0:
            if secret.startswith(tail[at:]):
                return True
            at = tail.find(secret[:1], at + 1)
        return False

    def __repr__(self) -> str:
        return f"Key({self.id}, {self.hint})"


def hint_of(secret: str) -> str:
    """What is shown of a secret: its first and last four characters; of one under 12 the last two only."""
    if len(secret) < HINT_WHOLE:
        return "…" + secret[-2:]
    return f"{secret[:HINT_ENDS]}…{secret[-HINT_ENDS:]}"


def keys_in(said: Any, field: str) -> list[str]:
    """The keys in a text (one a line, or between blanks, commas and semicolons; or a list as JSON) or in a list.

    In their order, doubles too. Raises InvalidKey, which says which of them is none, and never shows it.
    """
    if isinstance(said, str) and said.lstrip().startswith("["):
        try:
            said = orjson.loads(said)
        except orjson.JSONDecodeError:
            raise InvalidKey(f"{field} begins as a list does, but is no JSON", field) from None
    if isinstance(said, str):
        found: list[Any] = [one for one in _SEPARATORS.split(said) if one]
    elif isinstance(said, list):
        found = [one.strip() if isinstance(one, str) else one for one in said]
    else:
        raise InvalidKey(f"{field} must be a text, with a key in each line, or a list of texts", field)
    for place, one in enumerate(found):
        if not isinstance(one, str) or not _KEY.fullmatch(one):
            where = f"{field}[{place}]" if isinstance(said, list) else field
            text = f"number {place + 1} of {field} cannot be a key: one is a text of visible ASCII characters"
            raise InvalidKey(f"{text}, at most {LONGEST:,}, without blanks", where)
    return found
