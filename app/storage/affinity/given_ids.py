"""Ids that answers gave (of responses, files, batches, conversations), and the keys that alone know them.

An id is asked for in Redis where another process learned it: that is the one question on a call's path, and only a call
that holds such an id asks it. Storing them waits for nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from app.storage.connections import GIVEN_ID, Redis, RedisError

MAX_KEPT: Final = 20_000
"""Ids that a process remembers of those that it learned itself."""
MAX_UNSTORED: Final = 10_000
AWAY_S: Final = 1.0
"""So long nobody asks a Redis that did not answer."""


class Knower(NamedTuple):
    """Who knows an id."""

    channel_id: str
    key_id: str


class GivenIds:
    """One for each process."""

    def __init__(self, redis_client: Redis) -> None:
        """`redis_client` with a time limit that a call can wait for."""
        self.wake: Callable[[], object] = lambda: None
        """Tells the keeper that there is something to store."""
        self.ttl_s = 86_400.0
        """As the settings said last."""
        self._redis = redis_client
        self._known: dict[str, tuple[Knower, float]] = {}
        """With the time at which it is forgotten."""
        self._unstored: dict[str, Knower] = {}
        self._away_until_s = 0.0
        self._lock = threading.Lock()

    def learn(self, caller: str, ids: Sequence[str], channel_id: str, key_id: str) -> None:
        """An answer to `caller` gave these."""
        knower, until_s = Knower(channel_id, key_id), time.monotonic() + self.ttl_s
        with self._lock:
            for id in ids:
                name = _name_of(caller, id)
                self._known.pop(name, None)
                self._known[name] = (knower, until_s)
                self._unstored[name] = knower
            for memory, most in ((self._known, MAX_KEPT), (self._unstored, MAX_UNSTORED)):
                while len(memory) > most:
                    del memory[next(iter(memory))]
        self.wake()

    def find(self, caller: str, ids: Sequence[str]) -> Knower | None:
        """Who knows the first of these that anybody knows. May ask Redis; while that is away they are unknown."""
        names = [_name_of(caller, id) for id in ids]
        now_s = time.monotonic()
        for name in names:
            known = self._known.get(name)
            if known is not None and known[1] > now_s:
                return known[0]
        if now_s < self._away_until_s:
            return None
        try:
            found: Any = self._redis.mget([GIVEN_ID + name for name in names])
        except RedisError:
            self._away_until_s = time.monotonic() + AWAY_S
            return None
        stored = next(filter(None, found), None)
        if stored is None:
            return None
        channel_id, _, key_id = stored.decode().partition(" ")
        return Knower(channel_id, key_id)

    def take_unstored(self, most: int) -> dict[str, Knower]:
        with self._lock:
            names = list(self._unstored)[:most]
            return {name: self._unstored.pop(name) for name in names}

    def give_back(self, unstored: dict[str, Knower]) -> None:
        """They could not be stored."""
        with self._lock:
            self._unstored = {**unstored, **self._unstored}


def _name_of(caller: str, id: str) -> str:
    """Nobody finds an id that was given to another."""
    return blake2b(f"{caller}\0{id}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
