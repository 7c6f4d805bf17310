"""What the operator SAID: loads, changes and watches the Snapshot.

A change is one script in Redis: entry, version and the word to all processes. Each process hears it at once;
and because somebody may write the hash by hand, each also compares it every few seconds.
The Snapshot is replaced by one assignment, so the request path reads it without a lock.
What Redis holds is not always what the operator said (`core/readings.py`): what is known then goes on serving, and what
Redis lost is written back, by whoever notices first.
"""

from __future__ import annotations

import logging
import threading
import time

import orjson

from app.core.model import Snapshot
from app.core.readings import Meaning, judge
from app.core.routing import Stored, build_snapshot, check_spelling, parse_mapping
from app.core.settings import SETTINGS, Limits, Settings, Value
from app.storage.connections import MAPPINGS_UPDATES, Redis, RedisError, messages
from app.storage.refusals import describe
from app.storage.stored_catalog import ACCEPT, ADD, DELETE, SET, UPDATE, StoredCatalog

POLL_S = 4.0
RETRY_S = 1.0
TRIES = 3
"""How often a change is begun anew because Redis lost what it is built on."""

log = logging.getLogger(__name__)

REASONS = {
    Meaning.LOST: "Redis lost the mappings or a part of them",
    Meaning.OVERLAID: "Redis lost the mappings, and others were stored in their place by no operator",
    Meaning.BEHIND: "Redis holds an older state of the mappings than this one knows",
}


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
        self.doubt = ""
        """Why the Snapshot is not what Redis holds; empty when it is."""
        self._redis = client
        self._limits = limits
        self._settings = settings
        self._store = StoredCatalog(client)
        self._stored: Stored | None = None
        self._behind: Stored | None = None
        """What Redis holds, when that is older."""
        self._load_lock = threading.Lock()
        self._stopped = threading.Event()

    # --- reading ---

    def start(self) -> None:
        """Loads the Snapshot and begins to watch. While Redis is away nothing is `loaded`; the watch mends that."""
        try:
            self.load()
        except RedisError as error:
            log.warning("Redis %s; nothing can be served until it answers", describe(error))
        for watch in (self._listen, self._poll):
            threading.Thread(target=watch, name=watch.__name__, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def load(self) -> Snapshot:
        """Reads what is stored and, where it is the operator's word, makes it the Snapshot.

        What Redis has lost is written back. Raises RedisError; the old Snapshot then stays.
        """
        with self._load_lock:  # an older reading must not overtake a newer one
            found = self._store.read()
            meaning = judge(self._stored, found, self._behind)
            if self._stored is not None and meaning in (Meaning.LOST, Meaning.OVERLAID):
                self._write_back(meaning, self._stored, found)
                found = self._store.read()
                meaning = judge(self._stored, found, self._behind)
            if meaning is Meaning.WORD:
                self._take(found)
            else:
                self._doubt(meaning, found)
            self.loaded = True
            return self.snapshot

    def _write_back(self, meaning: Meaning, known: Stored, found: Stored) -> None:
        try:
            done = self._store.write_back(known, found, gives_way=meaning is Meaning.OVERLAID)
        except RedisError:
            self._doubt(meaning, found)
            raise
        if done:
            text = "%s (version %d after %d); the %d last known were written back"
            log.warning(text, REASONS[meaning], found.version, known.version, len(known.mappings))

    def _take(self, found: Stored) -> None:
        if self.doubt:
            log.warning("The mappings are those that Redis holds again, version %d", found.version)
        self.doubt, self._behind = "", None
        if found == self._stored:
            return
        if self._stored is None and found.version and not found.mappings:
            text = "Redis holds no mappings, but version %d of them: either all were deleted, or they are lost"
            log.warning(text, found.version)
        self._stored = found
        self.snapshot = build_snapshot(found, self._limits, self._settings)
        for name, reason in self.snapshot.rejected.items():
            log.warning("%r is left out: %s", name, reason)

    def _doubt(self, meaning: Meaning, found: Stored) -> None:
        known = self._stored.version if self._stored is not None else 0
        text = f"{REASONS[meaning]} (version {found.version} after {known})"
        self._behind = found if meaning is Meaning.BEHIND else None
        if not self.doubt:
            log.warning("%s; those last known go on serving", text)
        self.doubt = text

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
                self._store.ask_for_primary()
                self.load()
            except RedisError as error:
                if away_since_s is None:
                    away_since_s = time.monotonic()
                    log.warning("Redis %s; the mappings last known go on serving", describe(error))
            else:
                if away_since_s is not None:
                    log.warning("Redis answers again after %.0f s", max(1, time.monotonic() - away_since_s))
                    away_since_s = None

    # --- changing ---

    def add_mapping(self, prefix: str, target: str, options: dict[str, Value] | None = None) -> None:
        """Raises InvalidMapping, MappingExists, RedisError."""
        parse_mapping(prefix, target)
        check_spelling(prefix, self.snapshot.routes)
        if not self._change(ADD, "mapping_added", prefix, target, _json(options)):
            raise MappingExists(f"mapping already exists for prefix: {prefix}")

    def update_mapping(self, prefix: str, target: str | None = None, options: dict[str, Value] | None = None) -> None:
        """Changes what is given; the rest stays. Raises InvalidMapping, MappingNotFound, RedisError."""
        if target is not None:
            parse_mapping(prefix, target)
        if not self._change(UPDATE, "mapping_updated", prefix, target or "", _json(options)):
            raise MappingNotFound(f"mapping not found for prefix: {prefix}")

    def delete_mapping(self, prefix: str) -> None:
        """Raises MappingNotFound, RedisError."""
        if not self._change(DELETE, "mapping_deleted", prefix):
            raise MappingNotFound(f"mapping not found for prefix: {prefix}")

    def change_settings(self, values: dict[str, Value | None]) -> None:
        """Sets the operator's general values; None takes one back. Raises RedisError."""
        arguments: list[str] = []
        for name, value in values.items():
            arguments += name, "" if value is None else SETTINGS[name].kind.written(value)
        self._change(SET, "settings_updated", *arguments)

    def reload(self) -> Snapshot:
        """Takes what Redis holds, also when that is older than what is known, here and in all processes.

        Raises RedisError.
        """
        self.load()
        if self._behind is not None:
            self._change(ACCEPT, "mappings_accepted")
        return self.snapshot

    def _change(self, script: str, word: str, *arguments: str) -> bool:
        """An edit takes what Redis holds, so what Redis lost must be there again before."""
        for _ in range(TRIES):
            self.load()
            known = self._stored.version if self._stored is not None else 0
            built_on = known if self._behind is None else self._behind.version
            changed = self._store.change(script, word, built_on, known, *arguments)
            if changed > 0:
                self.load()
            if changed >= 0:
                return bool(changed)
        raise RedisError("it lost the mappings while they were changed")


def _json(options: dict[str, Value] | None) -> str:
    """Options as they are stored; an empty text leaves them as they are, `{}` takes them back."""
    return "" if options is None else orjson.dumps(options).decode()
