"""Prices and usage, put together by a test."""

from __future__ import annotations

from typing import Any

from app.core.money.overrides import Overrides, check_overrides
from app.core.money.prices import Prices
from app.core.money.table import PriceTable, written
from app.core.usage import Usage

COUNTS = ("input", "cached", "cache_write_5m", "cache_write_1h", "output")


def used(reasoning: int | None = 0, **counts: Any) -> Usage:
    """Reported usage; what is no count of tokens stands in `other`."""
    other = {name: value for name, value in counts.items() if name not in COUNTS}
    return Usage(*(counts.get(name, 0) for name in COUNTS), reasoning, "reported", other)


def prices(*overrides: dict[str, Any], **models: dict[str, Any]) -> Prices:
    """A built-in table of these models, and the operator's prices over it."""
    table = PriceTable("t", written({name: {"prices": [parts]} for name, parts in models.items()}, {}))
    return Prices(table, Overrides(check_overrides(list(overrides))))
