"""The operator's rules before the table of outcomes: shown, replaced, and tried on an answer."""

from __future__ import annotations

import time
from typing import Any

import orjson
from flask import Blueprint, Response, jsonify

from app.core.judging.rules import DIALECTS, MOST_RULES, RULE, RULES, OutcomeRule, check_rules, rehearse
from app.core.said.reading import Said
from app.core.said.shapes import Anything, Listed, Named, OneOf, Real, Shape, Text, Whole, YesOrNo
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.openapi.operation import Body, operation
from app.storage.catalog import outcome_rules

_RULES = {"success": YesOrNo(), "count": Whole(), "rules": Listed(RULE)}
_REPLACED = Body(
    Shape(RULES.fields, _RULES),
    {"rules": [{"status": "429", "blame": "key", "rest": 60}]},
)
_TRIED = Body(
    Shape(
        {
            "rules": Listed(RULE, MOST_RULES, meaning="Left out: those in force"),
            "status": Whole(0, 100, 999, is_needed=True),
            "headers": Named(Text()),
            "body": Anything(meaning="A text, or JSON"),
            "dialect": OneOf(("", *DIALECTS), ""),
        }
    ),
    {"status": 429, "headers": {}, "body": "slow down"},
)
_FOUND = {
    "outcome": Text(),
    "blame": Text(),
    "rest_s": Real(is_null=True, meaning="The first rest; null: nobody rests"),
    "blacklist": YesOrNo(),
    "rule": Whole(is_null=True, meaning="The place of the rule that decided, from 0; null: none did"),
}


def add_outcome_rule_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/outcome-rules")
    @operation("Lists the rules, in the order in which they are tried.", answer=_RULES)
    def list_rules() -> Response:
        return _told(catalog.in_hand().outcome_rules)

    @admin.put("/outcome-rules")
    @operation("Puts other rules in place of all.", body=_REPLACED, answer=_RULES)
    def replace_rules(said: Said) -> Response:
        return _told(outcome_rules.put(catalog, said.any("rules")))

    @admin.post("/outcome-rules/test")
    @operation(
        "Tells how an answer would be judged, by rules that are given or by those in force.",
        body=_TRIED,
        answer=_FOUND,
        audited=False,
    )
    def try_rules(said: Said) -> Response:
        snapshot = catalog.in_hand()
        rules = snapshot.outcome_rules if said.any("rules") is None else check_rules(said.any("rules"))
        status, dialect = said.number("status"), said.choice("dialect")
        found = rehearse(
            rules, status, headers_said(said), body_said(said), snapshot.settings, time.time(), dialect=dialect
        )
        return jsonify(success=True, **found._asdict())


def _told(rules: tuple[OutcomeRule, ...]) -> Response:
    return jsonify(success=True, count=len(rules), rules=[dict(rule.said) for rule in rules])


def headers_said(said: Said) -> dict[str, str]:
    """An object of names and texts. Raises AdminError."""
    value = {} if said.any("headers") is None else said.any("headers")
    if not isinstance(value, dict):
        raise said.wrong("headers", "must be an object of names and texts")
    for name, text in value.items():
        if not isinstance(text, str):
            raise AdminError(400, "invalid", f"headers.{name} must be a text", f"headers.{name}")
    return value


def body_said(said: Said) -> bytes:
    """A text as it is, else the JSON that stands there."""
    value: Any = said.any("body")
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else orjson.dumps(value)
