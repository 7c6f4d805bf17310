"""Snapshots of a few mappings, for tests that route."""

from __future__ import annotations

from app.core.model import Snapshot
from app.core.routing import Stored, build_snapshot
from app.core.settings import Limits, Settings


def snapshot_of(mappings: dict[str, str], options: dict[str, str] | None = None, **settings: str) -> Snapshot:
    return build_snapshot(Stored(7, mappings, options or {}, settings), Limits(), Settings())
