"""Makes tables and indexes that are not there yet, with which a migration that was cut off begins anew."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import inspect


def make_table(name: str, *parts: Any, **options: Any) -> None:
    """`op.create_table`, with indexes made by `make_index`: those of a table that stands may lack."""
    if not inspect(op.get_bind()).has_table(name):
        op.create_table(name, *parts, **options)


def make_index(name: str, table: str, *columns: str, unique: bool = False) -> None:
    known = {index["name"] for index in inspect(op.get_bind()).get_indexes(table)}
    if name not in known:
        op.create_index(name, table, list(columns), unique=unique)
