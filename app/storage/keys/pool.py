"""The keys of one channel as a process knows them, chosen without asking anybody.

A pool holds no object for a key: its secret lies among those of all others in one text, its state is a byte in a row.
So the next fit key is found by a search for a byte, which passes over tens of thousands of others in a microsecond.
Keys that are kept for the same models are of one class; the byte of a fit key is its class, that of any other is 0.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from random import randrange
from typing import Final, NamedTuple

from app.core.channels.keys import Key, KeyCounts, KeyState, StoredKey
from app.core.choosing.standing import Keys
from app.core.judging.troubles import NONE, Trouble

SEQUENTIAL: Final = "sequential"
_STATES: Final = tuple(KeyState)
_ACTIVE: Final = _STATES.index(KeyState.ACTIVE)
_RESTING: Final = _STATES.index(KeyState.RESTING)
_BLACKLISTED: Final = _STATES.index(KeyState.BLACKLISTED)
_DISABLED: Final = _STATES.index(KeyState.DISABLED)
_FOR_ALL: Final = 1
"""The class of keys that are kept for no model."""
_MIXED: Final = 255
"""The class of all keys whose models no class was left for; theirs are looked up."""
_REMEMBERED: Final = 1000
"""Sets of models whose classes are remembered. They come from callers."""


class _Said(NamedTuple):
    """What the operator said of a key beside its secret; most keys have none."""

    note: str
    models: tuple[str, ...]
    enabled: bool


class _Backs(NamedTuple):
    """Of the keys that rest; 0 and -1: there is none."""

    first_ms: int
    """When the first is back."""
    first_guessed_ms: int
    """The same of those whose rest we guessed."""
    guessed_place: int
    """Which of them that is."""


class KeyPool:
    """The keys of one channel. What is asked on a call's path is at hand as a number."""

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        self.version = 0
        """That of what was read last."""
        self.ids = array("Q")
        """Ascending, so in the order in which they were added."""
        self._ends = array("I")
        self._secrets = b""
        self._said: dict[int, _Said] = {}
        self._troubles: dict[int, Trouble] = {}
        """Of the keys that have any, by id."""
        self._states = bytearray()
        self._classes = bytearray()
        self._fit = bytearray()
        """At each key's place its class while it is fit, else 0."""
        self._models: list[frozenset[str]] = []
        """By class."""
        self._counts = [0] * len(_STATES)
        self._fit_count: dict[int, int] = {}
        self._usable_count: dict[int, int] = {}
        """By class."""
        self._classes_for: dict[tuple[str, ...], bytes] = {}
        self._backs_for: dict[tuple[str, ...], _Backs] = {}
        self._keys_for: dict[tuple[str, ...], Keys] = {}
        """Both by models, as long as no trouble changes."""
        self._cursors: dict[bytes, int] = {}
        self._returns: list[tuple[int, int]] = []
        """A heap of when and who; what is no longer so is passed over."""

    # --- what is told ---

    @property
    def counts(self) -> KeyCounts:
        return KeyCounts(len(self.ids), *self._counts)

    def keys(self, models: tuple[str, ...]) -> Keys:
        """How many may be used for a model, by any of its names."""
        known = self._keys_for.get(models)
        if known is not None:
            return known
        if len(self._keys_for) >= _REMEMBERED:
            self._keys_for.clear()
        found = self._keys_for[models] = self._count(models)
        return found

    def _count(self, models: tuple[str, ...]) -> Keys:
        fit = usable = 0
        for one in self._classes_of(models):
            fit += self._fit_count.get(one, 0)
            usable += self._usable_count.get(one, 0)
        if fit or not usable:
            return Keys(fit, usable)
        backs = self._backs(models)
        return Keys(fit, usable, backs.first_ms, backs.first_guessed_ms)

    def first_back(self, models: tuple[str, ...]) -> Key | None:
        """Of those that rest the first to be back, for a call that nobody else can serve; none whose rest was told."""
        place = self._backs(models).guessed_place
        return Key(str(self.ids[place]), self.secret_at(place)) if place >= 0 else None

    def _backs(self, models: tuple[str, ...]) -> _Backs:
        backs = self._backs_for.get(models)
        if backs is None:
            if len(self._backs_for) >= _REMEMBERED:
                self._backs_for.clear()
            backs = self._backs_for[models] = self._find_backs(models)
        return backs

    def _find_backs(self, models: tuple[str, ...]) -> _Backs:
        """It looks at all that rest."""
        classes = self._classes_of(models)
        first_ms = guessed_ms = 0
        guessed_place = -1
        for id, trouble in self._troubles.items():
            place = self.place_of(id)
            if place < 0 or self._states[place] != _RESTING or not self._serves(place, classes, models):
                continue
            until_ms = trouble.until_ms
            first_ms = min(first_ms or until_ms, until_ms)
            if not trouble.is_told() and (guessed_place < 0 or until_ms < guessed_ms):
                guessed_ms, guessed_place = until_ms, place
        return _Backs(first_ms, guessed_ms, guessed_place)

    def place_of(self, id: int) -> int:
        """-1 where there is no such key."""
        place = bisect_left(self.ids, id)
        return place if place < len(self.ids) and self.ids[place] == id else -1

    def secret_at(self, place: int) -> str:
        begin = self._ends[place - 1] if place else 0
        return self._secrets[begin : self._ends[place]].decode()

    def stored_at(self, place: int) -> StoredKey:
        id = self.ids[place]
        said = self._said.get(id)
        return StoredKey(id, self.secret_at(place), *said) if said else StoredKey(id, self.secret_at(place))

    def state_at(self, place: int) -> KeyState:
        return _STATES[self._states[place]]

    def trouble_of(self, id: int) -> Trouble:
        return self._troubles.get(id, NONE)

    # --- choosing ---

    def turn(self, strategy: str, models: tuple[str, ...] = (), first: str = "") -> Turn:
        """For one call. The key with the id `first` goes first if it is fit, as affinity wants."""
        return Turn(self, strategy == SEQUENTIAL, models, first)

    def next_fit(self, sequential: bool, models: tuple[str, ...], tried: list[int]) -> int:
        """Its place; -1: there is none that was not tried. Round robin goes on behind it next time."""
        classes = self._classes_of(models)
        start = 0 if sequential else self._cursor(classes)
        for _ in range(len(tried) + 1):
            place = self._seek(classes, models, start)
            if place < 0:
                return -1
            start = place + 1
            if self.ids[place] not in tried:
                self._cursors[classes] = start
                return place
        return -1

    def is_fit_for(self, place: int, models: tuple[str, ...]) -> bool:
        return bool(self._fit[place]) and self._serves(place, self._classes_of(models), models)

    def _seek(self, classes: bytes, models: tuple[str, ...], start: int) -> int:
        """The first fit place from `start` on, round the end; -1: there is none."""
        if len(classes) == 1:
            place = self._fit.find(classes, start)
            return place if place >= 0 else self._fit.find(classes, 0, start)
        for begin, end in ((start, len(self._fit)), (0, start)):
            found = [self._find(one, models, begin, end) for one in classes if self._fit_count.get(one)]
            places = [place for place in found if place >= 0]
            if places:
                return min(places)
        return -1

    def _find(self, one: int, models: tuple[str, ...], begin: int, end: int) -> int:
        place = self._fit.find(one, begin, end)
        while one == _MIXED and place >= 0 and not self._names_one(place, models):
            place = self._fit.find(one, place + 1, end)
        return place

    def _serves(self, place: int, classes: bytes, models: tuple[str, ...]) -> bool:
        one = self._classes[place]
        return one in classes and (one != _MIXED or self._names_one(place, models))

    def _names_one(self, place: int, models: tuple[str, ...]) -> bool:
        return not set(models).isdisjoint(self._said[self.ids[place]].models)

    def _classes_of(self, models: tuple[str, ...]) -> bytes:
        classes = self._classes_for.get(models)
        if classes is None:
            if len(self._classes_for) >= _REMEMBERED:
                self._classes_for.clear()
            named = [one for one in range(_FOR_ALL + 1, len(self._models)) if not self._models[one].isdisjoint(models)]
            mixed = [_MIXED] if _MIXED in self._usable_count else []
            classes = self._classes_for[models] = bytes([_FOR_ALL, *named, *mixed])
        return classes

    def _cursor(self, classes: bytes) -> int:
        """Where the round stands; each process begins somewhere else."""
        cursor = self._cursors.get(classes)
        if cursor is None:
            cursor = self._cursors[classes] = randrange(len(self.ids)) if self.ids else 0
        return cursor

    # --- what changes ---

    def set_trouble(self, id: int, trouble: Trouble, now_ms: int) -> bool:
        """True when its state is another one now."""
        self._forget_counts()
        if trouble == NONE:
            self._troubles.pop(id, None)
        else:
            self._troubles[id] = trouble
        place = self.place_of(id)
        return place >= 0 and self._judge(place, now_ms)

    def settle(self, now_ms: int) -> bool:
        """Brings back who has rested long enough. True when somebody came."""
        came = False
        while self._returns and self._returns[0][0] <= now_ms:
            place = self.place_of(heapq.heappop(self._returns)[1])
            came |= place >= 0 and self._judge(place, now_ms)
        return came

    @property
    def next_return_ms(self) -> int:
        """When to settle next; 0: nobody rests."""
        return self._returns[0][0] if self._returns else 0

    def _judge(self, place: int, now_ms: int) -> bool:
        id, old = self.ids[place], self._states[place]
        trouble, said = self._troubles.get(id, NONE), self._said.get(id)
        if said is not None and not said.enabled:
            state = _DISABLED
        elif trouble.blacklisted_ms:
            state = _BLACKLISTED
        else:
            state = _RESTING if trouble.until_ms > now_ms else _ACTIVE
        if state == _RESTING:
            heapq.heappush(self._returns, (trouble.until_ms, id))
        if state == old:
            return False
        one = self._classes[place]
        self._states[place] = state
        self._counts[old] -= 1
        self._counts[state] += 1
        self._fit_count[one] += (state == _ACTIVE) - (old == _ACTIVE)
        self._usable_count[one] += (state <= _RESTING) - (old <= _RESTING)
        self._fit[place] = one if state == _ACTIVE else 0
        self._forget_counts()
        return True

    def _forget_counts(self) -> None:
        self._backs_for.clear()
        self._keys_for.clear()

    def load(self, keys: Iterable[StoredKey], version: int, now_ms: int) -> None:
        """Takes what is stored; `keys` by ascending ids. Troubles stay with those who still are there."""
        at = {classes: self.ids[cursor - 1] for classes, cursor in self._cursors.items() if 0 < cursor <= len(self.ids)}
        ids, ends, secrets, end = array("Q"), array("I"), [], 0
        self._said = {}
        for key in keys:
            secret = key.secret.encode()
            end += len(secret)
            ids.append(key.id)
            ends.append(end)
            secrets.append(secret)
            if key[2:] != ("", (), True):
                self._said[key.id] = _Said(*key[2:])
        self.ids, self._ends, self._secrets = ids, ends, b"".join(secrets)
        self.version = version
        self._classify()
        self._cursors = {classes: bisect_left(ids, id + 1) for classes, id in at.items()}
        for id in [id for id in self._troubles if self.place_of(id) < 0]:
            del self._troubles[id]
        self._returns = []
        for id in {*self._said, *self._troubles}:
            if (place := self.place_of(id)) >= 0:
                self._judge(place, now_ms)

    def _classify(self) -> None:
        """Everybody's class; all are fit until they are judged."""
        self._models = [frozenset(), frozenset()]
        classes: dict[frozenset[str], int] = {self._models[_FOR_ALL]: _FOR_ALL}
        self._classes = bytearray([_FOR_ALL]) * len(self.ids)
        for id, said in self._said.items():
            models = frozenset(said.models)
            if models not in classes and len(self._models) < _MIXED:
                classes[models] = len(self._models)
                self._models.append(models)
            self._classes[self.place_of(id)] = classes.get(models, _MIXED)
        self._fit = bytearray(self._classes)
        self._states = bytearray(len(self.ids))
        self._fit_count = {one: self._classes.count(one) for one in set(self._classes)}
        self._usable_count = dict(self._fit_count)
        self._counts = [len(self.ids), 0, 0, 0]
        self._classes_for.clear()
        self._forget_counts()


class Turn:
    """The keys of a channel for one call: each at most once."""

    __slots__ = ("_first", "_models", "_pool", "_sequential", "_tried")

    def __init__(self, pool: KeyPool, sequential: bool, models: tuple[str, ...], first: str) -> None:
        self._pool = pool
        self._sequential = sequential
        self._models = models
        self._first = first
        self._tried: list[int] = []

    def next(self) -> Key | None:
        """The next fit key; None when there is none that this call has not had."""
        pool = self._pool
        place = -1
        if self._first:
            wanted = pool.place_of(int(self._first)) if self._first.isdecimal() else -1
            place = wanted if wanted >= 0 and pool.is_fit_for(wanted, self._models) else -1
            self._first = ""
        if place < 0:
            place = pool.next_fit(self._sequential, self._models, self._tried)
        if place < 0:
            return None
        self._tried.append(pool.ids[place])
        return Key(str(pool.ids[place]), pool.secret_at(place))
