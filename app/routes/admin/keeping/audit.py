"""The audit: who did what by the admin API, newest first."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response

from app.core.audit.asked import ENTRY, FILTERS, parse_filter
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Whole
from app.gateway import Gateway
from app.routes.admin.lists import NEXT, PAGED
from app.routes.openapi.operation import operation
from app.storage.audit.reading import read_page

_LOST = Whole(meaning="Entries that were lost, ever, because the database was away for very long")


def add_audit_route(admin: Blueprint, gateway: Gateway) -> None:
    trail, database = gateway.audit_trail, gateway.database

    @admin.get("/audit")
    @operation(
        "Lists what was changed, shown and given away by this API, newest first. No entry holds a secret.",
        query={**FILTERS, **PAGED},
        answer={"entries": Listed(ENTRY), "next": NEXT, "lost": _LOST},
    )
    def list_audit(asked: Said) -> Response:
        page = read_page(trail, database, parse_filter(asked), asked.number("limit"))
        entries = [entry._asdict() for entry in page.entries]
        answer = {"success": True, "entries": entries, "next": page.following or None, "lost": page.lost}
        return Response(orjson.dumps(answer), mimetype="application/json")
