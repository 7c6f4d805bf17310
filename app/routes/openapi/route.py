"""GET /api/openapi.json: made when it is first asked for, and kept."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, current_app, request

from app.core.said.shapes import Anything, Named, Shape, Text
from app.routes.openapi.document import document
from app.routes.openapi.operation import operation
from app.routes.prepared import Prepared
from app.waiting import give_way

_ANY = Anything()
_DOCUMENT = Shape(
    {
        "openapi": Text(),
        "info": Named(_ANY),
        "servers": _ANY,
        "security": _ANY,
        "paths": Named(_ANY),
        "components": Named(_ANY),
    }
)


def add_openapi_route(admin: Blueprint) -> None:
    made: list[Prepared] = []

    @admin.get("/openapi.json")
    @operation("Tells this document.", answer=_DOCUMENT, group="openapi")
    def show_document() -> Response:
        if not made:
            told = document(current_app.url_map, current_app.view_functions, give_way)
            made[:] = [Prepared(orjson.dumps(told))]
        return made[0].answer(request, {"Cache-Control": "private, no-cache"})
