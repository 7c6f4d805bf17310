"""Which channel is tried: the best that is fit, and among equals each in its turn.

Effective priority is priority less penalties; channels whose effective priorities are equal to one decimal are a
bucket, in which a wheel says whose turn it is. What that costs does not depend on how many channels there are: a Plan
is made once for each model and stands as long as the Snapshot does; who rests is noticed when his turn comes, and
leaves the wheel until he is back.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import NamedTuple

from app.core.channels.hours import is_open, next_change_ms
from app.core.choosing.exclusions import Refusal, excluded, first_back, refusal
from app.core.choosing.matching import Candidate, Serving
from app.core.choosing.penalties import Weights, penalties
from app.core.choosing.standing import Health, Keys
from app.core.choosing.wheel import Point, Wheel
from app.core.model import Channel

_FOR_EVER_MS = 2**62
_MAX_KEPT = 100_000
"""Of candidates, in all Plans and in all wheels: callers may ask for any model where a channel serves `*`."""


class Wanted(NamedTuple):
    """What a call asks for."""

    dialect: str
    model: str
    """Empty: none is named."""
    only: frozenset[str] | None = None
    """The ids of the channels that may serve it; None: all."""
    without: frozenset[str] | None = None
    """The ids of those that may not."""

    def may(self, channel_id: str) -> bool:
        """Whether a channel may serve it, as far as that follows from who asks, and by which route."""
        if self.only is not None and channel_id not in self.only:
            return False
        return self.without is None or channel_id not in self.without


class Preferences(NamedTuple):
    """The settings of the gateway's that a choice follows."""

    strip_date: bool = True
    contains: bool = False
    resting_fallback: bool = True
    time_zone: str = "UTC"
    weights: Weights = Weights()


class Bucket(NamedTuple):
    """Channels of one effective priority, in tenths."""

    tenths: int
    wheel: Wheel


class Plan:
    """Who may serve a model, and in which buckets, as long as nothing is said otherwise."""

    def __init__(self, serving: Serving, preferences: Preferences, found: list[Candidate]) -> None:
        self.serving = serving
        self.preferences = preferences
        self.found = found
        """All of them, disabled ones too."""
        self.enabled = {one.channel.id: one for one in found if one.channel.enabled}
        self.closed: set[str] = set()
        """The ids of those that are outside of their hours."""
        self.buckets: list[Bucket] = []
        self.until_ms = _FOR_EVER_MS
        self.health_version = 0


def weight_of(channel: Channel, keys: Keys) -> int:
    """How many turns a channel has in a period."""
    return channel.weight or (1 if channel.key_strategy == "sequential" else max(1, keys.usable))


def tenths_of(effective_priority: float) -> int:
    """The bucket of an effective priority."""
    return floor(effective_priority * 10 + 0.5)


def candidates_for(serving: Serving, wanted: Wanted, preferences: Preferences) -> list[Candidate]:
    """All channels that may serve what is wanted, disabled ones among them."""
    return serving.candidates(
        wanted.dialect,
        wanted.model,
        strip_date=preferences.strip_date,
        contains=preferences.contains,
        only=wanted.only,
        without=wanted.without,
    )


def penalties_of(health: Health, candidates: list[Candidate], preferences: Preferences) -> list[float]:
    """What is taken off the priority of each."""
    if not preferences.weights.any:
        return [0.0] * len(candidates)
    return penalties([health.record(one.channel.id) for one in candidates], preferences.weights)


class Selection:
    """One for each process. Not thread-safe; under gevent a call is atomic, as nothing in it waits."""

    def __init__(self, health: Health, chance: Callable[[], float]) -> None:
        """`chance` gives random numbers from 0 to 1, which say where wheels begin."""
        self.health = health
        self._chance = chance
        self._serving: Serving | None = None
        self._plans: dict[Wanted, Plan] = {}
        self._wheels: dict[Wanted, list[Bucket]] = {}
        """The last buckets of each, from which new ones go on."""
        self._kept = 0
        self._kept_wheels = 0

    def turns(
        self,
        serving: Serving,
        wanted: Wanted,
        preferences: Preferences,
        now_ms: int,
        prefer: str = "",
        besides: Candidate | None = None,
    ) -> Turns:
        """The channels for one call, best first. `prefer`: the id of the one that has its conversation, if any.

        `besides` goes first though it does not serve what is wanted in general, for it alone knows what is asked for.
        """
        plan = self.plan(serving, wanted, preferences, now_ms)
        return Turns(self.health, plan, wanted.model, plan.enabled.get(prefer, besides) if prefer else None)

    def plan(self, serving: Serving, wanted: Wanted, preferences: Preferences, now_ms: int) -> Plan:
        """The Plan in force."""
        self.health.settle(now_ms)
        if serving is not self._serving:
            self._serving = serving
            self._plans.clear()
            self._kept = 0
        plan = self._plans.get(wanted)
        if plan is None or now_ms >= plan.until_ms or plan.preferences != preferences:
            plan = self._make(serving, wanted, preferences, now_ms)
        return plan

    def _make(self, serving: Serving, wanted: Wanted, preferences: Preferences, now_ms: int) -> Plan:
        found = candidates_for(serving, wanted, preferences)
        plan = Plan(serving, preferences, found)
        self._look_at_the_clock(plan, now_ms)
        plan.health_version = self.health.version
        self._fill_buckets(plan, self._wheels.get(wanted, []))
        self._keep(wanted, plan)
        return plan

    def _look_at_the_clock(self, plan: Plan, now_ms: int) -> None:
        """Lays down who is outside of his hours, and until when the Plan stands."""
        time_zone = plan.preferences.time_zone
        for id, one in plan.enabled.items():
            if one.channel.hours is not None:
                if not is_open(one.channel.hours, now_ms, time_zone):
                    plan.closed.add(id)
                change_ms = next_change_ms(one.channel.hours, now_ms, time_zone)
                if change_ms is not None:
                    plan.until_ms = min(plan.until_ms, change_ms)
        if plan.preferences.weights.any:  # and records change with every call: read again often, but never all the time
            plan.until_ms = min(plan.until_ms, now_ms + max(50, len(plan.enabled) // 10))

    def _fill_buckets(self, plan: Plan, former: list[Bucket]) -> None:
        open_ones = [one for id, one in plan.enabled.items() if id not in plan.closed]
        taken_off = penalties_of(self.health, open_ones, plan.preferences)
        weights: dict[int, dict[str, int]] = {}
        for one, penalty in zip(open_ones, taken_off, strict=True):
            bucket = weights.setdefault(tenths_of(one.channel.priority - penalty), {})
            bucket[one.channel.id] = weight_of(one.channel, self.health.keys(one.channel, one.models))
        for tenths in sorted(weights, reverse=True):
            plan.buckets.append(Bucket(tenths, self._wheel(weights[tenths], former)))

    def _wheel(self, weights: dict[str, int], former: list[Bucket]) -> Wheel:
        """A wheel that goes on from the former one of the first member that had one."""
        for id in weights:
            for bucket in former:
                if id in bucket.wheel.members:
                    return bucket.wheel.copy(weights)
        return Wheel(weights, self._chance())

    def _keep(self, wanted: Wanted, plan: Plan) -> None:
        """Keeps the Plan and its wheels, and forgets the oldest where there are too many."""
        former = self._plans.pop(wanted, None)
        self._kept += len(plan.found) - (len(former.found) if former else 0) + 1
        self._plans[wanted] = plan
        while self._kept > _MAX_KEPT and len(self._plans) > 1:
            self._kept -= len(self._plans.pop(next(iter(self._plans))).found)
        self._kept_wheels += _size(plan.buckets) - _size(self._wheels.pop(wanted, []))
        self._wheels[wanted] = plan.buckets
        while self._kept_wheels > _MAX_KEPT and len(self._wheels) > 1:
            self._kept_wheels -= _size(self._wheels.pop(next(iter(self._wheels))))


class Turns:
    """The channels for one call: each comes once, and is judged at the moment when it is asked for."""

    def __init__(self, health: Health, plan: Plan, model: str, prefer: Candidate | None) -> None:
        self.plan = plan
        self.falls_back = False
        """True once a channel was given though it rests: it is the last, and its key and url may rest, too."""
        self._health = health
        self._model = model
        self._prefer = prefer
        self._tried: set[str] = set()

    def next(self, now_ms: int) -> Candidate | None:
        """The next to be tried; None when there is none, and `refusal` says why."""
        self._health.settle(now_ms)
        if self._prefer is not None:
            preferred = self._take_preferred(self._prefer, now_ms)
            if preferred is not None:
                return preferred
        if self.falls_back:
            return None
        self._return_those_who_got_better()
        for bucket in self.plan.buckets:
            found = self._take(bucket.wheel, now_ms)
            if found is not None:
                self._tried.add(found.channel.id)
                return found
        return None if self._tried or not self.plan.preferences.resting_fallback else self._fall_back(now_ms)

    def _take_preferred(self, one: Candidate, now_ms: int) -> Candidate | None:
        """The channel of the call's conversation, if it is fit. It has no turn: those are for new conversations."""
        self._prefer = None
        if one.channel.id in self.plan.closed:
            return None
        if excluded(self._health, one, self._health.keys(one.channel, one.models), now_ms) is not None:
            return None
        self._tried.add(one.channel.id)
        return one

    def _return_those_who_got_better(self) -> None:
        plan = self.plan
        if plan.health_version != self._health.version:
            plan.health_version = self._health.version
            for bucket in plan.buckets:
                bucket.wheel.come_back_all()

    def _take(self, wheel: Wheel, now_ms: int) -> Candidate | None:
        """The first on the wheel that may be tried. Who is full loses his turn; who rests leaves."""
        wheel.come_back(now_ms)
        passed_over: list[tuple[Point, bool]] = []
        taken: Candidate | None = None
        while taken is None:
            point = wheel.next()
            if point is None:
                break
            id = point[3]
            if id in self._tried:
                passed_over.append((wheel.pass_over(), False))
                continue
            one = self.plan.enabled[id]
            keys = self._health.keys(one.channel, one.models)
            why = excluded(self._health, one, keys, now_ms)
            if why is None:
                wheel.take(weight_of(one.channel, keys))
                taken = one
            elif why.is_full:
                passed_over.append((wheel.pass_over(), True))
            else:
                wheel.leave(why.until_ms or _FOR_EVER_MS)
        for point, is_full in passed_over:
            if is_full:
                wheel.skip(point)
            else:
                wheel.keep(point)
        return taken

    def _fall_back(self, now_ms: int) -> Candidate | None:
        within_hours = [one for id, one in self.plan.enabled.items() if id not in self.plan.closed]
        best = first_back(self._health, within_hours, now_ms)
        if best is not None:
            self.falls_back = True
            self._tried.add(best.channel.id)
        return best

    def refusal(self, now_ms: int) -> Refusal:
        """What to tell the caller when none was given at all."""
        plan = self.plan
        return refusal(self._health, plan.found, plan.closed, self._model, now_ms, plan.preferences.time_zone)


def _size(buckets: list[Bucket]) -> int:
    return sum(len(bucket.wheel.members) for bucket in buckets)
