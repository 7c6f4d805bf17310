"""Who may be tried for one call to channels: what is chosen by, put together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from random import random
from typing import Protocol

import gevent

from app.core.channels.hours import is_open
from app.core.channels.keys import Key
from app.core.channels.urls import urls_in_order
from app.core.choosing.exclusions import is_limited
from app.core.choosing.matching import Candidate
from app.core.choosing.penalties import Weights
from app.core.choosing.selection import Preferences, Selection, Turns, Wanted
from app.core.choosing.standing import Full
from app.core.errors import ApiError
from app.core.judging.outcome import Outcome, Verdict
from app.core.model import Channel, ChannelUrl, Snapshot
from app.core.money.cost import Cost
from app.core.money.prices import Prices
from app.core.settings import Settings
from app.core.snapshot import CHANNELS
from app.core.usage import ABSENT, Usage
from app.proxy.api.affinity import Affinity, Bond
from app.proxy.api.attempts import Try
from app.proxy.api.request import ApiRequest
from app.storage.costs.costs import Costs
from app.storage.health.channel import Attempt
from app.storage.health.observed import Health
from app.storage.keys.pool import Turn
from app.storage.keys.pools import KeyPools
from app.storage.limits.channels import ChannelLimits, Taken
from app.storage.limits.places import Place

ROOM_LOOK_S = 0.1
"""Between two looks for room where several channels are full, or it is no place among attempts at once that lacks."""
LONGEST_RETRY_S = 60
"""Where a client would have to wait for longer it is told not to try again: SDKs would at once."""
LONGEST_BEGIN_S = 10.0
"""So long a call waits for a process that has just begun to know what it chooses by."""


class Keeper(Protocol):
    """Talks to Redis for what is kept here."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Choosing:
    """One for each process."""

    def __init__(
        self,
        health: Health,
        pools: KeyPools,
        limits: ChannelLimits,
        affinity: Affinity,
        costs: Costs,
        keepers: Sequence[Keeper],
    ) -> None:
        self.health = health
        self.costs = costs
        self.affinity = affinity
        self.pools = pools
        self.limits = limits
        self.selection = Selection(health, random)
        self._settings = Settings()
        self._preferences = preferences_of(self._settings)
        """What follows from those settings, so that it is made once and not for each call."""
        self._keepers = keepers
        self._has_begun = False
        self._knows = threading.Event()
        """Keys and health have been read, as far as Redis gave them."""

    def notice(self, snapshot: Snapshot) -> None:
        """Begins to watch keys and health with the first channel: a gateway without channels asks Redis for neither."""
        self.affinity.follow(snapshot.settings)
        self.costs.time_zone = snapshot.settings.time_zone
        if snapshot.channels and not self._has_begun:
            self._has_begun = True
            threading.Thread(target=self._begin, name="channels", daemon=True).start()

    def _begin(self) -> None:
        try:
            for keeper in self._keepers:
                keeper.start()
        finally:
            self._knows.set()

    def wait_until_known(self) -> None:
        """Until keys and rests have been read, where there are channels; for `LONGEST_BEGIN_S` at most."""
        if self._has_begun and not self._knows.is_set():
            self._knows.wait(LONGEST_BEGIN_S)

    def stop(self) -> None:
        """Stores what is left of health."""
        if self._has_begun:
            for keeper in reversed(self._keepers):
                keeper.stop()

    def choices(
        self,
        request: ApiRequest,
        snapshot: Snapshot,
        only: frozenset[str] | None,
        without: frozenset[str] | None = None,
    ) -> ChannelChoices:
        """For one call; `only`: the ids of the channels that may serve it, None for all; `without`: that may not.

        The first calls of a process wait until it knows keys and rests. Raises ApiError when nobody can be tried.
        """
        self.wait_until_known()
        wanted = Wanted(request.asked.served_by, request.model, only, without)
        if snapshot.settings is not self._settings:
            self._settings, self._preferences = snapshot.settings, preferences_of(snapshot.settings)
        bond = self.affinity.of(request, snapshot.settings)
        besides = self._besides(request, bond, snapshot, wanted)
        turns = self.selection.turns(snapshot.serving, wanted, self._preferences, now_ms(), bond.channel_id, besides)
        return ChannelChoices(self, request, snapshot, turns, bond)

    def _besides(self, request: ApiRequest, bond: Bond, snapshot: Snapshot, wanted: Wanted) -> Candidate | None:
        """Who knows what is asked for, where no model is: others that serve such calls would not know it."""
        if request.model or not bond.is_by_id or not wanted.may(bond.channel_id):
            return None
        channel = CHANNELS.of(snapshot).by_id.get(bond.channel_id)
        if channel is None or not channel.enabled or request.asked.served_by not in channel.dialects:
            return None
        if channel.hours is not None and not is_open(channel.hours, now_ms(), snapshot.settings.time_zone):
            return None
        return Candidate(channel, "")


class KeyTurn:
    """See proxy.attempts.Turn."""

    __slots__ = ("_places", "key")

    def __init__(self, key: Key, *places: Place) -> None:
        self.key = key
        self._places = places

    def release(self) -> None:
        for place in self._places:
            place.release()


class ChannelChoices:
    """See proxy.api_calls.CallChoices."""

    def __init__(self, choosing: Choosing, request: ApiRequest, snapshot: Snapshot, turns: Turns, bond: Bond) -> None:
        self._choosing = choosing
        self._prices = snapshot.prices
        self._bond = bond
        self._request = request
        self._settings = snapshot.settings
        self._turns = turns
        self._wait_s = 0.0
        """How long it may wait for room in a channel."""
        self._has_taken = False
        self._candidate: Candidate | None = None
        self._turn: Turn | None = None
        """Among its keys, once one has been asked for."""
        self._waiting_for_room: Iterator[Candidate] | None = None
        """Those that are full, when all others have been tried."""
        self._first = turns.next(now_ms())
        if self._first is None and not self._waiting(0.0):
            raise self.refused()

    def refused(self) -> ApiError:
        refusal = self._turns.refusal(now_ms())
        wait_s = refusal.retry_after_s
        is_long = wait_s is not None and wait_s > LONGEST_RETRY_S
        return ApiError(
            refusal.status,
            refusal.code,
            refusal.message,
            retry_after_s=LONGEST_RETRY_S if is_long else wait_s,
            is_final=is_long or refusal.code in ("no_fit_key", "model_not_found"),
        )

    def back_s(self) -> int | None:
        return self._turns.refusal(now_ms()).retry_after_s

    def next_channel(self) -> Candidate | None:
        candidate, self._first = self._first, None
        if candidate is None and self._waiting_for_room is None:
            candidate = self._turns.next(now_ms())
        if candidate is None and not self._has_taken:
            if self._waiting_for_room is None:
                self._waiting_for_room = self._as_room_comes()
            candidate = next(self._waiting_for_room, None)
        self._candidate, self._turn = candidate, None
        return candidate

    def _as_room_comes(self) -> Iterator[Candidate]:
        """Nobody else can serve: those that are full, again and again for as long as their `queue_timeout`."""
        began_s = time.monotonic()
        while waiting := self._waiting(time.monotonic() - began_s):
            for one in waiting:
                left_s = one.channel.limits.queue_timeout - (time.monotonic() - began_s)
                self._wait_s = max(0.0, left_s if len(waiting) == 1 else min(left_s, ROOM_LOOK_S))
                yield one
                if self._has_taken:
                    return
            gevent.sleep(ROOM_LOOK_S)

    def _waiting(self, waited_s: float) -> list[Candidate]:
        """Those that are full, and for which a call that has waited so long waits on."""
        return [one for one in self._turns.refusal(now_ms()).full if one.channel.limits.queue_timeout > waited_s]

    def next_key(self) -> KeyTurn | None:
        candidate, turn = self._candidate, self._turn
        if candidate is None:
            return None
        if turn is None:
            channel, models = candidate.channel, candidate.models
            pool = self._choosing.pools.of(channel.id)
            if self._turns.falls_back and not pool.keys(models).fit:
                self._has_taken, self._candidate = True, None
                back = pool.first_back(models)
                return KeyTurn(back) if back is not None else None
            first = self._bond.first_key(candidate, channel.key_strategy, pool)
            turn = self._turn = pool.turn(channel.key_strategy, models, first)
        if is_limited(candidate):
            return self._next_with_room(candidate.channel, turn)
        key = turn.next()
        if key is None:
            return None
        self._has_taken = True
        return KeyTurn(key)

    def _next_with_room(self, channel: Channel, turn: Turn) -> KeyTurn | None:
        limits = self._choosing.limits
        place = limits.take_channel(channel, self._wait_s)
        if isinstance(place, Full):
            return None
        try:
            taken = limits.take_key(channel, turn)
        except BaseException:
            place.cancel()
            raise
        if not isinstance(taken, Taken):
            place.cancel()
            return None
        self._has_taken = True
        return KeyTurn(taken.key, place, taken.place)

    def urls(self, candidate: Candidate) -> list[ChannelUrl]:
        return urls_in_order(
            candidate.channel,
            self._request.asked.served_by,
            self._choosing.health,
            now_ms(),
            random,
            falls_back=self._turns.falls_back,
        )

    def chose(self, tried: Try, first_byte_ms: float) -> None:
        channel_id = tried.candidate.channel.id
        self._choosing.health.measured(channel_id, tried.url.url, first_byte_ms)
        self._bond.served(channel_id, tried.key.id)

    def note(self, tried: Try, verdict: Verdict, status: int, usage: Usage = ABSENT) -> Cost:
        noted(self._choosing.health, self._settings, tried, verdict, status)
        return charged(self._choosing.costs, self._prices, tried, verdict, usage)

    def gave(self, tried: Try, ids: Sequence[str]) -> None:
        self._bond.gave(ids, tried.candidate.channel.id, tried.key.id)


def noted(health: Health, settings: Settings, tried: Try, verdict: Verdict, status: int) -> None:
    """What follows from an attempt holds from now on."""
    of = tried.candidate
    attempt = Attempt(of.channel, tried.url.url, tried.key, of.upstream_model, int(tried.began_s * 1000))
    health.note(attempt, verdict, settings, now_ms(), status=status)


def charged(costs: Costs, prices: Prices, tried: Try, verdict: Verdict, usage: Usage) -> Cost:
    """What an attempt costs; it counts for its channel's day from now on."""
    of, began_ms = tried.candidate, int(tried.began_s * 1000)
    cost = prices.cost(usage, of.upstream_model, of.channel.cost_multiplier_nano, began_ms)
    if cost.nano:
        costs.add(of.channel.id, cost.nano, began_ms)
    elif cost.unpriced and (usage is not ABSENT or verdict.outcome is Outcome.OK):
        costs.lacked_price(of.upstream_model, began_ms, cost.price_version)
    return cost


def preferences_of(settings: Settings) -> Preferences:
    """What of the settings a choice follows."""
    return Preferences(
        strip_date=settings.model_strip_date,
        contains=settings.model_contains,
        resting_fallback=settings.resting_fallback,
        time_zone=settings.time_zone,
        weights=Weights(
            settings.health_penalty,
            settings.health_penalty_weight,
            settings.health_min_samples,
            settings.slow_penalty_weight,
        ),
    )


def now_ms() -> int:
    return int(time.time() * 1000)
