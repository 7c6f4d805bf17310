"""The operator's own prices, over those of the built-in table: checked, and found by a model's name."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar, Final, Literal, NamedTuple

from app.core.errors import Invalid
from app.core.money.amounts import parse_usd
from app.core.money.table import ALWAYS_MS, LONGEST_NAME, NEVER_MS
from app.core.money.tariff import ANY, Tariff, ratio, scaled
from app.core.patterns import fits

MOST: Final = 1_000
PRICES: Final = ("input", "output", "cached", "cache_write_5m", "cache_write_1h", "input_above", "output_above")
FIELDS: Final = (
    "model", "input", "output", "cached", "cache_write_5m", "cache_write_1h", "above_tokens", "input_above",
    "output_above", "valid_from_ms",
)  # fmt: skip
_LATEST_MS: Final = 253_402_300_799_999  # the end of the year 9999
_MOST_TOKENS: Final = 1_000_000_000


class InvalidPrice(Invalid):
    """A price that cannot be."""


class UnknownPriceField(InvalidPrice):
    """A price with a field that prices have not."""

    code: ClassVar[Literal["invalid", "unknown_field"]] = "unknown_field"


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
    """What JSON says. Raises InvalidPrice, which names the field: `overrides[0].input`."""
    if not isinstance(values, list):
        raise InvalidPrice("overrides must be a list", "overrides")
    if len(values) > MOST:
        raise InvalidPrice(f"there may be {MOST:,} overrides, not {len(values):,}", "overrides")
    found = tuple(_check(value, f"overrides[{place}]") for place, value in enumerate(values))
    known: set[tuple[str, int]] = set()
    for place, one in enumerate(found):
        if (one.model, one.valid_from_ms) in known:
            text = f"overrides[{place}].model is there twice with the same valid_from_ms: {one.said['model']!r}"
            raise InvalidPrice(text, f"overrides[{place}].model")
        known.add((one.model, one.valid_from_ms))
    return found


def _check(value: Any, path: str) -> Override:
    if not isinstance(value, dict):
        raise InvalidPrice(f"{path} must be an object", path)
    for name in value:
        if name not in FIELDS:
            text = f"a price has no field {name!r}; there are {', '.join(FIELDS)}"
            raise UnknownPriceField(text, f"{path}.{name}")
    model = value.get("model")
    if not isinstance(model, str) or not model.strip() or len(model) > LONGEST_NAME or not model.isprintable():
        text = f"{path}.model must be the name that the upstream is asked for, at most {LONGEST_NAME} characters"
        raise InvalidPrice(f"{text}; * stands for any text in it", f"{path}.model")
    model = model.strip()
    prices = {name: _price(value, name, path) for name in PRICES if value.get(name) is not None}
    for name in ("input", "output"):
        if name not in prices:
            raise InvalidPrice(f"{path}.{name} is missing: dollars a million tokens, such as '2.50'", f"{path}.{name}")
    above_tokens = _tier(value, prices, path)
    valid_from_ms = _whole(value, "valid_from_ms", path, 0, _LATEST_MS)
    said = {name: value.get(name) for name in FIELDS} | {"model": model}
    return Override(model.lower(), ALWAYS_MS if valid_from_ms is None else valid_from_ms, prices, above_tokens, said)


def _tier(value: dict[str, Any], prices: dict[str, Fraction], path: str) -> int:
    """Above how many tokens the higher prices hold; 0: there are none."""
    above_tokens = _whole(value, "above_tokens", path, 0, _MOST_TOKENS) or 0
    for name in ("input_above", "output_above"):
        if (name in prices) != (above_tokens > 0):
            text = f"{path}.{name} goes with above_tokens: give above_tokens, input_above and output_above, or none"
            raise InvalidPrice(text, f"{path}.{name}")
    if above_tokens and not prices["input"]:
        raise InvalidPrice(f"{path}.input must be above 0 where there are higher prices", f"{path}.input")
    return above_tokens


def _price(value: dict[str, Any], name: str, path: str) -> Fraction:
    try:
        parse_usd(value[name])
    except ValueError as error:
        raise InvalidPrice(f"{path}.{name} {error}", f"{path}.{name}") from None
    return Fraction(value[name])


def _whole(value: dict[str, Any], name: str, path: str, lowest: int, highest: int) -> int | None:
    number = value.get(name)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not lowest <= number <= highest:
        raise InvalidPrice(f"{path}.{name} must be a whole number from {lowest:,} to {highest:,}", f"{path}.{name}")
    return number
