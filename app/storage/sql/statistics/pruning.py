"""Lets go what is older than statistics are kept, some at a time: no transaction is long."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, func, select

from app.core.statistics.sums.cells import HOUR_MS
from app.core.statistics.sums.spans import HOURS_KEPT_MS, QUARTERS_KEPT_MS
from app.storage.sql.statistics.tables import cells, hours, quarters

UNITS_AT_ONCE_MS: Final = 6 * HOUR_MS
"""What so much of time holds goes in one transaction."""


def prune(connection: Connection, now_ms: int) -> bool:
    """Lets some of it go. Whether more may be left."""
    is_more = False
    for table, kept_ms in ((quarters, QUARTERS_KEPT_MS), (hours, HOURS_KEPT_MS)):
        oldest_ms = connection.scalar(select(func.min(table.c.at_ms)))
        until_ms = now_ms - kept_ms - 2 * HOUR_MS  # whoever asks just now has begun before
        if oldest_ms is None or oldest_ms >= until_ms:
            continue
        connection.execute(delete(table).where(table.c.at_ms < min(until_ms, oldest_ms + UNITS_AT_ONCE_MS)))
        is_more = True
    if not is_more:
        connection.execute(delete(cells).where(cells.c.last_at_ms < now_ms - HOURS_KEPT_MS - 3 * HOUR_MS))
    return is_more
