"""What a filter of the request log is in SQL."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import ColumnElement, Dialect, and_, func, or_

from app.core.request_log.filters import LogFilter
from app.storage.sql.tables import log_traits, logs

WHOLE_ID: Final = 32
"""Characters of a request's id."""
_PART_OF_ID: Final = re.compile(rf"[0-9a-f]{{1,{WHOLE_ID}}}")

Condition = ColumnElement[bool]


def of_traits(wanted: LogFilter) -> list[Condition]:
    """Which combinations fit, but for `q` and the time."""
    c = log_traits.c
    conditions: list[Condition] = [c[name] == value[: longest(c[name])] for name, value in wanted.exact]
    if wanted.outcomes:
        conditions.append(c.outcome.in_(sorted(wanted.outcomes)))
    statuses: list[Condition] = [c.status.between(n * 100, n * 100 + 99) for n in sorted(wanted.classes)]
    if wanted.statuses:
        statuses.append(c.status.in_(sorted(wanted.statuses)))
    if statuses:
        conditions.append(or_(*statuses))
    if wanted.stream is not None:
        conditions.append(c.stream == wanted.stream)
    if wanted.final is not None:
        conditions.append(c.final == wanted.final)
    return conditions


def longest(column: Any) -> int | None:
    """Characters of a column's texts; None for what has no such bound."""
    length: int | None = getattr(column.type, "length", None)
    return length


def holds(column: Any, text: str, dialect: Dialect) -> Condition:
    """Whether a text stands in another, character by character."""
    find = func.strpos if dialect.name == "postgresql" else func.instr
    found: Condition = find(column, text) > 0
    return found


def may_be_of_an_id(text: str) -> bool:
    return _PART_OF_ID.fullmatch(text) is not None


def in_time(wanted: LogFilter, before: tuple[int, int] | None = None) -> list[Condition]:
    """Of which time rows are; `before`: time and id of the row that older ones shall follow."""
    c = logs.c
    conditions: list[Condition] = []
    if wanted.from_ms is not None:
        conditions.append(c.at_ms >= wanted.from_ms)
    if wanted.to_ms is not None:
        conditions.append(c.at_ms < wanted.to_ms)
    if before is not None:
        at_ms, id = before
        # The first alone says where in an index to begin, which not every database sees in the second.
        conditions += [c.at_ms <= at_ms, or_(c.at_ms < at_ms, and_(c.at_ms == at_ms, c.id < id))]
    return conditions
