"""The prices in force: the operator's over those of the built-in table. A part of the Snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from app.core.errors import Invalid
from app.core.money.cost import Cost, Price, cost_nano
from app.core.money.overrides import Overrides
from app.core.money.table import PriceTable
from app.core.money.tariff import Tariff, complete, in_place_of, in_tier, to_price
from app.core.usage import Usage

MOST_KNOWN: Final = 2_000
"""Models whose price is remembered: where a channel serves `*`, callers may ask for any."""


class Effective(NamedTuple):
    """What a model costs at a moment, and who says so."""

    tariff: Tariff
    tiers: dict[str, Tariff]
    source: str
    """`override` or `built_in`."""
    name: str
    """By which it was found: the override's model, or the table's."""
    from_ms: int
    until_ms: int
    said: Mapping[str, Any] | None = None
    """As the operator wrote it; None for a built-in price."""


class _Known:
    __slots__ = ("from_ms", "price", "until_ms")

    def __init__(self, price: Price | None, from_ms: int, until_ms: int) -> None:
        self.price = price
        self.from_ms = from_ms
        self.until_ms = until_ms


class Prices:
    """All that was said of them; frozen, but for what it remembers of what was asked."""

    def __init__(
        self, table: PriceTable, overrides: Overrides, text: str = "", rejected: Mapping[str, Invalid] | None = None
    ) -> None:
        """`text` is that of the overrides, by which the version knows them."""
        self.table = table
        self.overrides = overrides
        self.version = _version(table, overrides, text)
        """Another one where any price may be another."""
        self.rejected: Mapping[str, Invalid] = rejected or {}
        self._known: dict[str, _Known] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prices) and self.table == other.table and self.overrides.said == other.overrides.said

    def __hash__(self) -> int:
        return hash(self.version)

    def cost(self, usage: Usage, upstream_model: str, multiplier_nano: int, at_ms: int) -> Cost:
        """What an attempt costs that began at `at_ms`. `multiplier_nano`: `amounts.NANO` for once."""
        price = self.price_of(upstream_model, at_ms) if upstream_model else None
        if usage.source == "absent":
            return Cost(None, price is None and upstream_model != "", self.version)
        nano = cost_nano(price, usage, multiplier_nano) if price is not None else None
        return Cost(nano, nano is None, self.version)

    def price_of(self, upstream_model: str, at_ms: int) -> Price | None:
        """None where there is no price for calls of this model that begin at `at_ms`."""
        known = self._known.get(upstream_model)
        if known is None or not known.from_ms <= at_ms < known.until_ms:
            known = self._find(upstream_model, at_ms)
        return known.price

    def effective(self, model: str, at_ms: int) -> Effective | None:
        """Where a price comes from. None: there is none."""
        quote = self.table.quote(model, at_ms)
        own, from_ms, until_ms = self.overrides.find(model, at_ms)
        if quote is not None:
            from_ms, until_ms = max(from_ms, quote.from_ms), min(until_ms, quote.until_ms)
        if own is not None:
            built_in = quote.tariff if quote is not None else {}
            tariff = in_place_of(built_in, own.tariff(built_in))
            tiers = {
                name: complete(in_tier(built_in, tier, tariff)) for name, tier in (quote.tiers if quote else {}).items()
            }
            return Effective(tariff, tiers, "override", own.said["model"], from_ms, until_ms, own.said)
        if quote is None:
            return None
        return Effective(quote.tariff, quote.tiers, "built_in", quote.name, from_ms, until_ms)

    def _find(self, model: str, at_ms: int) -> _Known:
        found = self.effective(model, at_ms)
        if found is not None:
            price = to_price(found.tariff, found.tiers, found.from_ms, found.until_ms)
            known = _Known(price, found.from_ms, found.until_ms)
        else:
            _, from_ms, until_ms = self.overrides.find(model, at_ms)
            known = _Known(None, from_ms, until_ms)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[model] = known
        return known


def _version(table: PriceTable, overrides: Overrides, text: str) -> str:
    if not overrides.said:
        return table.version or "none"
    own = f"overrides {sha256(text.encode()).hexdigest()[:8]}"
    return f"{table.version}, {own}" if table.version else own


NO_PRICES: Final = Prices(PriceTable(), Overrides())
"""Those of a gateway whose worker never ran, and whose operator said nothing."""
