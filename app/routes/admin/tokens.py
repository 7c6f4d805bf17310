"""The operator's access tokens: list, make, show, change, give a new text, delete."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.model import AccessToken
from app.core.request_log.filters import filter_of_token
from app.core.request_log.sums import RowSums
from app.core.snapshot import ACCESS_TOKENS
from app.core.statistics.ranges import range_of
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError, read_object
from app.routes.admin.lists import page_size
from app.routes.token_answers import TokenAnswers
from app.storage.catalog import access_tokens
from app.storage.connections import RedisError
from app.storage.statistics import token_uses

Answer = Response | tuple[Response, int]


def add_token_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog, answers = gateway.catalog, TokenAnswers(gateway)

    @admin.get("/tokens")
    def list_tokens() -> Answer:
        catalog.in_hand()
        found = _asked_for(list(ACCESS_TOKENS.of(catalog.snapshot).by_id.values()))
        size, after = page_size(), _after()
        rest = [token for token in found if int(token.id) > after]
        following = rest[size - 1].id if len(rest) > size else None
        return jsonify(success=True, count=len(found), access_tokens=answers.all(rest[:size]), next=following)

    @admin.post("/tokens")
    def add_token() -> Answer:
        token, secret = access_tokens.add(catalog, _body())
        return jsonify(success=True, access_token=answers.one(token), token=secret), 201

    @admin.get("/tokens/<token_id>")
    def show_token(token_id: str) -> Answer:
        return jsonify(success=True, access_token=answers.one(find_token(gateway, token_id)))

    @admin.put("/tokens/<token_id>")
    def update_token(token_id: str) -> Answer:
        return jsonify(success=True, access_token=answers.one(access_tokens.update(catalog, token_id, _body())))

    @admin.delete("/tokens/<token_id>")
    def delete_token(token_id: str) -> Answer:
        access_tokens.delete(catalog, token_id)
        with suppress(RedisError):  # it is gone, whatever becomes of its figures
            token_uses.forget(gateway.redis, token_id)
            gateway.budgets.delete(token_id)
        return jsonify(success=True, id=token_id)

    @admin.post("/tokens/<token_id>/rotate")
    def rotate_token(token_id: str) -> Answer:
        token, secret = access_tokens.rotate(catalog, token_id)
        return jsonify(success=True, access_token=answers.one(token), token=secret)

    @admin.get("/tokens/<token_id>/usage")
    def token_usage(token_id: str) -> Answer:
        return jsonify(success=True, **_usage(gateway, find_token(gateway, token_id)))


def _usage(gateway: Gateway, token: AccessToken) -> dict[str, Any]:
    """What the request log has of the token's calls in the span that the query names, and from when on it has all."""
    now = now_ms()
    span = range_of(request.args.get("range", "today"), now, gateway.catalog.snapshot.settings.time_zone)
    sums = RowSums(span, now)
    sums.add(gateway.request_log.each(filter_of_token(token.id, span.from_ms, span.to_ms)))
    whole_since_ms = gateway.request_log.whole_since_ms() or None
    return {"usage": sums.answer(), "from_ms": span.from_ms, "to_ms": span.to_ms, "whole_since_ms": whole_since_ms}


def find_token(gateway: Gateway, token_id: str) -> AccessToken:
    """Raises AccessTokenNotFound, and RedisError where nothing ever was known."""
    gateway.catalog.in_hand()
    token = ACCESS_TOKENS.of(gateway.catalog.snapshot).by_id.get(token_id)
    if token is None:  # another process may just have added it
        token = ACCESS_TOKENS.of(gateway.catalog.look()).by_id.get(token_id)
    if token is None:
        raise access_tokens.not_found(token_id)
    return token


def _body() -> dict[str, Any]:
    return read_object('{"name": "alice", "budgets": {"month_usd": "20"}}')


def _asked_for(tokens: list[AccessToken]) -> list[AccessToken]:
    """Those of which the query speaks, by name, note or hint."""
    q = request.args.get("q", "").strip().casefold()
    if not q:
        return tokens
    return [
        token for token in tokens if any(q in text.casefold() for text in (token.name, token.said["note"], token.hint))
    ]


def _after() -> int:
    after = request.args.get("after", "0") or "0"
    if not (after.isascii() and after.isdecimal() and len(after) < 20):
        raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
    return int(after)
