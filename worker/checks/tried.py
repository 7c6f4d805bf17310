"""When keys and channels were last tried by the clock, as Redis keeps it.

Of a key nothing is kept as a rule: one that failed again says so by its own trouble.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app.storage.connections import CHECKS_TRIED, Redis


class Tried:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    def ms(self) -> dict[str, int]:
        """By the names of worker/checks/due.py."""
        found = self._redis.hgetall(CHECKS_TRIED)
        return {name.decode(): int(at_ms) for name, at_ms in found.items()}  # type: ignore[union-attr]

    def note(self, names: Collection[str], now_ms: int) -> None:
        """They have been tried now."""
        if names:
            self._redis.hset(CHECKS_TRIED, mapping=dict.fromkeys(names, now_ms))

    def forget(self, names: Iterable[str]) -> None:
        """They are tried no more."""
        if gone := list(names):
            self._redis.hdel(CHECKS_TRIED, *gone)
