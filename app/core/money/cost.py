"""What usage costs: exact over all parts and the multiplier, rounded once."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

from app.core.money.amounts import NANO, rounded
from app.core.usage import Usage

NO_PRICE: Final = -1
USUAL_TIERS: Final = frozenset({"", "default", "standard", "auto", "on_demand", "standard_only"})
"""The service tiers that cost what the price says."""


class Cost(NamedTuple):
    """Of one attempt."""

    nano: int | None
    """Nano-dollars; None where it is not known: nothing is known of the usage, or a part of it has no price."""
    unpriced: bool
    """True where a price is missing."""
    price_version: str
    """By which prices it was reckoned."""


NO_COST: Final = Cost(None, False, "")


class Rates:
    """What one of each costs, in nano-dollars, times the Price's `per`: whole numbers. NO_PRICE where none is known."""

    __slots__ = (
        "audio_input", "audio_output", "cache_write_1h", "cache_write_5m", "cached", "image_input", "image_output",
        "input", "output", "reasoning", "request", "second", "web_search",
    )  # fmt: skip

    def __init__(self, of: dict[str, int]) -> None:
        """`of`: by the names of the parts. The six counts of usage must be there."""
        self.input = of["input"]
        self.cached = of["cached"]
        self.cache_write_5m = of["cache_write_5m"]
        self.cache_write_1h = of["cache_write_1h"]
        self.output = of["output"]
        self.reasoning = of["reasoning"]
        self.audio_input = of.get("audio_input", NO_PRICE)
        self.audio_output = of.get("audio_output", NO_PRICE)
        self.image_input = of.get("image_input", NO_PRICE)
        self.image_output = of.get("image_output", NO_PRICE)
        self.web_search = of.get("web_search", NO_PRICE)
        self.second = of.get("second", NO_PRICE)
        self.request = of.get("request", 0)


class Graded:
    """Rates that depend on how much goes in."""

    __slots__ = ("above", "base")

    def __init__(self, base: Rates, above: list[tuple[int, Rates]]) -> None:
        self.base = base
        self.above = above
        """For calls with more input, cached and written tokens than this: then all of them are at these. Ascending."""

    def of(self, tokens: int) -> Rates:
        rates = self.base
        for start, higher in self.above:
            if tokens > start:
                rates = higher
        return rates


class Price:
    """Of one model, from one moment to another."""

    __slots__ = ("from_ms", "graded", "per", "tiers", "until_ms")

    def __init__(self, graded: Graded, tiers: dict[str, Graded], per: int, from_ms: int, until_ms: int) -> None:
        self.graded = graded
        self.tiers = tiers
        """By service tier, where that has prices of its own."""
        self.per = per
        self.from_ms = from_ms
        self.until_ms = until_ms
        """Before which it holds."""

    def graded_for(self, service_tier: str) -> Graded | None:
        """None where that tier has no price."""
        if service_tier in USUAL_TIERS:
            return self.graded
        return self.tiers.get(service_tier)


def cost_nano(price: Price, usage: Usage, multiplier_nano: int) -> int | None:
    """What usage that is not absent costs, in nano-dollars; None where a part of it has no price.

    `multiplier_nano`: NANO for once.
    """
    other = usage.other
    graded: Graded | None = price.graded
    plain = not other
    if other and "service_tier" in other:
        plain = len(other) == 1
        graded = price.graded_for(str(other["service_tier"]).lower())
    if graded is None:
        return None
    fresh, cached = usage.input or 0, usage.cached or 0
    short, long = usage.cache_write_5m or 0, usage.cache_write_1h or 0
    rates = graded.base
    if graded.above:
        rates = graded.of(fresh + cached + short + long)
    total = fresh * rates.input + cached * rates.cached + (usage.output or 0) * rates.output + rates.request
    if short or long:
        total += short * rates.cache_write_5m + long * rates.cache_write_1h
    if usage.reasoning:
        total += usage.reasoning * rates.reasoning
    per = price.per
    if not plain:
        seconds = _quantity(other, "seconds")
        if not _has_prices(rates, other) or (seconds and rates.second < 0):
            return None
        total += _besides(rates, usage, other)
        if seconds:
            total = total * seconds.denominator + seconds.numerator * rates.second
            per *= seconds.denominator
    if multiplier_nano != NANO:
        total *= multiplier_nano
        per *= NANO
    return total if per == 1 else rounded(total, per)


def _has_prices(rates: Rates, other: dict[str, int | float | str]) -> bool:
    """Whether all that can be counted of what the counts cannot hold has a price. What there is none of needs none."""
    return not (
        (rates.audio_input < 0 and _count(other, "audio_input"))
        or (rates.audio_output < 0 and _count(other, "audio_output"))
        or (rates.image_input < 0 and _count(other, "image_input"))
        or (rates.image_output < 0 and _count(other, "image_output"))
        or (rates.web_search < 0 and _count(other, "web_search_requests"))
    )


def _besides(rates: Rates, usage: Usage, other: dict[str, int | float | str]) -> int:
    """What that adds. Sound and images are parts of input and output, so their rates take the place of those."""
    audio = min(_count(other, "audio_input"), usage.input or 0)
    image = min(_count(other, "image_input"), (usage.input or 0) - audio)
    spoken = min(_count(other, "audio_output"), usage.output or 0)
    drawn = min(_count(other, "image_output"), (usage.output or 0) - spoken)
    return (
        audio * (rates.audio_input - rates.input)
        + image * (rates.image_input - rates.input)
        + spoken * (rates.audio_output - rates.output)
        + drawn * (rates.image_output - rates.output)
        + _count(other, "web_search_requests") * rates.web_search
    )


def _count(other: dict[str, int | float | str], name: str) -> int:
    value = other.get(name, 0)
    return int(value) if isinstance(value, int | float) and value > 0 else 0


def _quantity(other: dict[str, int | float | str], name: str) -> Fraction:
    """As it was written: 12.3 seconds are not the float that comes nearest."""
    value = other.get(name, 0)
    return Fraction(str(value)) if isinstance(value, int | float) and value > 0 else Fraction(0)
