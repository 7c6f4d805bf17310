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

import orjson

from app.core.model import Snapshot
from app.core.routing import Stored, build_snapshot, parse_mapping
from app.core.settings import SETTINGS, Limits, Settings, Value
from app.storage.connections import (
    MAPPINGS,
    MAPPINGS_OPTIONS,
    MAPPINGS_UPDATES,
    MAPPINGS_VERSION,
    SETTINGS_SET,
    Redis,
    RedisError,
    messages,
)

POLL_S = 4.0
RETRY_S = 1.0

log = logging.getLogger(__name__)

# KEYS: mappings, version, updates, options, settings. ARGV: the word to all processes, then the script's own.
_TELL = "redis.call('INCR', KEYS[2]) redis.call('PUBLISH', KEYS[3], ARGV[1]) return 1"
_OPTIONS = """
if ARGV[4] == '{}' then redis.call('HDEL', KEYS[4], ARGV[2])
elseif ARGV[4] ~= '' then redis.call('HSET', KEYS[4], ARGV[2], ARGV[4]) end
"""
_ADD = "if redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 0 then return 0 end" + _OPTIONS + _TELL
_UPDATE = (
    "if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 0 end "
    "if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end" + _OPTIONS + _TELL
)
_DELETE = "redis.call('HDEL', KEYS[4], ARGV[2]) if redis.call('HDEL', KEYS[1], ARGV[2]) == 0 then return 0 end " + _TELL
_SET = (
    """
for i = 2, #ARGV, 2 do
    if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[5], ARGV[i])
    else redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
end
"""
    + _TELL
)


class MappingExists(ValueError):
    """There is a mapping for this prefix already."""


class MappingNotFound(ValueError):
    """There is no mapping for this prefix."""


class Catalog:
    """The process's view of the operator's word. Threads of the watch are greenlets where gevent has patched them."""

    def __init__(self, client: Redis, limits: Limits, settings: Settings) -> None:
        """`limits` and `settings` are the deployment's, over which the operator's stand."""
        self.snapshot = Snapshot(limits=limits, settings=settings)
        self.loaded = False
        """False until what is stored was read for the first time."""
        self._redis = client
        self._limits = limits
        self._settings = settings
        self._stored: Stored | None = None
        self._load_lock = threading.Lock()
        self._stopped = threading.Event()

    # --- reading ---

    def start(self) -> None:
        """Loads the Snapshot and begins to watch. While Redis is away nothing is `loaded`; the watch mends that."""
        try:
            self.load()
        except RedisError as error:
            log.warning("Redis does not answer (%s); nothing can be served until it does", error)
        for watch in (self._listen, self._poll):
            threading.Thread(target=watch, name=watch.__name__, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def load(self) -> Snapshot:
        """Reads what is stored and makes it the Snapshot. Raises RedisError; the old Snapshot then stays."""
        with self._load_lock:  # an older reading must not overtake a newer one
            stored = self._read()
            if stored != self._stored:
                self._stored = stored
                self.snapshot = build_snapshot(stored, self._limits, self._settings)
                for name, reason in self.snapshot.rejected.items():
                    log.warning("%r is left out: %s", name, reason)
            self.loaded = True
            return self.snapshot

    def _read(self) -> Stored:
        pipe = self._redis.pipeline()
        for key in (MAPPINGS, MAPPINGS_OPTIONS, SETTINGS_SET):
            pipe.hgetall(key)
        pipe.get(MAPPINGS_VERSION)
        mappings, options, settings, version = pipe.execute()
        number = int(version) if version and version.isdigit() else 0
        return Stored(number, _decode(mappings), _decode(options), _decode(settings))

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as updates:  # type: ignore[no-untyped-call]
                    updates.subscribe(MAPPINGS_UPDATES)
                    self.load()  # what changed while nobody listened
                    for message in messages(updates):
                        if self._stopped.is_set():
                            return
                        if message is not None:
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
                    log.warning("Redis answers again after %.0f s", max(1, time.monotonic() - away_since_s))
                    away_since_s = None

    # --- changing ---

    def add_mapping(self, prefix: str, target: str, options: dict[str, Value] | None = None) -> None:
        """Raises InvalidMapping, MappingExists, RedisError."""
        parse_mapping(prefix, target)
        if not self._change(_ADD, "mapping_added", prefix, target, _json(options)):
            raise MappingExists(f"mapping already exists for prefix: {prefix}")

    def update_mapping(self, prefix: str, target: str | None = None, options: dict[str, Value] | None = None) -> None:
        """Changes what is given; the rest stays. Raises InvalidMapping, MappingNotFound, RedisError."""
        if target is not None:
            parse_mapping(prefix, target)
        if not self._change(_UPDATE, "mapping_updated", prefix, target or "", _json(options)):
            raise MappingNotFound(f"mapping not found for prefix: {prefix}")

    def delete_mapping(self, prefix: str) -> None:
        """Raises MappingNotFound, RedisError."""
        if not self._change(_DELETE, "mapping_deleted", prefix):
            raise MappingNotFound(f"mapping not found for prefix: {prefix}")

    def change_settings(self, values: dict[str, Value | None]) -> None:
        """Sets the operator's general values; None takes one back. Raises RedisError."""
        arguments: list[str] = []
        for name, value in values.items():
            arguments += name, "" if value is None else SETTINGS[name].kind.written(value)
        self._change(_SET, "settings_updated", *arguments)

    def _change(self, script: str, *arguments: str) -> bool:
        keys = (MAPPINGS, MAPPINGS_VERSION, MAPPINGS_UPDATES, MAPPINGS_OPTIONS, SETTINGS_SET)
        changed = bool(self._redis.eval(script, len(keys), *keys, *arguments))
        if changed:
            self.load()
        return changed


def _json(options: dict[str, Value] | None) -> str:
    """Options as they are stored; an empty text leaves them as they are, `{}` takes them back."""
    return "" if options is None else orjson.dumps(options).decode()


def _decode(stored: MappingOf[bytes, bytes]) -> dict[str, str]:
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in stored.items()}
