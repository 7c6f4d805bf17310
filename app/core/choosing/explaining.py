"""Why a call would go where it would go: each channel that serves its model, its rank or what stands against it."""

from __future__ import annotations

from typing import NamedTuple

from app.core.channels.hours import is_open
from app.core.choosing.exclusions import Refusal, excluded, first_back, refusal
from app.core.choosing.matching import Candidate, Serving
from app.core.choosing.selection import Preferences, Wanted, candidates_for, penalties_of, tenths_of, weight_of
from app.core.choosing.standing import Health

_BEFORE_HOURS = frozenset({"resting", "model_resting", "no_fit_key"})


class Explained(NamedTuple):
    """One channel."""

    candidate: Candidate
    penalty: float
    effective_priority: float
    weight: int
    fit_keys: int
    rank: int | None
    """From 1 among those that may be tried. Equal ones take turns by their weights: here they stand by name."""
    excluded: str | None
    """disabled, resting, model_resting, no_fit_key, hours, concurrency, requests_per_minute, cost or token."""


class Explanation(NamedTuple):
    channels: list[Explained]
    refused: Refusal | None
    fallback: Candidate | None
    """All rest, and this one would be tried all the same."""


def explain(
    health: Health, serving: Serving, wanted: Wanted, preferences: Preferences, now_ms: int, prefer: str = ""
) -> Explanation:
    """All that serve what is wanted, best first, then those that are excluded. Moves no wheel: asked twice, it answers
    the same, in any process.

    `prefer`: the id of the channel that has the call's conversation, if any.
    """
    health.settle(now_ms)
    found = _all_of(serving, wanted, preferences)
    enabled = [one for one in found if one.channel.enabled]
    closed = {one.channel.id for one in enabled if not is_open(one.channel.hours, now_ms, preferences.time_zone)}
    scored = [one for one in enabled if one.channel.id not in closed and wanted.may(one.channel.id)]
    taken_off = dict(zip((one.channel.id for one in scored), penalties_of(health, scored, preferences), strict=True))
    rows = [_explained(health, one, taken_off.get(one.channel.id, 0.0), wanted, closed, now_ms) for one in found]
    fit = [row for row in rows if row.excluded is None]
    fit.sort(key=lambda row: (row.candidate.channel.id != prefer, *_order(row)))
    ranked = [row._replace(rank=rank) for rank, row in enumerate(fit, 1)]
    others = sorted((row for row in rows if row.excluded is not None), key=_order)
    if ranked:
        return Explanation(ranked + others, None, None)
    fallback = first_back(health, scored, now_ms) if preferences.resting_fallback else None
    allowed = [one for one in found if wanted.may(one.channel.id)]
    refused = (
        refusal(health, allowed, closed, wanted.model, now_ms, preferences.time_zone) if fallback is None else None
    )
    return Explanation(others, refused, fallback)


def _all_of(serving: Serving, wanted: Wanted, preferences: Preferences) -> list[Candidate]:
    """Those that may serve it, and those that would if they might."""
    found = candidates_for(serving, wanted, preferences)
    everybody = candidates_for(serving, Wanted(wanted.dialect, wanted.model), preferences)
    return found + [one for one in everybody if not wanted.may(one.channel.id)]


def _order(row: Explained) -> tuple[int, int, str]:
    channel = row.candidate.channel
    return -tenths_of(row.effective_priority), -channel.priority, channel.name


def _explained(
    health: Health, one: Candidate, penalty: float, wanted: Wanted, closed: set[str], now_ms: int
) -> Explained:
    keys = health.keys(one.channel, one.models)
    reason: str | None = None
    if not one.channel.enabled:
        reason = "disabled"
    else:
        why = excluded(health, one, keys, now_ms)
        reason = why.reason if why else None
        if one.channel.id in closed and reason not in _BEFORE_HOURS:
            reason = "hours"
        if reason is None and not wanted.may(one.channel.id):
            reason = "token"
    effective = one.channel.priority - penalty
    return Explained(one, penalty, effective, weight_of(one.channel, keys), keys.fit, None, reason)
