"""Prices and usage, put together by a test, and the built-in table as the worker stores it."""

from __future__ import annotations

from typing import Any

from app.core.money.overrides import Overrides, check_overrides
from app.core.money.prices import Prices
from app.core.money.table import FORMAT, PriceTable, written
from app.core.usage import Usage
from app.storage.connections import MAPPINGS_UPDATES, TABLE, Redis

_KEY = f"{TABLE}price_table"
COUNTS = ("input", "cached", "cache_write_5m", "cache_write_1h", "output")


def used(reasoning: int | None = 0, **counts: Any) -> Usage:
    """Reported usage; what is no count of tokens stands in `other`."""
    other = {name: value for name, value in counts.items() if name not in COUNTS}
    return Usage(*(counts.get(name, 0) for name in COUNTS), reasoning, "reported", other)


def prices(*overrides: dict[str, Any], **models: dict[str, Any]) -> Prices:
    """A built-in table of these models, and the operator's prices over it."""
    table = PriceTable("t", written({name: {"prices": [parts]} for name, parts in models.items()}, {}))
    return Prices(table, Overrides(check_overrides(list(overrides))))


def store_table(redis: Redis, version: str, models: dict[str, Any]) -> None:
    """As the worker does."""
    redis.hset(_KEY, mapping={"version": version, "format": FORMAT, "text": written(models, {})})
    redis.publish(MAPPINGS_UPDATES, "price_table_updated")


def forget_table(redis: Redis) -> None:
    """A table that goes whole is taken for lost; this one is as if no worker ever ran."""
    redis.hset(_KEY, mapping={"version": "", "format": "", "text": ""})
    redis.publish(MAPPINGS_UPDATES, "price_table_updated")
