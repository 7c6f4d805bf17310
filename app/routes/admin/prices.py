"""What models cost: the operator's own prices, which models lack one, and what a call of a model would cost."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.money.amounts import NANO, rounded, show_usd
from app.core.money.overrides import LATEST_MS, OVERRIDE, OVERRIDES
from app.core.money.prices import Effective, Prices
from app.core.money.table import ALWAYS_MS, NEVER_MS
from app.core.money.tariff import Tariff, price_at, starts
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Named, Shape, Text, Usd, Whole, YesOrNo
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.openapi.operation import Body, operation
from app.storage.catalog import prices
from app.storage.costs.stored import StoredCosts, UnpricedModel

NO_TABLE = "no worker has stored the built-in prices yet: models without a price of yours are unpriced"
KEPT_MS = 30 * 86_400_000
"""So long a model that nobody calls any more is told of."""
NAMED = ("input", "output", "cached", "cache_write_5m", "cache_write_1h")

_PRICES = {
    "success": YesOrNo(),
    "count": Whole(),
    "overrides": Listed(OVERRIDE),
    "price_version": Text(),
    "built_in": Shape({"version": Text(is_null=True), "models": Whole(), "warning": Text(is_null=True)}),
    "unpriced": Listed(Shape({"model": Text(), "requests": Whole(), "last_at_ms": Whole()})),
}
_REPLACED = Body(
    Shape(OVERRIDES.fields, _PRICES), {"overrides": [{"model": "gpt-5*", "input": "1.25", "output": "10"}]}
)
_ASKED = {
    "model": Text(is_needed=True, example="gpt-5", meaning="As the upstream is asked for it"),
    "at_ms": Whole(0, 0, LATEST_MS, is_null=True, meaning="When; left out: now"),
}
_PARTS = Shape({name: Usd() for name in NAMED})
_EFFECTIVE = {
    "price": Shape(
        {
            **OVERRIDE.fields,
            **_PARTS.fields,
            "valid_until_ms": Whole(is_null=True),
            "other": Named(Usd()),
            "service_tiers": Named(_PARTS),
        },
        is_null=True,
    ),
    "source": Text(is_null=True, meaning="override or built_in"),
    "price_version": Text(),
}


def add_price_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog, costs = gateway.catalog, StoredCosts(gateway.redis, "")

    @admin.get("/prices")
    @operation("Lists the operator's prices, and the models without a price.", answer=_PRICES)
    def list_prices() -> Response:
        return _told(catalog.in_hand().prices, costs)

    @admin.put("/prices")
    @operation("Puts other prices in place of all of the operator's.", body=_REPLACED, answer=_PRICES)
    def replace_prices(said: Said) -> Response:
        prices.put(catalog, said.any("overrides"))
        return _told(catalog.in_hand().prices, costs)

    @admin.get("/prices/effective")
    @operation("Tells what a model costs, and who says so.", query=_ASKED, answer=_EFFECTIVE)
    def effective_price(asked: Said) -> Response:
        model, at_ms = asked.text("model"), asked.number("at_ms") if asked.has("at_ms") else now_ms()
        known = catalog.in_hand().prices
        found = known.effective(model, at_ms)
        return jsonify(
            success=True,
            price=_shown(found) if found is not None else None,
            source=found.source if found is not None else None,
            price_version=known.version,
        )


def _told(known: Prices, costs: StoredCosts) -> Response:
    overrides = [override.said for override in known.overrides.said]
    table = known.table
    built_in = {"version": table.version or None, "models": len(table), "warning": None if table.version else NO_TABLE}
    unpriced = [
        {"model": one.model, "requests": one.requests, "last_at_ms": one.last_at_ms}
        for one in unpriced_models(known, costs, now_ms())
    ]
    return jsonify(
        success=True,
        count=len(overrides),
        overrides=overrides,
        price_version=known.version,
        built_in=built_in,
        unpriced=unpriced,
    )


def unpriced_models(known: Prices, costs: StoredCosts, at_ms: int) -> list[UnpricedModel]:
    """Models that were called lately and have no price. Raises RedisError."""
    return [one for one in costs.unpriced() if _is_unpriced(known, one, at_ms)]


def _is_unpriced(known: Prices, one: UnpricedModel, at_ms: int) -> bool:
    """Whether calls of it would be so still: where only a part lacked a price, under the same prices."""
    if at_ms - one.last_at_ms > KEPT_MS:
        return False
    return one.version == known.version or known.price_of(one.model, at_ms) is None


def _shown(found: Effective) -> dict[str, Any]:
    """In the form of an override; what was not said, as it is reckoned with."""
    tariff = found.tariff
    steps = starts(tariff)
    price: dict[str, Any] = {"model": found.name, **{part: _usd(tariff, part, 0) for part in NAMED}}
    price["above_tokens"] = steps[0] if steps else None
    for part in ("input", "output"):
        price[f"{part}_above"] = _usd(tariff, part, steps[0] + 1) if steps else None
    price["valid_from_ms"] = found.from_ms if found.from_ms > ALWAYS_MS else None
    price["valid_until_ms"] = found.until_ms if found.until_ms < NEVER_MS else None
    price["other"] = {part: _usd(tariff, part, 0) for part in tariff if part not in NAMED}
    price["service_tiers"] = {name: {part: _usd(tier, part, 0) for part in NAMED} for name, tier in found.tiers.items()}
    said = {} if found.said is None else found.said
    return price | {name: value for name, value in said.items() if value is not None}


def _usd(tariff: Tariff, part: str, tokens: int) -> str:
    price: Fraction = price_at(tariff, part, tokens) * NANO
    return show_usd(rounded(price.numerator, price.denominator))
