"""What the operator SAID: loads, changes and watches the Snapshot.

A change is one script in Redis (`changes.py`): edits, version and the word to all processes. Each process hears it at
once, reads what the word and the versions name, and builds only that anew. Every few seconds it looks at the versions;
and because somebody may write some hashes by hand, it compares those every second time, whole: they are small, a digest
would have to be worked out in Redis, where all others wait for it, and a length does not tell of a changed target.
The Snapshot is replaced by one assignment, so the request path reads it without a lock.
What Redis holds is not always what the operator said (`core/readings.py`): what is known then goes on serving, and what
Redis lost is written back, by whoever notices first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as MappingOf

from app.core.errors import Invalid
from app.core.model import Snapshot
from app.core.readings import Meaning, is_noted, is_stand_in, judge, lost_before, unread
from app.core.settings import Limits, Settings
from app.core.snapshot import MAPPINGS, NOUNS, Noun, Part, Stored, Table, build_snapshot
from app.storage.catalog.changes import ALL, Along, Edit, change
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import MAPPINGS_UPDATES, Redis, RedisError
from app.storage.refusals import answer_of, describe
from app.storage.threads import listen
from app.waiting import Turns

POLL_S = 4.0
TRIES = 3
"""How often a change is begun anew because Redis lost what it is built on."""

log = logging.getLogger(__name__)

REASONS = {
    Meaning.LOST: "Redis lost the {} or a part of them",
    Meaning.OVERLAID: "Redis lost the {}, and others were stored in their place by no operator",
    Meaning.BEHIND: "Redis holds an older state of the {} than this one knows",
}
TAKEN = (Meaning.WORD, Meaning.EMPTIED, Meaning.MISSING)


class Catalog:
    """The process's view of the operator's word. Threads of the watch are greenlets where gevent has patched them."""

    def __init__(self, client: Redis, limits: Limits, settings: Settings, nouns: Sequence[Noun[Part]] = NOUNS) -> None:
        """`limits` and `settings` are the deployment's, over which the operator's stand."""
        self.snapshot = build_snapshot(Stored(0, {}), limits, settings, nouns)
        self.loaded = False
        """False until what is stored was read for the first time."""
        self.on_change: Callable[[Snapshot], object] = lambda snapshot: None
        """Told of each new Snapshot; must not wait."""
        self.on_edits: Callable[[Sequence[Edit], MappingOf[str, Table]], object] = lambda edits, before: None
        """Told of each change that was made here, and of what was stored before; in the greenlet that made it."""
        self.doubt = ""
        """Why the Snapshot is not what Redis holds; empty when it is."""
        self.refused = ""
        """How Redis refused what was last written, to follow its name; empty when it did not, or does not answer."""
        self._redis = client
        self._limits = limits
        self._settings = settings
        self._nouns = {noun.name: noun for noun in nouns}
        self._by_hand = [noun.name for noun in nouns if noun.by_hand]
        self._tables_by_hand = {table for noun in nouns if noun.by_hand for table in noun.tables}
        self._tables = [table for noun in nouns for table in noun.tables]
        self._store = StoredCatalog(client, self._tables)
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

    def in_hand(self) -> Snapshot:
        """The Snapshot as it is known here; read only while nothing ever was. Then it raises RedisError."""
        return self.snapshot if self.loaded else self.load()

    def table(self, name: str) -> Table:
        """What is stored under a name of `Noun.tables`, as it is known here."""
        return self._stored.tables.get(name, {}) if self._stored is not None else {}

    def tables(self) -> MappingOf[str, Table]:
        """All that is stored, as it is known here, of one instant."""
        return self._stored.tables if self._stored is not None else {}

    def rejected(self, tables: MappingOf[str, Table]) -> MappingOf[str, Invalid]:
        """What of tables that could be stored makes no sense, by its name, and why."""
        nouns = list(self._nouns.values())
        return build_snapshot(Stored(0, tables), self._limits, self._settings, nouns, None, Turns().passed).rejected

    def load(self) -> Snapshot:
        """Reads all that is stored, what was written by hand too; see `look`."""
        return self.look(self._nouns)

    def look(self, nouns: Iterable[str] = ()) -> Snapshot:
        """Reads the versions, the nouns that they say have changed, and those that are named; and judges it.

        What is the operator's word becomes the Snapshot; what Redis has lost is written back. Raises RedisError; the
        old Snapshot then stays.
        """
        with self._load_lock:  # an older reading must not overtake a newer one
            found, meaning = self._read(nouns)
            if self._stored is not None and meaning in (Meaning.LOST, Meaning.OVERLAID):
                self._write_back(meaning, self._stored, found)
                found, meaning = self._read(self._nouns)
            if meaning is Meaning.EMPTIED and self._note(found):
                found, meaning = self._read(self._nouns)
            if meaning in TAKEN:
                self._take(found)
            else:
                self._doubt(meaning, found)
            self.loaded = True
            return self.snapshot

    def _read(self, nouns: Iterable[str]) -> tuple[Stored, Meaning]:
        """What is stored, and what it means; what need not be read is as it is known."""
        known = self._stored
        wanted = set(nouns) if known is not None else set(self._nouns)
        while True:
            found, there = self._store.read([table for name in wanted for table in self._nouns[name].tables])
            if known is not None:
                changed = unread(known, found, self._nouns)
                found = found._replace(tables={**known.tables, **found.tables})
                if there != sum(map(bool, found.tables.values())):
                    changed = set(self._nouns)  # a table came or went, and nobody said which
                if not changed <= wanted:
                    wanted |= changed
                    continue
            return found, judge(known, found, self._behind, self._tables_by_hand)

    def _write_back(self, meaning: Meaning, known: Stored, found: Stored) -> None:
        try:
            done = self._store.write_back(known, found, gives_way=meaning is Meaning.OVERLAID)
        except RedisError:
            self._doubt(meaning, found)
            raise
        if done:
            counts = ", ".join(f"{len(known.tables[noun.tables[0]])} {name}" for name, noun in self._nouns.items())
            text = "%s (version %d after %d); the last known were written back: %s"
            log.warning(text, self._told(meaning), found.version, known.version, counts)

    def _take(self, found: Stored) -> None:
        self._take_doubt(found)
        if found == self._stored:
            return
        is_empty = not found.tables[MAPPINGS.tables[0]]
        if self._stored is None and found.version and is_empty and not is_noted(found):
            text = "Redis holds no mappings, but version %d of them: either all were deleted, or they are lost"
            log.warning(text, found.version)
        before = (self._stored, self.snapshot) if self._stored is not None else None
        nouns = list(self._nouns.values())
        old, self.snapshot = (
            self.snapshot,
            build_snapshot(found, self._limits, self._settings, nouns, before, Turns().passed),
        )
        self._stored = found
        self.on_change(self.snapshot)
        for noun in nouns:
            part = noun.of(self.snapshot)
            for name, reason in part.rejected.items() if part is not noun.of(old) else ():
                log.warning("%r is left out: %s", name, reason)

    def _note(self, found: Stored) -> bool:
        """Has the version grow after an edit by hand, so that nobody misses what it took; False where Redis refuses."""
        known = self._stored.version if self._stored is not None else 0
        try:
            change(self._redis, self._tables, ALL, "emptied", (), found.version, known)
        except RedisError as error:
            log.warning("Redis %s; what was deleted by hand will be missed", describe(error))
            return False
        return True

    def _take_doubt(self, found: Stored) -> None:
        """What is taken may be all that is left."""
        lost, text = lost_before(found), ""
        if lost:
            names = " and ".join(noun.name for noun in self._nouns.values() if lost & set(noun.tables))
            served = "the default mappings stand in" if is_stand_in(found) else "what is left is served"
            text = f"Redis lost the {names} while no gateway ran (version {found.version}); {served}"
            text += " until the next edit, or a reload, takes it for good"
        if text and text != self.doubt:
            log.warning("%s", text)
        elif self.doubt and not text:
            log.warning("The %s are those that Redis holds, version %d", self._all(), found.version)
        self.doubt, self._behind = text, None

    def _doubt(self, meaning: Meaning, found: Stored) -> None:
        known = self._stored.version if self._stored is not None else 0
        text = f"{self._told(meaning)} (version {found.version} after {known}); those last known go on serving"
        self._behind = found if meaning is Meaning.BEHIND else None
        if not self.doubt:
            log.warning("%s", text)
        self.doubt = text

    def _told(self, meaning: Meaning) -> str:
        return REASONS[meaning].format(self._all())

    def _all(self) -> str:
        return " and ".join(self._nouns)

    def _listen(self) -> None:
        listen(self._redis, MAPPINGS_UPDATES, self._stopped, self.load, lambda message: self.look(self._named(message)))

    def _named(self, message: bytes) -> list[str]:
        """The noun of which a word tells; of any other word all. It may be said by hand, without a new version."""
        head = message.decode("utf-8", "replace").rpartition("_")[0]
        return [name for name, noun in self._nouns.items() if noun.word == head] or list(self._nouns)

    def _poll(self) -> None:
        away_since_s = None
        nouns: Sequence[str] = ()
        while not self._stopped.wait(POLL_S):
            nouns = () if nouns else self._by_hand
            try:
                self.refused = self._store.ask_for_primary()
                self.look(nouns)
            except RedisError as error:
                if away_since_s is None:
                    away_since_s = time.monotonic()
                    log.warning("Redis %s; the %s last known go on serving", describe(error), self._all())
            else:
                if away_since_s is not None:
                    log.warning("Redis answers again after %.0f s", max(1, time.monotonic() - away_since_s))
                    away_since_s = None

    # --- changing ---

    def change(self, noun: Noun[Part] | None, act: str, edits: Sequence[Edit], along: Along | None = None) -> bool:
        """Makes a change of any noun, and tells it to all processes: `<noun's word>_<act>`. None: of several at once.

        False: nothing was done, as there is what an edit adds, or is not what it should find. Raises RedisError.
        """
        if noun is None:
            return self._change(ALL, f"all_{act}", edits, along)
        return self._change(noun.name, f"{noun.word}_{act}", edits, along)

    def reload(self) -> Snapshot:
        """Takes what Redis holds, also when that is older than what is known, or not all, here and in all processes.

        Raises RedisError.
        """
        self.load()
        if self.doubt:
            self._change(ALL, "mappings_accepted", ())
        return self.snapshot

    def _change(self, noun: str, word: str, edits: Sequence[Edit], along: Along | None = None) -> bool:
        """An edit takes what Redis holds, so what Redis lost must be there again before."""
        for _ in range(TRIES):
            self.look()
            known = self._stored.version if self._stored is not None else 0
            before = self.tables()
            built_on = known if self._behind is None else self._behind.version
            try:
                changed = change(self._redis, self._tables, noun, word, edits, built_on, known, along)
            except RedisError as error:
                self.refused = answer_of(error)
                raise
            self.refused = ""
            if changed > 0:
                self.on_edits(edits, before)
                self.look()
            if changed >= 0:
                return bool(changed)
        raise RedisError("it lost the mappings while they were changed")
