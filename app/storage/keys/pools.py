"""The keys of all channels as this process knows them: read from Redis when they changed, and written back when lost.

The operator said them, but they are no part of the Snapshot: there may be very many, and one changes at a time.
What Redis lost, those write back who know more: a process that serves keys is right until a newer word is heard.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from app.core.channels.keys import KeyCounts, StoredKey
from app.storage.connections import CHANNEL_KEYS_NEWS, Redis, RedisError
from app.storage.keys.pool import KeyPool
from app.storage.keys.stored import Look, StoredKeys
from app.storage.refusals import describe
from app.storage.threads import Threads

log = logging.getLogger(__name__)

POLL_S = 4.0


class KeyPools:
    """One for each process: `start` it after any fork. Threads of the watch are greenlets where gevent has patched."""

    def __init__(self, redis_client: Redis) -> None:
        self.stored = StoredKeys(redis_client)
        self.loads = 0
        """Grows whenever keys were read anew."""
        self.loaded = False
        """False until what is stored was read for the first time."""
        self.on_load: Callable[[KeyPool], object] = lambda pool: None
        """Told of each pool that was read anew."""
        self._redis = redis_client
        self._pools: dict[str, KeyPool] = {}
        self._version = 0
        self._last_id = 0
        self._load_lock = threading.Lock()
        self._threads = Threads("keys", redis_client, CHANNEL_KEYS_NEWS)

    def of(self, channel_id: str) -> KeyPool:
        """An empty pool where the channel has no keys."""
        pool = self._pools.get(channel_id)
        return pool if pool is not None else self._pools.setdefault(channel_id, KeyPool(channel_id))

    def counts(self) -> KeyCounts:
        """Of all channels together."""
        counted = [pool.counts for pool in list(self._pools.values())]
        return KeyCounts(*map(sum, zip(*counted, strict=True))) if counted else KeyCounts()

    def start(self) -> None:
        """Reads all keys and begins to watch. Does not fail when Redis is away; the watch mends that."""
        try:
            self.load()
        except RedisError as error:
            log.warning("Redis %s; channels have no keys until it answers", describe(error))
        self._threads.start(self._listen, self._poll)

    def stop(self) -> None:
        self._threads.stop()

    def load(self) -> int:
        """Reads what changed; what Redis has lost is written back. The version that is known now. Raises RedisError."""
        with self._load_lock:
            if self.loaded and self.stored.version() == self._version:
                return self._version
            look = self.stored.look()
            if look.version < self._version:
                self._write_back(look)
                look = self.stored.look()
            for channel_id, pool in list(self._pools.items()):
                if channel_id not in look.versions and len(pool.ids):
                    self._take(pool, [], 0)
            for channel_id, version in look.versions.items():
                pool = self.of(channel_id)
                if version != pool.version:
                    found, keys = self.stored.read(channel_id)
                    self._take(pool, keys, found)
            self._version, self._last_id, self.loaded = look.version, max(self._last_id, look.last_id), True
            for channel_id in [id for id, pool in self._pools.items() if id not in look.versions and not len(pool.ids)]:
                del self._pools[channel_id]
            return self._version

    def _take(self, pool: KeyPool, keys: Iterable[StoredKey], version: int) -> None:
        pool.load(keys, version, int(time.time() * 1000))
        self.on_load(pool)
        self.loads += 1

    def _write_back(self, found: Look) -> None:
        written = 0
        for channel_id, pool in list(self._pools.items()):
            if pool.version and found.versions.get(channel_id, 0) <= pool.version:
                keys = [pool.stored_at(place) for place in range(len(pool.ids))]
                written += len(keys) * self.stored.write_back(channel_id, pool.version, keys)
        if self.stored.end_write_back(self._version, self._last_id):
            text = "Redis lost keys of channels (version %d after %d); what was lost is written back, %d keys by us"
            log.warning(text, found.version, self._version, written)

    def _listen(self) -> None:
        self._threads.listen(self.load, lambda message: self.load())

    def _poll(self) -> None:
        while not self._threads.stopping.wait(POLL_S):
            try:
                self.load()
            except RedisError:
                pass  # the watch of the catalogue says so
