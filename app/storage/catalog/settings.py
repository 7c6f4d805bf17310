"""What an operator does to the general settings."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.kinds import Value
from app.core.setting_table import SETTINGS as KINDS
from app.core.snapshot import SETTINGS
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit


def change(catalog: Catalog, values: Mapping[str, Value | None]) -> None:
    """Sets what is given; None takes a value back. Raises RedisError."""
    table = SETTINGS.tables[0]
    edits = [
        Edit("delete", table, name) if value is None else Edit("put", table, name, KINDS[name].kind.written(value))
        for name, value in values.items()
    ]
    catalog.change(SETTINGS, "updated", edits)
