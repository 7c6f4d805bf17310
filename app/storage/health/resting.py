"""Rests that another gateway found out: stored as a keeper stores them, and told to all processes.

They are guesses of that one, so they count as ours do: a success ends them, and where all rest one may be tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core.judging.troubles import Trouble, read, written
from app.storage.connections import RedisError
from app.storage.health.stored import Change, StoredHealth, field_of

TRIES: Final = 10
STORED: Final = b"ok"


class SubjectRest(NamedTuple):
    channel_id: str
    name: str
    """Of its subject, as `health.subjects` has them: a channel, or one of its keys or models."""
    until_ms: int


def store_rests(stored: StoredHealth, rests: Sequence[SubjectRest], now_ms: int) -> None:
    """Raises RedisError."""
    missing = list(rests)
    for _ in range(TRIES):
        if not missing:
            return
        fields = [field_of(rest.channel_id, rest.name) for rest in missing]
        changes = [
            Change(field, before, written(_rested(read(before), rest.until_ms, now_ms)))
            for rest, field, before in zip(missing, fields, stored.troubles_of(fields), strict=True)
        ]
        found = stored.store(changes, None, 0, 0)
        missing = [rest for rest, reply in zip(missing, found, strict=True) if reply != STORED]
    raise RedisError("what is observed of channels was changed by others all the while")


def _rested(trouble: Trouble, until_ms: int, now_ms: int) -> Trouble:
    return trouble._replace(
        version=trouble.version + 1,
        failures=max(1, trouble.failures),
        changed_ms=now_ms,
        guessed_until_ms=max(trouble.guessed_until_ms, until_ms),
    )
