"""The keys of all channels as this process knows them: they follow what is changed in Redis.

The operator said them, but they are no part of the Snapshot: there may be very many, and one changes at a time.
A change is heard from the log and costs the same among many keys as among few; who has missed too much reads whole.
All that is long is done in steps, so no call waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.core.channels.keys import KeyCounts
from app.storage.connections import CHANNEL_KEYS_NEWS, Redis, RedisError
from app.storage.keys.form import ALL, Change, KeysLost, Known
from app.storage.keys.pool import KeyPool
from app.storage.keys.stored import StoredKeys
from app.storage.keys.whole import PIECE, all_keys, write_back
from app.storage.refusals import describe
from app.storage.secrets import Secrets
from app.storage.threads import Threads
from app.waiting import Turns

log = logging.getLogger(__name__)

POLL_S = 4.0
MOST_LOSSES = 5
"""So often Redis may lose keys while they are read; then it is asked again later."""
FOREIGN = (
    "%d keys of channel %s are encrypted with another ENCRYPTION_KEY than that of this process, "
    "which goes on with what it read before: give it the same, and restart it"
)


class KeyPools:
    """One for each process: `start` it after any fork. Threads of the watch are greenlets where gevent has patched."""

    def __init__(self, redis_client: Redis, secrets: Secrets, start_index: int | None = None) -> None:
        """`start_index`: at which key of a channel its rounds begin; None: each process begins somewhere else."""
        self.stored = StoredKeys(redis_client, secrets)
        self.loads = 0
        """Grows whenever keys have changed."""
        self.loaded = False
        """False until what is stored was read for the first time."""
        self.on_load: Callable[[KeyPool], object] = lambda pool: None
        """Told of each pool that has changed."""
        self._start_index = start_index
        self._pools: dict[str, KeyPool] = {}
        self._known = Known()
        self._last_id = 0
        self._foreign: set[str] = set()
        """Channels with keys that are encrypted with another key than ours, of which the log has been told."""
        self._load_lock = threading.Lock()
        self._threads = Threads("keys", redis_client, CHANNEL_KEYS_NEWS)

    def of(self, channel_id: str) -> KeyPool:
        """An empty pool where the channel has no keys."""
        pool = self._pools.get(channel_id)
        return pool if pool is not None else self._pools.setdefault(channel_id, self._new(channel_id))

    def all(self) -> list[KeyPool]:
        """Of all channels that have keys."""
        return list(self._pools.values())

    def counts(self) -> KeyCounts:
        """Of all channels together."""
        counted = [pool.counts for pool in list(self._pools.values())]
        return KeyCounts(*map(sum, zip(*counted, strict=True))) if counted else KeyCounts()

    def out_of_line(self) -> int:
        """Keys of all channels that are stored otherwise than ENCRYPTION_KEY says."""
        return sum(pool.out_of_line for pool in list(self._pools.values()))

    def start(self) -> None:
        """Reads all keys and begins to watch. Does not fail when Redis is away; the watch mends that."""
        try:
            self.load()
        except RedisError as error:
            log.warning("Redis %s; channels have no keys until it answers", describe(error))
        self._open_one()
        self._threads.start(self._listen, self._poll)

    def _open_one(self) -> None:
        """What opens keys is loaded now, and not by the first call, which would hold up others for 10 ms."""
        for pool in self._pools.values():
            if (place := pool.marks().find(1)) >= 0:
                pool.key_at(place)
                return

    def stop(self) -> None:
        self._threads.stop()

    def load(self) -> Known:
        """Follows what changed until now; what Redis has lost is written back. What is known then.

        Raises RedisError.
        """
        with self._load_lock:
            turns, losses = Turns(), 0
            target: int | None = None
            while not self.loaded or target is None or self._known.version < target:
                try:
                    target = self._go_on(target, turns)
                except KeysLost:  # the next look finds that, and writes them back
                    losses += 1
                    if losses == MOST_LOSSES:
                        raise
            return self._known

    def _go_on(self, target: int | None, turns: Turns) -> int | None:
        """One step towards the version `target`, which it tells; None: it is yet to be asked for."""
        news = self.stored.since(self._known, PIECE) if self.loaded else None
        if news is None or news.changes is None:
            self._read(turns)
            return None  # what changed while it was read is followed, too
        changes = news.changes
        self._known = self._known._replace(history=news.now.history)
        for channel_id in dict.fromkeys(change.channel_id for change in changes):
            self._follow(channel_id, [one for one in changes if one.channel_id == channel_id], turns)
        self._known = self._known._replace(version=self._known.version + len(changes))
        turns.passed()
        return news.now.version if target is None else target

    def _follow(self, channel_id: str, changes: list[Change], turns: Turns) -> None:
        self.stored.secrets.prepare()
        pool, version = self.of(channel_id), changes[-1].version
        relied_on = self._known._replace(version=version)
        ids = list(dict.fromkeys(change.key_id for change in changes))
        if ALL in ids or pool.is_sparse:
            whole = self.stored.version_of(channel_id) if ALL in ids else version
            self._read_channel(channel_id, whole, relied_on, turns)
            if ALL in ids and not len(self.of(channel_id)):
                del self._pools[channel_id]
            return
        known = {key.id: key for key in self.stored.read(channel_id, relied_on, ids)}
        now_ms = _now_ms()
        for id in ids:
            if id in known:
                pool.put(known[id], now_ms)
            else:
                pool.remove(id)
        pool.version = version
        self._last_id = max(self._last_id, *ids)
        self._changed(pool)

    def _read(self, turns: Turns) -> None:
        """All that is not known as it is now."""
        self.stored.note_encryption()
        turns.passed()
        look = self.stored.look()
        if self.loaded and self._known.is_lost_in(look.known):
            pools, version = list(self._pools.values()), self._known.version
            history = write_back(self.stored, pools, look, version, self._last_id, turns)
            look = self.stored.look()
            if Known(version, history).is_lost_in(look.known):
                raise KeysLost
        for channel_id in [channel_id for channel_id in self._pools if channel_id not in look.versions]:
            del self._pools[channel_id]
            self.loads += 1
        is_other = look.known.history != self._known.history  # whose versions say nothing of ours
        for channel_id, version in look.versions.items():
            if is_other or version != self.of(channel_id).version:
                self._read_channel(channel_id, version, look.known, turns)
        self._known, self._last_id, self.loaded = look.known, max(self._last_id, look.last_id), True

    def _read_channel(self, channel_id: str, version: int, known: Known, turns: Turns) -> None:
        """`version`: that of the channel."""
        self.stored.secrets.prepare()
        pool = self.of(channel_id)
        successor = pool.begin_successor()
        for keys in all_keys(self.stored, channel_id, known, turns):
            now_ms = _now_ms()
            for key in keys:
                successor.put(key, now_ms)
        successor.version = version
        pool.hand_over()
        self._pools[channel_id] = successor
        self._changed(successor)

    def _changed(self, pool: KeyPool) -> None:
        self.loads += 1
        if pool.foreign and pool.channel_id not in self._foreign:
            log.error(FOREIGN, pool.foreign, pool.channel_id)
        (self._foreign.add if pool.foreign else self._foreign.discard)(pool.channel_id)
        self.on_load(pool)

    def _new(self, channel_id: str) -> KeyPool:
        return KeyPool(channel_id, self.stored.secrets, self._start_index)

    def _listen(self) -> None:
        self._threads.listen(self.load, lambda message: self.load())

    def _poll(self) -> None:
        while not self._threads.stopping.wait(POLL_S):
            try:
                self.load()
            except RedisError:
                pass  # the watch of the catalogue says so


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
