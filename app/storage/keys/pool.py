"""The keys of one channel as a process knows them, chosen without asking anybody.

A pool holds no object for a key: its secret is opened when it is used, its state is a byte in a row, and whatever is
asked of many keys is a count that is kept, the top of a heap, or a search for a byte.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

from app.core.channels.keys import Key, KeyCounts, KeyState, StoredKey
from app.core.choosing.affinity import Ring
from app.core.choosing.standing import Keys
from app.core.judging.troubles import Trouble
from app.storage.keys.parts.classes import MIXED, Classes
from app.storage.keys.parts.rests import Backs, Rests
from app.storage.keys.parts.rounds import Rounds
from app.storage.keys.parts.rows import Rows
from app.storage.keys.parts.untils import BLACKLISTED, Untils, until_of
from app.storage.secrets import CannotOpen, Secrets

SEQUENTIAL: Final = "sequential"
MOST_RETURNS: Final = 1000
"""Keys that come back at once, at most: a call waits for no more."""
_MOST_CLOSED: Final = 10
"""Keys in a row that cannot be opened, after which a call looks no further."""
_STATES: Final = tuple(KeyState)
_ACTIVE: Final = _STATES.index(KeyState.ACTIVE)
_RESTING: Final = _STATES.index(KeyState.RESTING)
_BLACKLISTED: Final = _STATES.index(KeyState.BLACKLISTED)
_DISABLED: Final = _STATES.index(KeyState.DISABLED)
_GONE: Final = len(_STATES)
"""No state: the place of a key that was removed."""
_REMEMBERED: Final = 1000
"""Sets of models of which something is remembered. They come from callers."""


class KeyPool:
    """The keys of one channel. What is asked on a call's path is at hand as a number."""

    def __init__(self, channel_id: str, secrets: Secrets, start_index: int | None = None) -> None:
        """`start_index`: the place at which its rounds begin; None: anywhere."""
        self.channel_id = channel_id
        self.version = 0
        """That of the last change that is known."""
        self.ring = Ring(())
        """By which conversations find their keys."""
        self._secrets = secrets
        self._start_index = start_index
        self._rows = Rows(secrets)
        self._untils = Untils(self._rows)
        self._states = bytearray()
        self._classes = bytearray()
        """Both at each key's place."""
        self._classing = Classes()
        self._rounds = Rounds(self._rows, self._classing, start_index)
        self._counts = [0] * (len(_STATES) + 1)
        self._usable: dict[int, int] = {}
        """How many are active or rest, by class."""
        self._keys_for: dict[tuple[str, ...], Keys] = {}
        """By models, as long as nothing changes."""
        self._rests = Rests()
        self._successor: KeyPool | None = None
        """One that is being filled to take its place."""

    # --- what is told ---

    def __len__(self) -> int:
        return len(self._states) - self._counts[_GONE]

    @property
    def counts(self) -> KeyCounts:
        return KeyCounts(len(self), *self._counts[:_GONE])

    @property
    def is_sparse(self) -> bool:
        """Much of its memory is of no key any more: it should be read anew."""
        return self._rows.is_sparse

    @property
    def out_of_line(self) -> int:
        """Keys that are stored otherwise than ENCRYPTION_KEY says."""
        return self._rows.out_of_line

    @property
    def foreign(self) -> int:
        """Keys whose stored secret nothing in ENCRYPTION_KEY opens. Those that were read before are used still."""
        return self._rows.closed + len(self._rows.kept)

    @property
    def ids(self) -> array[int]:
        """By their places; also of those that were removed."""
        return self._rows.ids

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
        for one in self._classing.serving(models):
            fit += self._rounds.counts.get(one, 0)
            usable += self._usable.get(one, 0)
        if fit or not usable:
            return Keys(fit, usable)
        backs = self._backs(models)
        return Keys(fit, usable, backs.first_ms, backs.first_guessed_ms)

    def place_of(self, id: int) -> int:
        """-1 where there is no such key."""
        place = self._rows.place_of(id)
        return place if place >= 0 and self._states[place] != _GONE else -1

    def number_of(self, id: int) -> int:
        """How many keys stand before this one."""
        return self.marks().count(1, 0, self._rows.place_from(id))

    def is_there(self, place: int) -> bool:
        """False: the key was removed."""
        return self._states[place] != _GONE

    def place_from(self, id: int) -> int:
        """Of the first key with this id or a larger one."""
        return self._rows.place_from(id)

    def marks(self, states: Iterable[KeyState] = ()) -> bytes:
        """At each place 1 where a key is in one of these states, or in any where none is named; else 0."""
        table = bytearray(256)
        for state in tuple(states) or _STATES:
            table[_STATES.index(state)] = 1
        return bytes(self._states.translate(table))

    def secret_at(self, place: int) -> str:
        """Raises CannotOpen."""
        return self._secrets.open(self._rows.sealed_at(place), self.channel_id)

    def stored_at(self, place: int) -> StoredKey:
        return self._rows.stored_at(place)

    def note_at(self, place: int) -> str:
        return self._rows.note_of(self._rows.ids[place])

    def state_at(self, place: int) -> KeyState:
        """Of a place where there is a key."""
        return _STATES[self._states[place]]

    # --- choosing ---

    def turn(self, strategy: str, models: tuple[str, ...] = (), first: str = "") -> Turn:
        """For one call. The key with the id `first` goes first if it is fit, as affinity wants."""
        return Turn(self, strategy == SEQUENTIAL, models, first)

    def next_fit(self, sequential: bool, models: tuple[str, ...], tried: list[int]) -> int:
        """Its place; -1: there is none that was not tried. Round robin goes on behind it next time."""
        return self._rounds.next(sequential, models, tried)

    def is_fit_for(self, place: int, models: tuple[str, ...]) -> bool:
        return self._rounds.is_fit_for(place, models)

    def first_back(self, models: tuple[str, ...]) -> Key | None:
        """Of those that rest the first to be back, for a call that nobody else can serve; none whose rest was told."""
        place = self._backs(models).guessed_place
        return self.key_at(place) if place >= 0 else None

    def key_at(self, place: int) -> Key | None:
        """None where its secret cannot be opened."""
        try:
            return Key(str(self._rows.ids[place]), self.secret_at(place))
        except CannotOpen:
            return None

    # --- who is back first ---

    def _backs(self, models: tuple[str, ...]) -> Backs:
        first_ms = guessed_ms = 0
        guessed_place = -1
        for one in self._classing.serving(models):
            for told in (True, False):
                until_ms, place = self._first_of(one, told, models)
                if place < 0:
                    continue
                first_ms = min(first_ms or until_ms, until_ms)
                if not told and (guessed_place < 0 or until_ms < guessed_ms):
                    guessed_ms, guessed_place = until_ms, place
        return Backs(first_ms, guessed_ms, guessed_place)

    def _first_of(self, one: int, told: bool, models: tuple[str, ...]) -> tuple[int, int]:
        """When the first of a class is back, and its place; -1: none of it rests."""
        if one == MIXED:
            places = [(ms, self._resting_place(ms, id, one, told)) for ms, id in self._rests.all_of(one, told)]
            return min(((ms, at) for ms, at in places if at >= 0 and self._rows.names_one(at, models)), default=(0, -1))
        while (rest := self._rests.first(one, told)) is not None:
            place = self._resting_place(rest.until_ms, rest.id, one, told)
            if place >= 0:
                return rest.until_ms, place
            self._rests.drop_first(one, told)
        return 0, -1

    def _resting_place(self, until_ms: int, id: int, one: int, told: bool) -> int:
        """-1: it is no longer so that this key rests until then."""
        place = self._rows.place_of(id)
        is_so = place >= 0 and self._states[place] == _RESTING and self._classes[place] == one
        return place if is_so and self._untils.at(place) == until_ms * 2 + told else -1

    # --- what changes ---

    def set_trouble(self, id: int, trouble: Trouble, now_ms: int) -> bool:
        """True when its state is another one now."""
        place = self._untils.set(id, until_of(trouble))
        if self._successor is not None:
            self._successor.set_trouble(id, trouble, now_ms)
        return place >= 0 and self.is_there(place) and self._judge(place, self._classes[place], now_ms)

    def settle(self, now_ms: int) -> bool:
        """Brings back who has rested long enough, so many at a time. True when somebody came."""
        came, left = False, MOST_RETURNS
        while left and (id := self._rests.pop_over(now_ms)):
            place = self.place_of(id)
            came |= place >= 0 and self._judge(place, self._classes[place], now_ms)
            left -= 1
        return came

    @property
    def next_return_ms(self) -> int:
        """When to settle next; 0: nobody rests."""
        return self._rests.next_ms

    def put(self, key: StoredKey, now_ms: int) -> None:
        """A key as it is stored now: a new one, or another than before."""
        place = self._rows.place_of(key.id)
        if place < 0:
            place = self._rows.insert(key.id)
            self._make_room(place)
        if self._states[place] == _GONE:
            self.ring.add(key.id)
        self._rows.fill(place, key)
        self._judge(place, self._classing.of(key.models), now_ms)

    def remove(self, id: int) -> None:
        """Does nothing where there is none."""
        place = self.place_of(id)
        if place >= 0:
            self._become(place, _GONE, 0)
            self._rows.empty(place)
            self.ring.remove(id)

    def begin_successor(self) -> KeyPool:
        """An empty pool, to be filled with what is stored; it hears of all troubles."""
        self._successor = KeyPool(self.channel_id, self._secrets, self._start_index)
        self._successor._untils = Untils(self._successor._rows, self._untils)
        self._successor._rows.former = self._rows
        return self._successor

    def hand_over(self) -> None:
        """Its successor goes on with the rounds of this one."""
        if self._successor is not None:
            self._successor._rounds.go_on(self._rounds)
            self._successor._untils.take_over()
            self._successor._rows.former = None

    def _make_room(self, place: int) -> None:
        self._rounds.insert(place)
        self._untils.insert(place)
        self._classes.insert(place, 0)
        self._states.insert(place, _GONE)
        self._counts[_GONE] += 1

    def _judge(self, place: int, one: int, now_ms: int) -> bool:
        """Of a key of this class. True when its state is another one now."""
        id, until = self._rows.ids[place], self._untils.at(place)
        if not self._rows.is_enabled(id):
            state = _DISABLED
        elif until == BLACKLISTED or not self._rows.opens_at(place):
            state = _BLACKLISTED
        else:
            state = _RESTING if until // 2 > now_ms else _ACTIVE
        if state == _RESTING:
            self._rests.add(one, until % 2 == 1, until // 2, id)
        return self._become(place, state, one)

    def _become(self, place: int, state: int, one: int) -> bool:
        """True when its state is another one now."""
        self._keys_for.clear()
        before, class_before = self._states[place], self._classes[place]
        self._counts[before] -= 1
        self._counts[state] += 1
        if before <= _RESTING:
            self._usable[class_before] -= 1
        if state <= _RESTING:
            self._usable[one] = self._usable.get(one, 0) + 1
        self._states[place] = state
        self._classes[place] = one
        self._rounds.mark(place, one if state == _ACTIVE else 0)
        return state != before


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
        for _ in range(_MOST_CLOSED):
            place = self._next_place()
            if place < 0:
                return None
            self._tried.append(self._pool.ids[place])
            key = self._pool.key_at(place)
            if key is not None:
                return key
        return None

    def _next_place(self) -> int:
        pool = self._pool
        if self._first:
            wanted = pool.place_of(int(self._first)) if self._first.isdecimal() else -1
            self._first = ""
            if wanted >= 0 and pool.is_fit_for(wanted, self._models):
                return wanted
        return pool.next_fit(self._sequential, self._models, self._tried)
