"""What is asked of the statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import Names

BY: Final[Mapping[str, tuple[str, ...]]] = {
    "channel": ("channel_id", "channel"),
    "model": ("model",),
    "token": ("token_id", "token"),
    "mapping": ("mapping",),
    "key": ("key_id", "key_hint"),
    "dialect": ("dialect",),
}
"""By what rows can be told apart, and as which fields that is told: an id, or what is its own name; and its name."""
MADE_THERE: Final = frozenset({"channel", "key"})
"""Where a row is told apart by these its attempts are those that were made there."""

Group = tuple[str, ...]
"""The ids, or names, of what one row is told apart by."""


class TooMuch(Exception):
    """A span holds so many rows that whoever asks would wait for long. Its text says how many."""


@dataclass(frozen=True, slots=True)
class Question:
    span: Range
    """In whole units."""
    now_ms: int
    by: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    """Field of Dimensions and what it must be; all must hold."""
    limit: int = 50
    """Most rows; those with the most requests."""
    of_channels: bool = False
    """Only calls for which a channel was tried."""

    @property
    def counts_made(self) -> bool:
        """Whether the attempts of a row are those that were made there."""
        return not MADE_THERE.isdisjoint(self.by)

    def told(self, group: Group, names: Names) -> dict[str, str | None]:
        """The ids and names of a row. What is not known is null."""
        found: dict[str, str | None] = {}
        for name, id in zip(self.by, group, strict=True):
            id_field, *name_field = BY[name]
            found[id_field] = id or None
            for one in name_field:
                found[one] = getattr(names, one) or None
        return found
