"""The request log: its rows by page, one call with its attempts, and how many rows fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
from flask import Blueprint, Response, jsonify

from app.core.money.amounts import show_usd
from app.core.request_log.filters import FILTERS, parse_filter
from app.core.request_log.rows import LogRow
from app.core.request_log.shapes import CALL, ROW, TEXTS
from app.core.said.reading import Said
from app.core.said.shapes import Listed
from app.core.usage import ABSENT, Usage
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.channels import Answer
from app.routes.admin.lists import COUNT, NEXT, PAGED
from app.routes.openapi.operation import operation
from app.storage.request_log.packed import KeptRow
from app.storage.request_log.reading import is_place
from app.waiting import give_way

ROWS_A_STEP: Final = 100


def add_log_routes(admin: Blueprint, gateway: Gateway) -> None:
    log = gateway.request_log

    @admin.get("/logs")
    @operation(query={**FILTERS, **PAGED}, answer={"logs": Listed(ROW), "next": NEXT})
    def list_logs(asked: Said) -> Answer:
        """Lists rows of the request log, newest first."""
        after = asked.text("after")
        if after and not is_place(after):
            raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
        rows, following = log.page(parse_filter(asked), after, asked.number("limit"))
        return _answer(logs=list(written(rows)), next=following or None)

    @admin.get("/logs/count")
    @operation(query=FILTERS, answer={"count": COUNT})
    def count_logs(asked: Said) -> Answer:
        """Counts rows of the request log."""
        return jsonify(success=True, count=log.count(parse_filter(asked)))

    @admin.get("/logs/<request_id>")
    @operation(answer={"request": CALL, "attempts": Listed(ROW)})
    def show_request(request_id: str) -> Answer:
        """Shows a call with all of its attempts, in their order."""
        rows = log.of_request(request_id)
        if not rows:
            text = "no call with this id is in the log: it may have gone on, or it has not ended yet"
            raise AdminError(404, "not_found", text)
        attempts = [_row_answer(one) for one in rows]
        return _answer(request=_whole_call(rows, attempts), attempts=attempts)


def _answer(**said: Any) -> Response:
    return Response(orjson.dumps({"success": True, **said}), mimetype="application/json")


def written(rows: Iterable[KeptRow]) -> Iterator[orjson.Fragment]:
    """Rows as JSON: a long page of them is work without waiting."""
    for number, one in enumerate(rows, 1):
        yield orjson.Fragment(orjson.dumps(_row_answer(one)))
        if number % ROWS_A_STEP == 0:
            give_way()


def _row_answer(kept: KeptRow) -> dict[str, Any]:
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


def _usage_of(row: LogRow) -> Usage:
    return ABSENT if row.usage is None else Usage(*row.usage[: len(Usage._fields)])


def _whole_call(rows: list[KeptRow], attempts: list[dict[str, Any]]) -> dict[str, Any]:
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
