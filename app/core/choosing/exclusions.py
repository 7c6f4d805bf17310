"""Why a channel is not tried, and what a caller is told when none can be."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import ceil
from typing import NamedTuple

from app.core.channels.hours import next_change_ms
from app.core.choosing.matching import Candidate
from app.core.choosing.standing import Health, Keys, Rest


class Exclusion(NamedTuple):
    """Why a channel that serves a model is not tried now."""

    reason: str
    """disabled, resting, model_resting, no_fit_key, hours, concurrency, requests_per_minute or cost."""
    until_ms: int = 0
    """When that ends by itself; 0: nobody knows."""
    guessed_ms: int = 0
    """When it ends, if we guessed all of it: then it may be cut short. 0: it was told, or is no rest."""
    is_full: bool = False


class Refusal(NamedTuple):
    """What the caller of a call is told that no channel can serve now."""

    status: int
    code: str
    message: str
    retry_after_s: int | None = None
    """The truth, however long; None: waiting does not help."""
    full: tuple[Candidate, ...] = ()
    """Who could serve it, had he room: for their `queue_timeout` it may wait."""


def excluded(health: Health, one: Candidate, keys: Keys, now_ms: int) -> Exclusion | None:
    """None when an enabled channel within its hours may be tried; else the first of the reasons that hold.

    `until_ms` is when all of them have ended.
    """
    why = _unfit(health, one, keys, now_ms)
    over_ms = _over_cost_ms(health, one, now_ms)
    if over_ms <= now_ms:
        return why
    if why is None or why.is_full:
        return Exclusion("cost", over_ms)
    return Exclusion(why.reason, max(why.until_ms, over_ms)) if why.until_ms else why


def _unfit(health: Health, one: Candidate, keys: Keys, now_ms: int) -> Exclusion | None:
    """The same but for what it has cost."""
    channel = one.channel
    rest = health.channel_rest(channel)
    model_rest = health.model_rest(channel.id, one.upstream_model) if one.upstream_model else None
    if rest.until_ms > now_ms:
        return _resting("resting", (rest, model_rest), keys, now_ms)
    if model_rest is not None and model_rest.until_ms > now_ms:
        return _resting("model_resting", (rest, model_rest), keys, now_ms)
    if not keys.fit:
        return _resting("no_fit_key", (), keys, now_ms)
    if not is_limited(one):
        return None
    full = health.full(channel, one.models)
    return None if full is None else Exclusion(full.limit, full.until_ms, is_full=True)


def is_limited(one: Candidate) -> bool:
    """Whether the channel or its keys may be full."""
    channel = one.channel
    return bool(
        channel.max_concurrency
        or channel.requests_per_minute
        or channel.key_max_concurrency
        or channel.key_requests_per_minute
    )


def _resting(reason: str, rests: Iterable[Rest | None], keys: Keys, now_ms: int) -> Exclusion:
    until_ms, told = 0, False
    for rest in rests:
        if rest is not None and rest.until_ms > now_ms:
            until_ms = max(until_ms, rest.until_ms)
            told = told or rest.told
    guessed_ms = 0 if told else until_ms
    if not keys.fit:
        if not keys.back_ms:
            return Exclusion("no_fit_key" if not until_ms else reason)
        guessed_ms = max(guessed_ms, keys.guessed_back_ms) if keys.guessed_back_ms and not told else 0
        until_ms = max(until_ms, keys.back_ms)
    return Exclusion(reason, until_ms, guessed_ms)


def first_back(health: Health, candidates: Iterable[Candidate], now_ms: int) -> Candidate | None:
    """Of enabled channels within their hours that all rest the first to be back, though it rests still.

    Only of those whose rest we guessed: one that an upstream told is never cut short. None also where one is merely
    full, for that one is back sooner.
    """
    best: Candidate | None = None
    best_ms = 0
    for one in candidates:
        why = excluded(health, one, health.keys(one.channel, one.models), now_ms)
        if why is None or why.is_full:
            return None
        if why.guessed_ms and (best is None or why.guessed_ms < best_ms):
            best, best_ms = one, why.guessed_ms
    return best


def refusal(
    health: Health, found: Iterable[Candidate], closed: Collection[str], model: str, now_ms: int, time_zone: str
) -> Refusal:
    """Why none of those who serve the model may be tried. `closed`: the ids of those outside of their hours."""
    served = f"the model {model!r}" if model else "calls that name no model"
    enabled = [one for one in found if one.channel.enabled]
    if not enabled:
        return Refusal(404, "model_not_found", f"no enabled channel of this dialect serves {served}")
    full: list[Candidate] = []
    room_ms: list[int] = []
    back_ms: list[int] = []
    for one in enabled:
        if one.channel.id in closed:
            opens_ms = next_change_ms(one.channel.hours, now_ms, time_zone)
            back_ms.append(max(opens_ms or now_ms, _over_cost_ms(health, one, now_ms)))
            continue
        why = excluded(health, one, health.keys(one.channel, one.models), now_ms)
        if why is None or why.is_full:
            full.append(one)
            room_ms.append(why.until_ms if why else 0)
        elif why.until_ms:
            back_ms.append(why.until_ms)
    if full:
        wait_s = _seconds_until(min(room_ms), now_ms)
        text = f"all channels that serve {served} are at their limits; there is room again in about {wait_s} s"
        return Refusal(429, "upstream_busy", text, wait_s, tuple(full))
    if back_ms:
        wait_s = _seconds_until(min(back_ms), now_ms)
        what = "rest or are outside of their hours"
        if any(_over_cost_ms(health, one, now_ms) > now_ms for one in enabled):
            what = "rest, are outside of their hours or have cost what they may in a day"
        text = f"all channels that serve {served} {what}; the first is back in {wait_s} s"
        return Refusal(503, "all_resting", text, wait_s)
    text = f"no channel that serves {served} has a key that may be used; its operator must add or restore one"
    return Refusal(503, "no_fit_key", text)


def _over_cost_ms(health: Health, one: Candidate, now_ms: int) -> int:
    """When the day turns in which it has cost all that it may; 0: it may go on."""
    return health.over_cost_ms(one.channel, now_ms) if one.channel.cost_per_day_nano else 0


def _seconds_until(at_ms: int, now_ms: int) -> int:
    return max(1, ceil((at_ms - now_ms) / 1000))
