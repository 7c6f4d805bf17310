"""The operator's own prices, over those of the built-in table: checked, and found by a model's name."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from app.core.money.table import ALWAYS_MS, LONGEST_NAME, NEVER_MS
from app.core.money.tariff import ANY, Tariff, ratio, scaled
from app.core.patterns import fits
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Shape, Text, Usd, Whole

MOST: Final = 1_000
PRICES: Final = ("input", "output", "cached", "cache_write_5m", "cache_write_1h", "input_above", "output_above")
LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

OVERRIDE: Final = Shape(
    {
        "model": Text(
            LONGEST_NAME, is_needed=True, example="gpt-5*", meaning="As the upstream is asked for it; * for any text"
        ),
        "input": Usd(is_needed=True, example="1.25", meaning="Dollars a million tokens, as all prices here"),
        "output": Usd(is_needed=True, example="10"),
        **{name: Usd(is_null=True) for name in ("cached", "cache_write_5m", "cache_write_1h")},
        "above_tokens": Whole(0, 0, 1_000_000_000, is_null=True, meaning="Above so many tokens the prices below hold"),
        **{name: Usd(is_null=True) for name in ("input_above", "output_above")},
        "valid_from_ms": Whole(0, 0, LATEST_MS, is_null=True, meaning="null: always"),
    },
    title="Override",
    whole="a price",
)
OVERRIDES: Final = Shape({"overrides": Listed(OVERRIDE, MOST, is_needed=True)}, whole="the overrides")


class Override(NamedTuple):
    """One price of the operator's."""

    model: str
    """In small letters; `*` stands for any text."""
    valid_from_ms: int
    prices: dict[str, Fraction]
    """Dollars a million tokens, as far as they were said."""
    above_tokens: int
    """0: no tier."""
    said: dict[str, Any]
    """As the operator wrote it, every field in its place."""

    def tariff(self, built_in: Tariff) -> Tariff:
        """What was said and what follows from it: left out, cached and written tokens have the ratio of `built_in`."""
        prices = self.prices
        tariff: Tariff = {"input": [(ANY, prices["input"])], "output": [(ANY, prices["output"])]}
        for part in ("cached", "cache_write_5m", "cache_write_1h"):
            factor = ratio(built_in, part) if built_in else None
            if part in prices:
                tariff[part] = [(ANY, prices[part])]
            elif factor is not None:
                tariff[part] = scaled(tariff["input"], factor)
        if self.above_tokens:
            dearer = prices["input_above"] / prices["input"]
            for part, steps in tariff.items():
                above = prices["output_above"] if part == "output" else steps[0][1] * dearer
                steps.append((self.above_tokens, above))
        return tariff


class Overrides:
    """All of them, for look-ups."""

    def __init__(self, said: Sequence[Override] = ()) -> None:
        self.said = tuple(said)
        self._exact: dict[str, list[Override]] = {}
        patterns: dict[str, list[Override]] = {}
        for one in said:
            (patterns if "*" in one.model else self._exact).setdefault(one.model, []).append(one)
        # The pattern that says most goes first; of those that say as much the one that was said first.
        self._patterns = [
            (pattern.split("*"), patterns[pattern])
            for pattern in sorted(patterns, key=lambda pattern: -len(pattern.replace("*", "")))
        ]

    def find(self, model: str, at_ms: int) -> tuple[Override | None, int, int]:
        """The one that counts for a model at a moment, and from when until when that is so.

        Exact names go before patterns, and of those of one name the one that came into force last.
        """
        name = model.lower()
        groups = [self._exact[name]] if name in self._exact else []
        groups += [group for texts, group in self._patterns if fits(texts, name)]
        edges = [one.valid_from_ms for group in groups for one in group]
        from_ms = max((edge for edge in edges if edge <= at_ms), default=ALWAYS_MS)
        until_ms = min((edge for edge in edges if edge > at_ms), default=NEVER_MS)
        for group in groups:
            valid = [one for one in group if one.valid_from_ms <= at_ms]
            if valid:
                return max(valid, key=lambda one: one.valid_from_ms), from_ms, until_ms
        return None, from_ms, until_ms


def check_overrides(values: Any) -> tuple[Override, ...]:
    """What JSON says. Raises Invalid, which names the field: `overrides[0].input`."""
    said = Said({"overrides": values}, "", OVERRIDES)
    found = said.each("overrides", _override)
    known: set[tuple[str, int]] = set()
    for place, one in enumerate(found):
        if (one.model, one.valid_from_ms) in known:
            text = f"is there twice with the same valid_from_ms: {one.said['model']!r}"
            raise said.wrong(f"overrides[{place}].model", text)
        known.add((one.model, one.valid_from_ms))
    return found


def _override(value: Any, path: str) -> Override:
    said = Said(value, path, OVERRIDE)
    model = said.text("model")
    if not model.isprintable():
        raise said.wrong("model", "must not hold what cannot be printed")
    written = {name: said.money(name) for name in PRICES}
    prices = {name: Fraction(price) for name, price in written.items() if price is not None}
    above_tokens = _tier(said, prices)
    valid_from_ms = ALWAYS_MS if said.any("valid_from_ms") is None else said.number("valid_from_ms")
    kept = {name: said.any(name) for name in OVERRIDE.fields} | {"model": model}
    return Override(model.lower(), valid_from_ms, prices, above_tokens, kept)


def _tier(said: Said, prices: dict[str, Fraction]) -> int:
    """Above how many tokens the higher prices hold; 0: there are none."""
    above_tokens = said.number("above_tokens")
    for name in ("input_above", "output_above"):
        if (name in prices) != (above_tokens > 0):
            raise said.wrong(name, "goes with above_tokens: give above_tokens, input_above and output_above, or none")
    if above_tokens and not prices["input"]:
        raise said.wrong("input", "must be above 0 where there are higher prices")
    return above_tokens
