"""What is stored, and the Snapshot that it means, without a Redis."""

from __future__ import annotations

from app.core.model import Snapshot
from app.core.settings import Limits, Settings
from app.core.snapshot import Stored, Table, build_snapshot


def stored(
    version: int,
    mappings: Table | None = None,
    options: Table | None = None,
    settings: Table | None = None,
    origin: str = "",
) -> Stored:
    tables = {"settings": settings or {}, "mappings": mappings or {}, "mappings:options": options or {}}
    return Stored(version, tables, origin)


def snapshot_of(mappings: Table, options: Table | None = None, **settings: str) -> Snapshot:
    return build_snapshot(stored(7, mappings, options, settings), Limits(), Settings())
