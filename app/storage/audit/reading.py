"""Pages of the audit: what is in the database, and what waits to be written there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app.core.audit.asked import AuditFilter, place_of
from app.core.audit.entry import Entry
from app.storage.audit.trail import AuditTrail
from app.storage.sql.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Page(NamedTuple):
    entries: list[Entry]
    following: str
    """Where the next begins; empty: there is none."""
    lost: int


def read_page(trail: AuditTrail, database: Database, wanted: AuditFilter, limit: int) -> Page:
    """Newest first. Raises RedisError, DatabaseAway, DatabaseElsewhere."""
    waiting = trail.waiting()

    def read(connection: Connection) -> list[Entry]:
        from app.storage.sql.audit import page

        return page(connection, wanted, limit + 1)

    found = {entry.id: entry for entry in waiting.entries if wanted.fits(entry)}
    found |= {entry.id: entry for entry in database.run(read)}
    ordered = sorted(found.values(), key=lambda entry: (entry.at_ms, entry.id), reverse=True)
    following = place_of(ordered[limit - 1]) if len(ordered) > limit else ""
    return Page(ordered[:limit], following, waiting.lost)
