"""What an operator does to the prices: the list of the operator's own is replaced as a whole."""

from __future__ import annotations

from typing import Any

import orjson

from app.core.money.overrides import check_overrides
from app.core.snapshot import PRICES
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit


def put(catalog: Catalog, values: Any) -> None:
    """Raises Invalid, which names the field, and RedisError."""
    text = orjson.dumps([override.said for override in check_overrides(values)]).decode()
    catalog.change(PRICES, "updated", [Edit("put", PRICES.tables[0], "overrides", text)])
