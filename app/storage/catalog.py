"""What the operator SAID: loads, changes and watches the Snapshot.

A change is one script in Redis: entry, version and the word to all processes. Each process hears it at once;
and because somebody may write the hash by hand, each also compares it every few seconds.
The Snapshot is replaced by one assignment, so the request path reads it without a lock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping as MappingOf

from app.core.model import Snapshot
from app.core.routing import build_snapshot, parse_mapping
from app.storage.connections import MAPPINGS, MAPPINGS_UPDATES, MAPPINGS_VERSION, Redis, RedisError

POLL_S = 4.0
RETRY_S = 1.0

log = logging.getLogger(__name__)

# KEYS: mappings, version, updates. ARGV: the message, then what the script's own lines say.
_TELL = "redis.call('INCR', KEYS[2]) redis.call('PUBLISH', KEYS[3], ARGV[1]) return 1"
_ADD = "if redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 0 then return 0 end " + _TELL
_UPDATE = (
    "if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 0 end redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) "
    + _TELL
)
_DELETE = "if redis.call('HDEL', KEYS[1], ARGV[2]) == 0 then return 0 end " + _TELL


class MappingExists(ValueError):
    """There is a mapping for this prefix already."""


class MappingNotFound(ValueError):
    """There is no mapping for this prefix."""


class Catalog:
    """The process's view of the operator's word. Threads of the watch are greenlets where gevent has patched them."""

    def __init__(self, client: Redis) -> None:
        self.snapshot = Snapshot()
        self._redis = client
        self._stored: MappingOf[bytes, bytes] | None = None
        self._load_lock = threading.Lock()
        self._stopped = threading.Event()

    # --- reading ---

    def start(self) -> None:
        """Loads the Snapshot and begins to watch. Raises RedisError when Redis is away."""
        self.load()
        for watch in (self._listen, self._poll):
            threading.Thread(target=watch, name=watch.__name__, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def load(self) -> Snapshot:
        """Reads what is stored and makes it the Snapshot. Raises RedisError; the old Snapshot then stays."""
        with self._load_lock:  # an older reading must not overtake a newer one
            pipe = self._redis.pipeline()
            pipe.hgetall(MAPPINGS)
            pipe.get(MAPPINGS_VERSION)
            stored, version = pipe.execute()
            number = int(version) if version and version.isdigit() else 0
            if stored != self._stored or number != self.snapshot.version:
                self._stored = stored
                self.snapshot = build_snapshot(_decode(stored), number)
                for prefix, reason in self.snapshot.rejected.items():
                    log.warning("mapping %r is left out: %s", prefix, reason)
            return self.snapshot

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as updates:  # type: ignore[no-untyped-call]
                    updates.subscribe(MAPPINGS_UPDATES)
                    self.load()  # what changed while nobody listened
                    while not self._stopped.is_set():
                        if updates.get_message(timeout=POLL_S) is not None:
                            self.load()
            except RedisError:
                self._stopped.wait(RETRY_S)

    def _poll(self) -> None:
        away_since_s = None
        while not self._stopped.wait(POLL_S):
            try:
                self.load()
            except RedisError as error:
                if away_since_s is None:
                    away_since_s = time.monotonic()
                    log.warning("Redis does not answer (%s); the mappings last known go on serving", error)
            else:
                if away_since_s is not None:
                    log.warning("Redis answers again after %.0f s", time.monotonic() - away_since_s)
                    away_since_s = None

    # --- changing ---

    def add_mapping(self, prefix: str, target: str) -> None:
        """Raises InvalidMapping, MappingExists, RedisError."""
        parse_mapping(prefix, target)
        if not self._change(_ADD, "mapping_added", prefix, target):
            raise MappingExists(f"mapping already exists for prefix: {prefix}")

    def update_mapping(self, prefix: str, target: str) -> None:
        """Raises InvalidMapping, MappingNotFound, RedisError."""
        parse_mapping(prefix, target)
        if not self._change(_UPDATE, "mapping_updated", prefix, target):
            raise MappingNotFound(f"mapping not found for prefix: {prefix}")

    def delete_mapping(self, prefix: str) -> None:
        """Raises MappingNotFound, RedisError."""
        if not self._change(_DELETE, "mapping_deleted", prefix):
            raise MappingNotFound(f"mapping not found for prefix: {prefix}")

    def _change(self, script: str, *arguments: str) -> bool:
        changed = bool(self._redis.eval(script, 3, MAPPINGS, MAPPINGS_VERSION, MAPPINGS_UPDATES, *arguments))
        if changed:
            self.load()
        return changed


def _decode(stored: MappingOf[bytes, bytes]) -> dict[str, str]:
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in stored.items()}
