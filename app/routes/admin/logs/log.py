"""The request log: its rows by page and as a file, one call with its attempts, and how many rows fit."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, jsonify

from app.core.request_log.filters import FILTERS, parse_filter
from app.core.request_log.shapes import BODIES, CALL, ROW
from app.core.said.reading import Said
from app.core.said.shapes import Listed, OneOf, Whole, YesOrNo
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.channels import Answer
from app.routes.admin.lists import NEXT, PAGED
from app.routes.admin.logs.export import TYPES, export_answer
from app.routes.admin.logs.row_answers import call_answer, row_answer, written
from app.routes.openapi.operation import operation
from app.storage.request_log.pruning_orders import PruningOrders
from app.storage.request_log.reading import RequestLog, is_place

COUNTED = {
    "count": Whole(meaning="Of all that match"),
    "is_more": YesOrNo(meaning="Whether counting was given up there, and there may be more"),
}
PRUNED = {
    "removed": Whole(meaning="Rows"),
    "bytes": Whole(meaning="What the log takes now, with its journal"),
}
FORMAT = {"format": OneOf(tuple(TYPES), default="csv")}


def add_log_routes(admin: Blueprint, gateway: Gateway) -> None:
    _add_lists(admin, RequestLog(gateway.database))
    _add_call(admin, gateway)
    orders = PruningOrders(gateway.redis)

    @admin.post("/logs/prune")
    @operation(
        "Removes what is older than log_retention_days, or more than log_max_bytes hold. The worker does it, now.",
        answer=PRUNED,
    )
    def prune_logs() -> Answer:
        return jsonify(success=True, **orders.order()._asdict())


def _add_lists(admin: Blueprint, log: RequestLog) -> None:
    @admin.get("/logs")
    @operation(
        "Lists rows of the request log, newest first.",
        query={**FILTERS, **PAGED},
        answer={"logs": Listed(ROW), "next": NEXT},
    )
    def list_logs(asked: Said) -> Answer:
        after = asked.text("after")
        if after and not is_place(after):
            raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
        rows, following = log.page(parse_filter(asked), after, asked.number("limit"))
        return _answer(logs=list(written(rows)), next=following or None)

    @admin.get("/logs/count")
    @operation("Counts rows of the request log.", query=FILTERS, answer=COUNTED)
    def count_logs(asked: Said) -> Answer:
        count, is_more = log.count(parse_filter(asked))
        return jsonify(success=True, count=count, is_more=is_more)

    @admin.get("/logs/export")
    @operation(
        "Shows rows of the request log as a file, newest first: all that match.",
        query={**FORMAT, **FILTERS},
        answer=tuple(TYPES.values()),
    )
    def export_logs(asked: Said) -> Answer:
        return export_answer(log, parse_filter(asked), asked.choice("format"))


def _add_call(admin: Blueprint, gateway: Gateway) -> None:
    log = RequestLog(gateway.database)

    @admin.get("/logs/<request_id>")
    @operation(
        "Shows a call with all of its attempts, in their order, and its bodies while they are kept.",
        answer={"request": CALL, "attempts": Listed(ROW), "bodies": BODIES},
    )
    def show_request(request_id: str) -> Answer:
        rows = log.of_request(request_id)
        if not rows:
            text = "no call with this id is in the log: it may have gone on, or it has not ended yet"
            raise AdminError(404, "not_found", text)
        attempts = [row_answer(one) for one in rows]
        bodies = gateway.bodies.stored.get(request_id)
        return _answer(request=call_answer(rows, attempts), attempts=attempts, bodies=bodies)


def _answer(**said: Any) -> Response:
    return Response(orjson.dumps({"success": True, **said}), mimetype="application/json")
