"""Why a call would go where it would go, asked without making it: no wheel moves and nobody is called."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.core import routing
from app.core.affinity import conversation_of
from app.core.errors import ApiError
from app.core.explaining import Explained, explain
from app.core.model import Mapping, Snapshot
from app.core.said import Said
from app.core.selection import Wanted
from app.gateway import Gateway
from app.proxy.choices import now_ms, preferences_of
from app.proxy.read_request import KEPT
from app.routes.admin.answers import AdminError, read_object
from app.routes.admin.outcome_rules import body_said, headers_said
from app.routes.api_door import channel_of
from app.wire.bodies.reading import reading_of
from app.wire.dialects.asked import Asked, bare_model, dialect_of

FIELDS = ("path", "method", "headers", "body", "token_id")
LOCAL = "local"
CHANNELS = "channels"


def add_explain_route(admin: Blueprint, gateway: Gateway) -> None:
    @admin.post("/explain")
    def explain_call() -> Response:
        said = Said(read_object('{"path": "/v1/chat/completions", "body": {"model": "gpt-5"}}'), "", FIELDS)
        return jsonify(success=True, explanation=_explanation(gateway, said))


def _explanation(gateway: Gateway, said: Said) -> dict[str, Any]:
    target, method = said.text("path", None, 16_384), said.text("method", "POST", 20).upper()
    if not target.startswith("/"):
        raise said.wrong("path", "must begin with a slash, such as /v1/chat/completions")
    if said.any("token_id") not in (None, ""):
        raise AdminError(404, "not_found", "there is no such access token", "token_id")
    fields = {name.lower(): text for name, text in headers_said(said).items()}
    snapshot = gateway.catalog.in_hand()
    told: dict[str, Any] = {
        "dialect": None,
        "model": None,
        "route": None,
        "affinity": None,
        "candidates": [],
        "refused": None,
    }
    mapping, target = routing.match(snapshot, target) or (None, target)
    asked = dialect_of(method, target.partition("?")[0], fields)
    if mapping is not None and not mapping.channel:
        return told | {"route": mapping.prefix}
    if asked is None:
        refused = ApiError(
            404, "mapping_not_found", "no mapping serves this path, and no API has it that channels speak"
        )
        return told | {"route": mapping.prefix if mapping is not None else None, "refused": _refused(refused)}
    told["dialect"], told["route"] = asked.speaks, mapping.prefix if mapping is not None else CHANNELS
    try:
        told["model"], told["affinity"] = _read(asked, fields, body_said(said))
        if asked.lists_models:
            return told | {"route": LOCAL}
        return told | _choice(gateway, snapshot, asked, told["model"] or "", mapping)
    except ApiError as error:
        return told | {"refused": _refused(error)}


def _read(asked: Asked, fields: dict[str, str], body: bytes) -> tuple[str | None, str | None]:
    """Model and conversation. Raises ApiError as the call would be refused."""
    kind = fields.get("content-type", "application/json")
    reading = reading_of(kind, fields.get("content-encoding", ""), KEPT, len(body)) if body else None
    if reading is None:
        model, members = asked.model, {}
    else:
        for _ in reading.feed(body):
            """It is in the admin's hands how long that takes."""
        reading.finish()
        if reading.is_unreadable:
            raise ApiError(400, "invalid_json", "the body is no JSON object, or `model` or `stream` stands twice in it")
        model, members = asked.model or bare_model(asked, reading.members.model), reading.members.values
    if asked.needs_model and not model:
        raise ApiError(400, "model_missing", "the body names no model: send it as `model`")
    return model or None, conversation_of(fields, members, "") or None


def _choice(gateway: Gateway, snapshot: Snapshot, asked: Asked, model: str, mapping: Mapping | None) -> dict[str, Any]:
    only = frozenset((channel_of(snapshot, asked, mapping).id,)) if mapping is not None else None
    wanted, preferences = Wanted(asked.served_by, model, only), preferences_of(snapshot.settings)
    explained = explain(gateway.choosing.health, snapshot.serving, wanted, preferences, now_ms())
    refused = explained.refused
    return {
        "candidates": [_candidate(row) for row in explained.channels],
        "refused": refused and {"status": refused.status, "code": refused.code, "message": refused.message},
    }


def _candidate(row: Explained) -> dict[str, Any]:
    channel = row.candidate.channel
    return {
        "channel_id": channel.id,
        "channel": channel.name,
        "priority": channel.priority,
        "penalty": round(row.penalty, 3),
        "effective_priority": round(row.effective_priority, 3),
        "weight": row.weight,
        "fit_keys": row.fit_keys,
        "rank": row.rank,
        "excluded": row.excluded,
    }


def _refused(error: ApiError) -> dict[str, Any]:
    return {"status": error.status, "code": error.code, "message": error.message}
