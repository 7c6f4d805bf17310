"""Calls that have not ended, of all processes; and how the operator ends one."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify

from app.core.request_log.running import RUNNING_CALL, running_call
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Text, Whole
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.keeping.acts import tell
from app.routes.admin.lists import NEXT, PAGED
from app.routes.openapi.operation import operation
from app.storage.active.asking import NEWEST, ProcessSilent
from app.storage.active.keeper import Place

_COUNT: Final = Whole(meaning="Of all that go on, in all processes")
_TOLD: Final = ("token", "client", "mapping", "channel", "model", "state", "bytes", "started_at_ms")
"""What the audit says of a call that was ended."""


def add_active_routes(admin: Blueprint, gateway: Gateway) -> None:
    active = gateway.active

    @admin.get("/active")
    @operation(
        "Lists the calls that have not ended, of all processes, newest first.",
        query=PAGED,
        answer={"active": Listed(RUNNING_CALL), "count": _COUNT, "next": NEXT},
    )
    def list_active(asked: Said) -> Response:
        page = active.page(_place(asked.text("after")), asked.number("limit"))
        calls = [running_call(call.event, call.process) for call in page.calls]
        following = f"{page.following[0]}-{page.following[1]}" if page.following is not None else None
        return jsonify(success=True, active=calls, count=page.total, next=following)

    @admin.delete("/active/<call_id>")
    @operation(
        "Ends a call that goes on, and what was asked of an upstream for it. Its client is told.", answer={"id": Text()}
    )
    def end_active(call_id: str) -> Response:
        try:
            ended = active.end(call_id)
        except ProcessSilent:
            text = "the process that has this call does not answer: it ends the call as soon as it does, if it lives"
            raise AdminError(503, "process_silent", text) from None
        if ended is None:
            raise AdminError(404, "not_found", "no call with this id goes on: it has ended, or there was none")
        call = running_call(ended.event, ended.process)
        tell(before={name: call[name] for name in _TOLD if call[name] is not None})
        return jsonify(success=True, id=call_id)


def _place(after: str) -> Place:
    if not after:
        return NEWEST
    at_ms, dash, request_id = after.partition("-")
    if not (dash and at_ms.isascii() and at_ms.isdecimal() and len(at_ms) <= 13):
        raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
    return int(at_ms), request_id
