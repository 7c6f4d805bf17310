"""What an operator does to mappings: each a check and one change of the catalogue."""

from __future__ import annotations

import orjson

from app.core.kinds import Value
from app.core.routing import check_new_prefix, check_spelling, parse_mapping
from app.core.snapshot import MAPPINGS
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit

TARGETS, OPTIONS = MAPPINGS.tables


class MappingExists(ValueError):
    """There is a mapping for this prefix already."""


class MappingNotFound(ValueError):
    """There is no mapping for this prefix."""


def add(catalog: Catalog, prefix: str, target: str, options: dict[str, Value] | None = None) -> None:
    """Raises InvalidMapping, MappingExists, RedisError."""
    parse_mapping(prefix, target)
    check_new_prefix(prefix)
    check_spelling(prefix, catalog.snapshot.routes)
    edits = [Edit("add", TARGETS, prefix, target), *_edits_of(prefix, options)]
    if not catalog.change(MAPPINGS, "added", edits):
        raise MappingExists(f"mapping already exists for prefix: {prefix}")


def update(catalog: Catalog, prefix: str, target: str | None = None, options: dict[str, Value] | None = None) -> None:
    """Changes what is given; the rest stays. Raises InvalidMapping, MappingNotFound, RedisError."""
    edits = [Edit("find", TARGETS, prefix), *_edits_of(prefix, options)]
    if target is not None:
        parse_mapping(prefix, target)
        edits.append(Edit("put", TARGETS, prefix, target))
    if not catalog.change(MAPPINGS, "updated", edits):
        raise MappingNotFound(f"mapping not found for prefix: {prefix}")


def delete(catalog: Catalog, prefix: str) -> None:
    """Raises MappingNotFound, RedisError."""
    edits = [Edit("find", TARGETS, prefix), Edit("delete", TARGETS, prefix), Edit("delete", OPTIONS, prefix)]
    if not catalog.change(MAPPINGS, "deleted", edits):
        raise MappingNotFound(f"mapping not found for prefix: {prefix}")


def _edits_of(prefix: str, options: dict[str, Value] | None) -> list[Edit]:
    """None leaves options as they are, `{}` takes them back."""
    if options is None:
        return []
    return [
        Edit("put", OPTIONS, prefix, orjson.dumps(options).decode()) if options else Edit("delete", OPTIONS, prefix)
    ]
