"""Why a call would go where it would go, asked without making it: no wheel moves and nobody is called."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.core import routing
from app.core.callers.access import ANONYMOUS, AccessTokens, check_good
from app.core.callers.permissions import check_call, check_mapping, reach_of
from app.core.choosing.exclusions import Refusal
from app.core.choosing.explaining import Explained, explain
from app.core.choosing.selection import Wanted
from app.core.errors import ApiError
from app.core.model import AccessToken, Mapping, Snapshot
from app.core.said.reading import Said
from app.core.said.shapes import Anything, Listed, Named, Real, Shape, Text, Whole
from app.gateway import Gateway
from app.proxy.api.choices import now_ms, preferences_of
from app.proxy.api.read_request import read_request
from app.proxy.api.request import ApiRequest
from app.proxy.own_request import own_inbound
from app.routes.admin.answers import AdminError
from app.routes.admin.outcome_rules import body_said, headers_said
from app.routes.admin.tokens import find_token
from app.routes.api_door import channel_of
from app.routes.openapi.operation import Body, operation
from app.storage.catalog.access_tokens import AccessTokenNotFound
from app.wire.dialects.asked import Asked, dialect_of
from app.wire.dialects.credentials import credentials, query_without_key, without_own
from app.wire.http.headers import Headers, by_name, find

_CALL = Body(
    Shape(
        {
            "path": Text(16_384, is_needed=True, pattern="^/", example="/v1/chat/completions"),
            "method": Text(20, "POST"),
            "headers": Named(Text()),
            "body": Anything(meaning="A text, or JSON"),
            "token_id": Text(30, meaning="Of the access token; empty: the one that headers or path show"),
        }
    ),
    {"path": "/v1/chat/completions", "body": {"model": "gpt-5"}},
)
_EXPLAINED = Shape(
    {
        "dialect": Text(is_null=True),
        "model": Text(is_null=True),
        "route": Text(is_null=True, meaning="A mapping's prefix, channels, or local"),
        "affinity": Text(is_null=True, meaning="Which channel and key its conversation has"),
        "candidates": Listed(
            Shape(
                {
                    "channel_id": Text(),
                    "channel": Text(),
                    "priority": Whole(),
                    "penalty": Real(),
                    "effective_priority": Real(),
                    "weight": Whole(),
                    "fit_keys": Whole(),
                    "rank": Whole(is_null=True, meaning="From 1; null: it is excluded"),
                    "excluded": Text(is_null=True, meaning="Why"),
                }
            )
        ),
        "refused": Shape({"status": Whole(), "code": Text(), "message": Text()}, is_null=True),
    }
)
LOCAL = "local"
CHANNELS = "channels"


def add_explain_route(admin: Blueprint, gateway: Gateway) -> None:
    @admin.post("/explain")
    @operation(
        "Tells why a call would go where it would go, without making it.",
        body=_CALL,
        answer={"explanation": _EXPLAINED},
        audited=False,
    )
    def explain_call(said: Said) -> Response:
        return jsonify(success=True, explanation=_explanation(gateway, said))


def _explanation(gateway: Gateway, said: Said) -> dict[str, Any]:
    target, method = said.text("path"), said.text("method").upper()
    if not target.startswith("/"):
        raise said.wrong("path", "must begin with a slash, such as /v1/chat/completions")
    token_id = said.text("token_id")
    fields, body = list(headers_said(said).items()), body_said(said)
    if body and find(fields, "content-type") is None:
        fields.append(("Content-Type", "application/json"))
    snapshot = gateway.catalog.in_hand()
    token = _token(gateway, token_id, fields, target.partition("?")[2], snapshot)
    told: dict[str, Any] = dict.fromkeys(("dialect", "model", "route", "affinity", "refused")) | {"candidates": []}
    mapping, target = routing.match(snapshot, target) or (None, target)
    path, _, query = target.partition("?")
    asked = dialect_of(method, path, by_name(fields))
    if mapping is not None and not mapping.channel:
        return told | {"route": mapping.prefix}
    if asked is None:
        refused = ApiError(
            404, "mapping_not_found", "no mapping serves this path, and no API has it that channels speak"
        )
        return told | {"route": mapping.prefix if mapping is not None else None, "refused": _refused(refused)}
    told |= {"dialect": asked.speaks, "route": mapping.prefix if mapping is not None else CHANNELS}
    try:
        request = _read(snapshot, asked, fields, body, query, token)
        told["model"] = request.model or None
        if asked.lists_models:
            return told | {"route": LOCAL}
        return told | _choice(gateway, snapshot, request, mapping, token)
    except ApiError as error:
        return told | {"refused": _refused(error)}


def _token(gateway: Gateway, token_id: str, fields: Headers, query: str, snapshot: Snapshot) -> AccessToken:
    """The one that is named, else whose text is shown in the fields, else none; one that is no longer good counts.

    Raises AdminError.
    """
    if token_id:
        try:
            return find_token(gateway, token_id)
        except AccessTokenNotFound as error:
            raise AdminError(404, "not_found", str(error), "token_id") from None
    tokens = AccessTokens(gateway.config.auth_keys)
    found = (tokens.find(credential, snapshot.tokens) for credential in credentials(fields, query))
    return next((token for token in found if token is not None), ANONYMOUS)


def _read(snapshot: Snapshot, asked: Asked, fields: Headers, body: bytes, query: str, token: AccessToken) -> ApiRequest:
    """As the call would be read. Raises ApiError as it would be refused."""
    fields, query = without_own(fields), query_without_key(query)
    inbound = own_inbound(asked.method, fields, body)
    return read_request(inbound, asked, query, fields, snapshot.settings, token.holder)


def _choice(
    gateway: Gateway, snapshot: Snapshot, request: ApiRequest, mapping: Mapping | None, token: AccessToken
) -> dict[str, Any]:
    """Raises ApiError as the call would be refused."""
    check_good(token, now_ms())
    only = channel_of(snapshot, request.asked, mapping) if mapping is not None else None
    if mapping is not None and only is not None:
        check_mapping(token, mapping, only.id)
    reach = reach_of(token) if only is None else (frozenset((only.id,)), None)
    wanted = Wanted(request.asked.served_by, request.model, *reach)
    preferences = preferences_of(snapshot.settings)
    bond = gateway.choosing.affinity.of(request, snapshot.settings)
    health = gateway.choosing.health
    explained = explain(health, snapshot.serving, wanted, preferences, now_ms(), bond.channel_id)
    refused = explained.refused and _refusal(explained.refused)
    try:
        check_call(token, request.asked, request.model, snapshot, by_mapping=mapping is not None)
    except ApiError as error:
        refused = _refused(error)
    return {
        "affinity": f"channel {bond.channel_id}, key {bond.key_id}" if bond.channel_id else None,
        "candidates": [_candidate(row) for row in explained.channels],
        "refused": refused,
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


def _refusal(refused: Refusal) -> dict[str, Any]:
    return {"status": refused.status, "code": refused.code, "message": refused.message}


def _refused(error: ApiError) -> dict[str, Any]:
    return {"status": error.status, "code": error.code, "message": error.message}
