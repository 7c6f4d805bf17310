"""What a person should act upon, gathered from all that the gateway knows."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.core.said.shapes import Listed, OneOf, Shape, Text
from app.core.warnings.warning import KINDS, Severity, told
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.warnings.facts import Facts
from app.routes.openapi.operation import operation

WARNING = Shape(
    {
        "code": OneOf(tuple(KINDS), meaning="For programs; stable"),
        "message": Text(meaning="What it is about stands behind the first colon"),
        "severity": OneOf(tuple(severity.value for severity in Severity)),
        "link": Text(meaning="A view of /admin where it is mended, such as #/channels, or a chapter of the documents"),
    },
    title="Warning",
)


def add_warning_route(admin: Blueprint, gateway: Gateway) -> None:
    facts = Facts(gateway)

    @admin.get("/warnings")
    @operation("Lists what a person should act upon, the worst first.", answer={"warnings": Listed(WARNING)})
    def list_warnings() -> Response:
        found = told(facts.warnings(now_ms()))
        return jsonify(success=True, warnings=[one._asdict() | {"severity": one.severity.value} for one in found])
