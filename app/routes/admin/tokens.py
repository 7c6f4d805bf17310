"""The operator's access tokens: list, make, show, change, give a new text, delete."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from app.core.callers.definition import ACCESS_TOKEN
from app.core.model import AccessToken
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Text
from app.core.snapshot import ACCESS_TOKENS
from app.core.statistics.sums.asked import RANGE, SPAN, SUMS, TIME_ZONE, parse
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError
from app.routes.admin.lists import COUNT, NEXT, PAGED, Q
from app.routes.admin.statistics.stats import told_too_much
from app.routes.openapi.operation import Body, operation
from app.routes.token_answers import TokenAnswers
from app.storage.catalog import access_tokens
from app.storage.connections import RedisError
from app.storage.statistics import token_uses

if TYPE_CHECKING:
    from sqlalchemy import Connection

Answer = Response | tuple[Response, int]

_EXAMPLE = {"name": "alice", "budgets": {"month_usd": "20"}}
_ONE = {"access_token": ACCESS_TOKEN}
_ISSUED = {**_ONE, "token": Text(meaning="What its holder sends")}
_USAGE = {"usage": SUMS, **SPAN}


def add_token_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog, answers = gateway.catalog, TokenAnswers(gateway)
    _add_one_routes(admin, gateway)

    @admin.get("/tokens")
    @operation(
        "Lists access tokens, without their texts.",
        query={"q": Q, **PAGED},
        answer={"count": COUNT, "access_tokens": Listed(ACCESS_TOKEN), "next": NEXT},
    )
    def list_tokens(asked: Said) -> Answer:
        catalog.in_hand()
        found = _asked_for(asked, list(ACCESS_TOKENS.of(catalog.snapshot).by_id.values()))
        size, after = asked.number("limit"), _after(asked)
        rest = [token for token in found if int(token.id) > after]
        following = rest[size - 1].id if len(rest) > size else None
        return jsonify(success=True, count=len(found), access_tokens=answers.all(rest[:size]), next=following)

    @admin.post("/tokens")
    @operation(
        "Makes an access token. Its text is told this once.",
        body=Body(ACCESS_TOKEN, _EXAMPLE),
        answer=_ISSUED,
        status=201,
    )
    def add_token(said: Said) -> Answer:
        token, secret = access_tokens.add(catalog, said.values)
        return jsonify(success=True, access_token=answers.one(token), token=secret), 201


def _add_one_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog, answers = gateway.catalog, TokenAnswers(gateway)

    @admin.get("/tokens/<token_id>")
    @operation("Shows an access token.", answer=_ONE)
    def show_token(token_id: str) -> Answer:
        return jsonify(success=True, access_token=answers.one(find_token(gateway, token_id)))

    @admin.put("/tokens/<token_id>")
    @operation(
        "Changes what an access token may do. Its text stays.", body=Body(ACCESS_TOKEN.changes(), _EXAMPLE), answer=_ONE
    )
    def update_token(said: Said, token_id: str) -> Answer:
        return jsonify(success=True, access_token=answers.one(access_tokens.update(catalog, token_id, said.values)))

    @admin.delete("/tokens/<token_id>")
    @operation("Deletes an access token. Calls that run go on.", answer={"id": Text()})
    def delete_token(token_id: str) -> Answer:
        access_tokens.delete(catalog, token_id)
        with suppress(RedisError):  # it is gone, whatever becomes of its figures
            token_uses.forget(gateway.redis, token_id)
            gateway.budgets.delete(token_id)
        return jsonify(success=True, id=token_id)

    @admin.post("/tokens/<token_id>/rotate")
    @operation("Gives an access token a new text, which is told this once. The old one ends.", answer=_ISSUED)
    def rotate_token(token_id: str) -> Answer:
        token, secret = access_tokens.rotate(catalog, token_id)
        return jsonify(success=True, access_token=answers.one(token), token=secret)

    @admin.get("/tokens/<token_id>/usage")
    @operation("Tells what an access token's calls add up to.", query={"range": RANGE, "tz": TIME_ZONE}, answer=_USAGE)
    def token_usage(asked: Said, token_id: str) -> Answer:
        return jsonify(success=True, **_usage(gateway, asked, find_token(gateway, token_id)))


def _usage(gateway: Gateway, asked: Said, token: AccessToken) -> dict[str, Any]:
    """What the token's calls add up to in the span that the query names."""
    question = parse(asked, now_ms(), gateway.catalog.snapshot.settings.time_zone, filters={"token_id": token.id})

    def answer(connection: Connection) -> dict[str, Any]:
        from app.storage.sql.statistics.reading import sums  # imports SQLAlchemy

        return sums(connection, question).totals.answer(made_there=False)

    with told_too_much(asked):
        return {"usage": gateway.database.run(answer), **question.span._asdict()}


def find_token(gateway: Gateway, token_id: str) -> AccessToken:
    """Raises AccessTokenNotFound, and RedisError where nothing ever was known."""
    gateway.catalog.in_hand()
    token = ACCESS_TOKENS.of(gateway.catalog.snapshot).by_id.get(token_id)
    if token is None:  # another process may just have added it
        token = ACCESS_TOKENS.of(gateway.catalog.look()).by_id.get(token_id)
    if token is None:
        raise access_tokens.not_found(token_id)
    return token


def _asked_for(asked: Said, tokens: list[AccessToken]) -> list[AccessToken]:
    """Those of which the query speaks, by name, note or hint."""
    q = asked.text("q").casefold()
    if not q:
        return tokens
    return [
        token for token in tokens if any(q in text.casefold() for text in (token.name, token.said["note"], token.hint))
    ]


def _after(asked: Said) -> int:
    after = asked.text("after") or "0"
    if not (after.isascii() and after.isdecimal() and len(after) < 20):
        raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
    return int(after)
