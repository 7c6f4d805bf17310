"""Edits that a channel asks for, of a request's fields and of its JSON body: what may be said; how fields follow it."""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.core.channels.shape import BODY_RULE, HEADER_RULE, MAX_RULES_BYTES
from app.core.model import BodyRule, HeaderRule
from app.core.said.reading import Said
from app.wire.http.headers import HOP_BY_HOP, Headers

CREDENTIALS = frozenset(
    "authorization proxy-authorization x-api-key x-goog-api-key api-key x-gateway-token cookie".split()
)
PROTECTED = CREDENTIALS | HOP_BY_HOP | {"content-length", "expect", "host"}
"""Fields that no rule touches: credentials, and what frames the request."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_A_FIELD = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_PLACEHOLDER = re.compile(r"\{(client_ip|now_ms|channel|request_id)\}")


def parse_header_rules(said: Said, name: str) -> tuple[HeaderRule, ...]:
    """Raises InvalidChannel."""
    rules = said.each(name, _header_rule)
    _refuse_too_long(said, name, sum(len(rule.name.encode()) + len(rule.value.encode()) for rule in rules))
    return rules


def _header_rule(value: Any, path: str) -> HeaderRule:
    said = Said(value, path, HEADER_RULE)
    action = said.choice("action")
    name = said.text("name")
    if not _TOKEN.fullmatch(name):
        raise said.wrong("name", f"must be a field's name, such as 'User-Agent', not {name!r}")
    if name.lower() in PROTECTED:
        raise said.wrong("name", f"must not be {name!r}: credentials and framing are the gateway's to say")
    text = said.any("value")
    if action == "remove" and text is None:
        return HeaderRule(action, name, "")
    if not isinstance(text, str):
        raise said.wrong("value", "must be a text")
    if _NOT_IN_A_FIELD.search(text):
        raise said.wrong("value", "must be one line without control characters: CR and LF would begin another field")
    return HeaderRule(action, name, text.strip(" \t"))


def parse_body_rules(said: Said, name: str) -> tuple[BodyRule, ...]:
    """Raises InvalidChannel."""
    rules = said.each(name, _body_rule)
    _refuse_too_long(said, name, sum(len(rule.path.encode()) + len(orjson.dumps(rule.value)) for rule in rules))
    return rules


def _body_rule(value: Any, path: str) -> BodyRule:
    said = Said(value, path, BODY_RULE)
    action = said.choice("action")
    where = said.text("path")
    if not all(where.split(".")):
        raise said.wrong(
            "path", f"must be names with dots between them, such as 'generationConfig.topK', not {where!r}"
        )
    if action == "set" and not said.has("value"):
        raise said.wrong("value", "is missing")
    return BodyRule(action, where, said.any("value") if action == "set" else None)


def _refuse_too_long(said: Said, name: str, size: int) -> None:
    if size > MAX_RULES_BYTES:
        raise said.wrong(name, f"have {size:,} bytes of names and values; at most {MAX_RULES_BYTES:,} are possible")


def shown_header_rule(rule: HeaderRule) -> dict[str, str]:
    return {"action": rule.action, "name": rule.name, "value": rule.value}


def shown_body_rule(rule: BodyRule) -> dict[str, Any]:
    if rule.action == "remove":
        return {"action": rule.action, "path": rule.path}
    return {"action": rule.action, "path": rule.path, "value": rule.value}


def edit_fields(fields: Headers, rules: tuple[HeaderRule, ...], filled_in: dict[str, str]) -> Headers:
    """The fields with the rules applied, one after the other.

    `filled_in`: what stands for `{client_ip}`, `{now_ms}`, `{channel}`, `{request_id}`; it must fit into a field.
    `append` adds to the list that a field holds (RFC 9110, 5.3), or the field; `remove` with a value takes just that
    entry out of the list, and the field where nothing is left.
    """
    for rule in rules:
        name = rule.name.lower()
        places = [place for place, field in enumerate(fields) if field[0].lower() == name]
        value = _PLACEHOLDER.sub(lambda found: filled_in.get(found[1], ""), rule.value)
        if rule.action == "append" and places:
            spelled, before = fields[places[-1]]
            value = f"{before}, {value}" if before else value
            fields = [*fields[: places[-1]], (spelled, value), *fields[places[-1] + 1 :]]
            continue
        if rule.action == "remove" and value:
            fields = _without_entry(fields, places, value)
            continue
        kept = [field for place, field in enumerate(fields) if place not in places]
        if rule.action != "remove":
            kept.insert(places[0] if places else len(kept), (rule.name, value))
        fields = kept
    return fields


def _without_entry(fields: Headers, places: list[int], entry: str) -> Headers:
    """Fields that do not hold it stay as they are written."""
    kept: Headers = []
    for place, field in enumerate(fields):
        entries = [one.strip() for one in field[1].split(",")] if place in places else []
        if entry not in entries:
            kept.append(field)
        elif rest := [one for one in entries if one != entry]:
            kept.append((field[0], ", ".join(rest)))
    return kept
