"""What a model's parts cost at one moment, as rationals; and the Price that calls are reckoned with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import lcm
from typing import Final

from app.core.money.amounts import NANO
from app.core.money.cost import Graded, Price, Rates

Steps = list[tuple[int, Fraction]]
"""What a part costs in calls with more input, cached and written tokens than so many; it begins with those above -1."""
Tariff = dict[str, Steps]
"""By part; what is not there has no price."""

ANY: Final = -1
PARTS: Final = {
    "input": 1_000_000,
    "cached": 1_000_000,
    "cache_write_5m": 1_000_000,
    "cache_write_1h": 1_000_000,
    "output": 1_000_000,
    "reasoning": 1_000_000,
    "audio_input": 1_000_000,
    "audio_output": 1_000_000,
    "image_input": 1_000_000,
    "image_output": 1_000_000,
    "web_search": 1_000,
    "request": 1_000,
    "second": 3_600,
}
"""For how many of each the dollars of a tariff are."""
BASIS: Final = {
    "cached": "input",
    "cache_write_5m": "input",
    "cache_write_1h": "input",
    "audio_input": "input",
    "image_input": "input",
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
}
"""Kinds of tokens that go in or come out, and the part that they are a kind of."""
USUAL: Final = {
    "cached": Fraction(1),
    "cache_write_5m": Fraction(5, 4),
    "cache_write_1h": Fraction(2),
    "image_input": Fraction(1),
    "reasoning": Fraction(1),
}
"""What is taken, times its basis, where nobody names a price. What is not here then has none."""


def ratio(tariff: Mapping[str, Steps], part: str) -> Fraction | None:
    """A part's price by that of its basis, below all steps; None where it has none."""
    of, basis = tariff.get(part), tariff.get(BASIS[part])
    return of[0][1] / basis[0][1] if of and basis and basis[0][1] else None


def scaled(steps: Steps, factor: Fraction) -> Steps:
    return [(start, price * factor) for start, price in steps]


def complete(tariff: Tariff) -> Tariff:
    """With what is usual in the place of what is left out."""
    whole = dict(tariff)
    for part, factor in USUAL.items():
        basis = tariff.get(BASIS[part])
        if part not in whole and basis:
            whole[part] = scaled(basis, factor)
    return whole


def in_place_of(built_in: Tariff, own: Tariff) -> Tariff:
    """An operator's tariff for a model, filled up from the built-in one: kinds of tokens by their ratio, what is no
    token as it stands there."""
    whole = dict(own)
    for part, steps in built_in.items():
        if part in whole:
            continue
        factor = ratio(built_in, part) if part in BASIS else None
        if factor is not None:
            whole[part] = scaled(own[BASIS[part]], factor)
        elif part not in BASIS:
            whole[part] = steps
    return complete(whole)


def in_tier(built_in: Tariff, tier: Tariff, own: Tariff) -> Tariff:
    """An operator's tariff at a service tier: each part by the factor that the tier has in the built-in one."""
    whole = dict(own)
    for part, steps in own.items():
        usual, dearer = built_in.get(part), tier.get(part)
        if usual and dearer and usual[0][1]:
            whole[part] = scaled(steps, dearer[0][1] / usual[0][1])
    return whole


def price_at(tariff: Tariff, part: str, tokens: int) -> Fraction:
    """In calls with so many tokens of input."""
    found = tariff[part][0][1]
    for start, price in tariff[part]:
        if tokens > start:
            found = price
    return found


def to_price(tariff: Tariff, tiers: Mapping[str, Tariff], from_ms: int, until_ms: int) -> Price:
    """Of complete tariffs."""
    per = 1
    for one in (tariff, *tiers.values()):
        for part, steps in one.items():
            per = lcm(per, *(_nano(part, price).denominator for _, price in steps))
    graded = {name: _graded(one, per) for name, one in tiers.items()}
    return Price(_graded(tariff, per), graded, per, from_ms, until_ms)


def starts(tariff: Tariff) -> list[int]:
    """Above how many tokens something costs another price, ascending."""
    return sorted({start for steps in tariff.values() for start, _ in steps if start != ANY})


def _graded(tariff: Tariff, per: int) -> Graded:
    return Graded(
        _rates(tariff, per, 0), [(start, _rates(tariff, per, start + 1)) for start in _positive(starts(tariff))]
    )


def _positive(found: Iterable[int]) -> list[int]:
    return [start for start in found if start >= 0]


def _rates(tariff: Tariff, per: int, tokens: int) -> Rates:
    return Rates({part: int(_nano(part, price_at(tariff, part, tokens)) * per) for part in tariff})


def _nano(part: str, usd: Fraction) -> Fraction:
    """Nano-dollars for one."""
    return usd * NANO / PARTS[part]
