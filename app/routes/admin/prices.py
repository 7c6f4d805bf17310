"""What models cost: the operator's own prices, which models lack one, and what a call of a model would cost."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.money.amounts import NANO, rounded, show_usd
from app.core.money.prices import Effective, Prices
from app.core.money.table import ALWAYS_MS, NEVER_MS
from app.core.money.tariff import Tariff, price_at, starts
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError, read_object
from app.storage.catalog import prices
from app.storage.costs.stored import StoredCosts, UnpricedModel

READ_ONLY = ("count", "price_version", "built_in", "unpriced", "success")
"""What GET answers with the overrides: passed over where it comes back."""
NO_TABLE = "no worker has stored the built-in prices yet: models without a price of yours are unpriced"
LATEST_MS = 253_402_300_799_999
KEPT_MS = 30 * 86_400_000
"""So long a model that nobody calls any more is told of."""
NAMED = ("input", "output", "cached", "cache_write_5m", "cache_write_1h")


def add_price_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog, costs = gateway.catalog, StoredCosts(gateway.redis, "")

    @admin.get("/prices")
    def list_prices() -> Response:
        return _told(catalog.in_hand().prices, costs)

    @admin.put("/prices")
    def replace_prices() -> Response:
        example = '{"overrides": [{"model": "gpt-5*", "input": "1.25", "output": "10"}]}'
        body = read_object(example, known=("overrides", *READ_ONLY))
        prices.put(catalog, body.get("overrides"))
        return _told(catalog.in_hand().prices, costs)

    @admin.get("/prices/effective")
    def effective_price() -> Response:
        model = request.args.get("model", "").strip()
        if not model:
            raise AdminError(400, "invalid", "model is missing: the name that the upstream is asked for", "model")
        known, at_ms = catalog.in_hand().prices, _at_ms(request.args.get("at_ms", ""))
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
    at_ms = now_ms()
    unpriced = [
        {"model": one.model, "requests": one.requests, "last_at_ms": one.last_at_ms}
        for one in costs.unpriced()
        if _is_unpriced(known, one, at_ms)
    ]
    return jsonify(
        success=True,
        count=len(overrides),
        overrides=overrides,
        price_version=known.version,
        built_in=built_in,
        unpriced=unpriced,
    )


def _is_unpriced(known: Prices, one: UnpricedModel, at_ms: int) -> bool:
    """Whether calls of it would be so still: where only a part lacked a price, under the same prices."""
    if at_ms - one.last_at_ms > KEPT_MS:
        return False
    return one.version == known.version or known.price_of(one.model, at_ms) is None


def _at_ms(text: str) -> int:
    if not text:
        return now_ms()
    if not text.isdecimal() or int(text) > LATEST_MS:
        raise AdminError(400, "invalid", "at_ms must be a time in ms since 1970, such as 1767225600000", "at_ms")
    return int(text)


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
