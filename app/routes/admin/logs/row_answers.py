"""Rows of the request log as they are told, and calls made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from app.core.money.amounts import show_usd
from app.core.request_log.rows import LogRow
from app.core.request_log.shapes import TEXTS
from app.core.usage import ABSENT, Usage
from app.storage.request_log.kept_row import KeptRow
from app.waiting import give_way

ROWS_A_STEP: Final = 100


def written(rows: Iterable[KeptRow]) -> Iterator[orjson.Fragment]:
    """Rows as JSON: a long page of them is work without waiting."""
    for number, one in enumerate(rows, 1):
        yield orjson.Fragment(orjson.dumps(row_answer(one)))
        if number % ROWS_A_STEP == 0:
            give_way()


def row_answer(kept: KeptRow) -> dict[str, Any]:
    """A row in the shape of the API."""
    row = kept.row
    answer: dict[str, Any] = {"id": str(kept.id), **row._asdict()}
    for name in TEXTS:
        answer[name] = answer[name] or None
    answer["status"] = row.status or None
    answer["usage"] = _usage_of(row)._asdict()
    del answer["attempts"]
    cost_nano = answer.pop("cost_nano")
    answer["cost_usd"] = None if cost_nano is None else show_usd(cost_nano)
    return answer


def call_answer(rows: list[KeptRow], attempts: list[dict[str, Any]]) -> dict[str, Any]:
    """The call as its caller saw it: what its final row says, and times from the request's head on."""
    place = next((number for number, one in enumerate(rows) if one.row.final), -1)
    answer = {name: value for name, value in attempts[place].items() if name not in ("id", "attempt", "final")}
    first, last, seen = rows[0].row, rows[-1].row, rows[place].row
    waited_ms = seen.at_ms - first.at_ms
    answer["at_ms"] = first.at_ms
    answer["duration_ms"] = round(last.at_ms - first.at_ms + last.duration_ms, 1)
    for name in ("first_byte_ms", "first_content_ms"):
        answer[name] = None if answer[name] is None else round(answer[name] + waited_ms, 1)
    return answer | {"attempts": last.attempt}


def _usage_of(row: LogRow) -> Usage:
    return ABSENT if row.usage is None else Usage(*row.usage[: len(Usage._fields)])
