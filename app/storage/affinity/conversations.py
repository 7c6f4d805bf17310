"""Which key each conversation has, as this process knows it: what it chose itself, and what others told.

It is a hint, which saves money: what is lost of it costs a prompt cache, and nothing fails.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

MAX_KEPT: Final = 50_000
"""Conversations that a process remembers, the latest: about 300 bytes each."""
MAX_UNTOLD: Final = 10_000
"""While Redis is away."""
TELL_AGAIN: Final = 8
"""How many times within its time to live others are told that a conversation goes on."""


class Kept(NamedTuple):
    """A conversation's key."""

    channel_id: str
    key_id: str
    since_ms: int
    """When it was chosen: everywhere the later choice counts."""
    used_ms: int
    """When it served last, as far as others were told."""


class Conversations:
    """One for each process. Times are Unix time in ms."""

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self.wake: Callable[[], object] = lambda: None
        """Tells the keeper that there is something to tell."""
        self.ttl_ms = 3_600_000
        """As the settings said last."""
        self._max_kept = max_kept
        self._kept: dict[str, Kept] = {}
        """The one that was told last comes last."""
        self._untold: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def kept(self, name: str, now_ms: int) -> Kept | None:
        """Its key, for `ttl_ms` after its last call at least; None where it has none."""
        kept = self._kept.get(name)
        return kept if kept is not None and kept.used_ms + self.ttl_ms + self.ttl_ms // TELL_AGAIN > now_ms else None

    def served(self, name: str, channel_id: str, key_id: str, now_ms: int) -> None:
        """A call of the conversation was answered with that key, which is its own from now on."""
        kept = self.kept(name, now_ms)
        if kept is not None and kept.key_id == key_id and kept.channel_id == channel_id:
            if now_ms - kept.used_ms < self.ttl_ms // TELL_AGAIN:
                return
            kept = kept._replace(used_ms=now_ms)
        else:
            kept = Kept(channel_id, key_id, now_ms, now_ms)
        with self._lock:
            self._put(name, kept)
            self._untold[name] = kept
            if len(self._untold) > MAX_UNTOLD:
                del self._untold[next(iter(self._untold))]
        self.wake()

    def learn(self, name: str, told: Kept) -> None:
        """What another process said. Of two choices the later one counts, of two at once the same one everywhere."""
        with self._lock:
            known = self._kept.get(name)
            if known is not None and known[:2] == told[:2]:
                told = told._replace(
                    since_ms=max(known.since_ms, told.since_ms), used_ms=max(known.used_ms, told.used_ms)
                )
            elif known is not None and (known.since_ms, known.key_id) > (told.since_ms, told.key_id):
                return
            self._put(name, told)

    def take_untold(self, most: int) -> dict[str, Kept]:
        """What others should know, at most so many; they are told of it now."""
        with self._lock:
            names = list(self._untold)[:most]
            return {name: self._untold.pop(name) for name in names}

    def give_back(self, untold: dict[str, Kept]) -> None:
        """They could not be told."""
        with self._lock:
            self._untold = {**untold, **self._untold}

    def __len__(self) -> int:
        return len(self._kept)

    def _put(self, name: str, kept: Kept) -> None:
        self._kept.pop(name, None)
        self._kept[name] = kept
        if len(self._kept) > self._max_kept:
            del self._kept[next(iter(self._kept))]
