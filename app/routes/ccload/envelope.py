"""The one shape of its answers: `success`, and `data` with `count`, or `error`."""

from __future__ import annotations

from typing import Any, Final

import orjson
from flask import Response, jsonify

from app.core.channels.ccload import in_their_names
from app.core.said.shapes import Anything, Field, Shape, YesOrNo
from app.routes.admin.answers import as_admin_error
from app.routes.openapi.operation import ERROR

CCLOAD_ERROR: Final = Shape(
    {"success": YesOrNo(), **ERROR.fields, "data": Anything(meaning="Of a login that is locked: for how long")},
    optional=("field", "data"),
    title="CcloadError",
)


def enveloped(data: Field, **beside: Field) -> Shape:
    """How the document tells what `answered` answers."""
    return Shape({"success": YesOrNo(), "data": data, **beside})


def answered(data: Any, http_status: int = 200, **beside: Any) -> tuple[Response, int]:
    """`beside`: what stands beside `data`."""
    body = orjson.dumps({"success": True, "data": data, **beside})
    return Response(body, mimetype="application/json"), http_status


def failed(error: Exception) -> tuple[Response, int, dict[str, str]]:
    """Whatever failed. Beside `error` stands what the admin API tells: `code`, and `field` where one is to blame."""
    known = as_admin_error(error)
    text, field = str(known), known.field
    if known.code != "unknown_field":  # that is one of theirs, or of nobody's
        text, field = in_their_names(text, field)
    told: dict[str, Any] = {"success": False, "error": text, "code": known.code}
    if field:
        told["field"] = field
    return jsonify(told), known.status, known.headers
