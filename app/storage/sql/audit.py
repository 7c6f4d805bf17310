"""Entries of the audit in the database: each once, and pages of them, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select

from app.core.audit.asked import AuditFilter
from app.core.audit.entry import Entry
from app.storage.sql.tables import NAME_LENGTH, WORD_LENGTH, audit

KEPT_DAYS: Final = 400
MOST_ENTRIES: Final = 200_000
_DAY_MS: Final = 86_400_000


def add(connection: Connection, entries: Sequence[Entry]) -> int:
    """How many were new."""
    if not entries:
        return 0
    asked = select(audit.c.id).where(audit.c.id.in_([entry.id for entry in entries]))
    known = set(connection.execute(asked).scalars())
    new = {entry.id: entry for entry in entries if entry.id not in known}
    if new:
        connection.execute(audit.insert(), [_values(entry) for entry in new.values()])
    return len(new)


def page(connection: Connection, wanted: AuditFilter, limit: int) -> list[Entry]:
    """The first so many of those that are wanted, newest first."""
    asked = select(audit).where(*_conditions(wanted)).order_by(audit.c.at_ms.desc(), audit.c.id.desc()).limit(limit)
    return [
        Entry(row.id, row.at_ms, row.who, row.action, row.object, _read(row.before), _read(row.after))
        for row in connection.execute(asked)
    ]


def prune(connection: Connection, now_ms: int) -> int:
    """Takes out what is too old, and the oldest of too many. How many."""
    first_ms = now_ms - KEPT_DAYS * _DAY_MS
    if connection.execute(select(func.count()).select_from(audit)).scalar_one() > MOST_ENTRIES:
        newest = select(audit.c.at_ms).order_by(audit.c.at_ms.desc(), audit.c.id.desc()).offset(MOST_ENTRIES).limit(1)
        first_ms = max(first_ms, connection.execute(newest).scalar_one() + 1)
    return connection.execute(delete(audit).where(audit.c.at_ms < first_ms)).rowcount


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.from_ms is not None:
        conditions.append(audit.c.at_ms >= wanted.from_ms)
    if wanted.to_ms is not None:
        conditions.append(audit.c.at_ms < wanted.to_ms)
    if wanted.action:
        conditions.append(audit.c.action == wanted.action)
    for column, part in ((audit.c.object, wanted.object), (audit.c.who, wanted.who)):
        if part:
            conditions.append(func.lower(column).contains(part.lower(), autoescape=True))
    if wanted.after is not None:
        at_ms, id = wanted.after
        conditions.append(or_(audit.c.at_ms < at_ms, and_(audit.c.at_ms == at_ms, audit.c.id < id)))
    return conditions


def _values(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id[:WORD_LENGTH],
        "at_ms": entry.at_ms,
        "who": entry.who[:NAME_LENGTH],
        "action": entry.action[:WORD_LENGTH],
        "object": entry.object[:NAME_LENGTH],
        "before": None if entry.before is None else orjson.dumps(entry.before).decode(),
        "after": None if entry.after is None else orjson.dumps(entry.after).decode(),
    }


def _read(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
