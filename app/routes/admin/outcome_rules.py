"""The operator's rules before the table of outcomes: shown, replaced, and tried on an answer."""

from __future__ import annotations

import time
from typing import Any

import orjson
from flask import Blueprint, Response, jsonify

from app.core.judging.rules import DIALECTS, OutcomeRule, check_rules, rehearse
from app.core.said import Said
from app.gateway import Gateway
from app.routes.admin.answers import AdminError, read_object
from app.storage.catalog import outcome_rules


def add_outcome_rule_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/outcome-rules")
    def list_rules() -> Response:
        return _told(catalog.in_hand().outcome_rules)

    @admin.put("/outcome-rules")
    def replace_rules() -> Response:
        body = read_object('{"rules": [{"status": "429", "blame": "key", "rest": 60}]}', known=("rules",))
        return _told(outcome_rules.put(catalog, body.get("rules")))

    @admin.post("/outcome-rules/test")
    def try_rules() -> Response:
        """By the rules that are given, or by those in force."""
        body = read_object('{"status": 429, "headers": {}, "body": "..."}')
        said = Said(body, "", ("rules", "status", "headers", "body", "dialect"))
        snapshot = catalog.in_hand()
        rules = snapshot.outcome_rules if said.any("rules") is None else check_rules(said.any("rules"))
        if not said.has("status"):
            raise said.wrong("status", "is missing")
        status = said.number("status", 0, 100, 999)
        dialect = said.choice("dialect", "", ("", *DIALECTS))
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
