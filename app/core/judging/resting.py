"""How long who rests: as long as was told, else by the outcome, doubled with each further failure."""

from __future__ import annotations

from typing import Final, NamedTuple

from app.core.judging.outcome import TRAITS, Cooldown, Verdict
from app.core.settings import Settings

_DOUBLINGS: Final = 20
"""More do not count: by then every rest is the longest."""


class RestLength(NamedTuple):
    seconds: float
    told: bool
    """True: the upstream said so, or the operator; no fallback cuts it short. False: our guess."""


def rest_of(verdict: Verdict, failures_before: int, settings: Settings) -> RestLength | None:
    """The rest of whom the verdict blames; None where nobody rests, or where the key leaves the pool instead.

    `failures_before`: how often the same failed since its last success. Failures of attempts that began before its
    rest did are not counted: those calls were under way together and say the same thing once.
    """
    if not verdict.blame.ours or verdict.blacklist:
        return None
    if verdict.told_rest_s is not None:
        return RestLength(verdict.told_rest_s, told=True) if verdict.told_rest_s > 0 else None
    first_s = first_rest_s(TRAITS[verdict.outcome].cooldown or Cooldown.SERVER, settings)
    rest_s = first_s * 2.0 ** min(failures_before, _DOUBLINGS)
    return RestLength(min(settings.cooldown_max_s, max(settings.cooldown_min_s, rest_s)), told=False)


def first_rest_s(cooldown: Cooldown, settings: Settings) -> float:
    """What the setting that the outcome names says, in seconds."""
    match cooldown:
        case Cooldown.AUTH:
            return settings.cooldown_auth_s
        case Cooldown.RATE_LIMIT:
            return settings.cooldown_rate_limit_s
        case Cooldown.TIMEOUT:
            return settings.cooldown_timeout_s
        case Cooldown.SERVER:
            return settings.cooldown_server_s
