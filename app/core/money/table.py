"""The built-in table of prices: one text, in which a model is looked up by its name and read when it is asked for.

Each line is a name in small letters, a tab, and JSON; or, for another name of the same model, `=` and the name where
it stands. As objects the table would cost a process some megabytes, and of its models few are ever called.
The worker writes it (`worker/price_table.py`).

JSON of a model: `{"prices": [...], "tiers": {"flex": [...]}}`. Of `prices` the last whose condition holds counts, of a
tier's the first, for each part by itself. A condition is `from_ms`, or `between` two minutes of the day in UTC. A part
is dollars as text (for how many of it: `tariff.PARTS`), or a list of those and of steps `[tokens, dollars]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

import orjson

from app.core.money.tariff import ANY, PARTS, Steps, Tariff, complete

NAME: Final = "price_table"
"""Of the noun and of its hash, which has the fields version, format and text."""
FORMAT: Final = "1"
"""Grows when an older gateway could not read what a newer worker writes."""
ALWAYS_MS: Final = -(2**62)
NEVER_MS: Final = 2**62
LONGEST_NAME: Final = 300

_DAY_MS: Final = 86_400_000
_MINUTE_MS: Final = 60_000
_SUFFIX: Final = re.compile(
    r"(?:[-@]20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|-20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|-latest)$",
    re.ASCII,
)


def undated(name: str) -> str:
    """A model's name without the date or `-latest` at its end."""
    return _SUFFIX.sub("", name)


class Quote(NamedTuple):
    """What a model costs from one moment to another."""

    name: str
    """As it stands in the table."""
    tariff: Tariff
    tiers: dict[str, Tariff]
    from_ms: int
    until_ms: int


class PriceTable:
    def __init__(self, version: str = "", text: str = "") -> None:
        self.version = version
        """Empty: no worker has written a table."""
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PriceTable) and (self.version, self._text) == (other.version, other._text)

    def __hash__(self) -> int:
        return hash(self.version)

    def __len__(self) -> int:
        """How many names it knows."""
        return self._text.count("\n") - 1 if self._text else 0

    def quote(self, model: str, at_ms: int) -> Quote | None:
        """None for a model that it does not name: a name is looked up as it is, then without a date or `-latest`."""
        name = model.lower()
        text = self._find(name)
        if not text:
            name = undated(name)
            text = self._find(name)
        return _quote(name, text, at_ms) if text else None

    def _find(self, name: str) -> str:
        if not name or len(name) > LONGEST_NAME or "\n" in name or "\t" in name:
            return ""
        for _ in range(2):  # a name leads to another at most once
            line = f"\n{name}\t"
            begin = self._text.find(line) + len(line)
            if begin < len(line):
                return ""
            found = self._text[begin : self._text.index("\n", begin)]
            if not found.startswith("="):
                return found
            name = found[1:]
        return ""


def written(models: Mapping[str, Mapping[str, Any]], aliases: Mapping[str, str]) -> str:
    """The text of a table: JSON by name, and names that stand for others."""
    lines = [f"{name}\t{orjson.dumps(model).decode()}" for name, model in models.items()]
    lines += [f"{alias}\t={name}" for alias, name in aliases.items()]
    return "\n" + "\n".join(lines) + "\n"


def _quote(name: str, text: str, at_ms: int) -> Quote:
    model = orjson.loads(text)
    tiers: Mapping[str, list[dict[str, Any]]] = model.get("tiers", {})
    prices: list[dict[str, Any]] = model["prices"]
    active = next((one for one in reversed(prices) if _holds(one, at_ms)), prices[0])
    tariff = _tariff(active)
    graded = {}
    for tier, variants in tiers.items():
        holding = [_tariff(one) for one in reversed(variants) if _holds(one, at_ms)]
        if holding:
            merged = dict(tariff)
            for one in holding:
                merged |= one
            graded[tier] = complete(merged)
    conditions = [*prices, *(one for variants in tiers.values() for one in variants)]
    edges = [edge for one in conditions for edge in _edges(one, at_ms)]
    from_ms = max((edge for edge in edges if edge <= at_ms), default=ALWAYS_MS)
    until_ms = min((edge for edge in edges if edge > at_ms), default=NEVER_MS)
    return Quote(name, complete(tariff), graded, from_ms, until_ms)


def _holds(one: Mapping[str, Any], at_ms: int) -> bool:
    if "from_ms" in one:
        return bool(at_ms >= one["from_ms"])
    if "between" in one:
        begin, end = map(int, one["between"])
        minute = at_ms % _DAY_MS // _MINUTE_MS
        return begin <= minute < end if begin <= end else minute >= begin or minute < end
    return True


def _edges(one: Mapping[str, Any], at_ms: int) -> list[int]:
    """When its condition begins or ends to hold: the last such moment, and the next."""
    if "from_ms" in one:
        return [one["from_ms"]]
    midnight_ms = at_ms // _DAY_MS * _DAY_MS
    edges = [midnight_ms + minute * _MINUTE_MS for minute in one.get("between", ())]
    return [edge + day * _DAY_MS for edge in edges for day in (-1, 0, 1)]


def _tariff(one: Mapping[str, Any]) -> Tariff:
    return {part: _steps(one[part]) for part in PARTS if part in one}


def _steps(value: Any) -> Steps:
    if isinstance(value, str):
        return [(ANY, Fraction(value))]
    return [(ANY, Fraction(value[0])), *((int(start), Fraction(price)) for start, price in value[1:])]
