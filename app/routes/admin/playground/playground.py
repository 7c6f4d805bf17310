"""An operator makes a call as an access token, whose text nobody needs to know, by the door that all calls take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flask import Blueprint, Response, request

from app.core.said.reading import Said
from app.core.said.shapes import Anything, Named, OneOf, Shape, Text
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.outcome_rules import body_said, headers_said
from app.routes.admin.playground.request import call_of
from app.routes.admin.tokens import find_token
from app.routes.api_door import ApiDoor
from app.routes.openapi.operation import Body, operation
from app.routes.proxy import ProxyDoor
from app.routes.wsgi_environ import Environ, StartResponse
from app.storage.catalog.access_tokens import AccessTokenNotFound
from app.wire.browsers import FOR_AN_ORIGIN, SANDBOX
from app.wire.http.headers import Headers, find, lower

MARK: Final = "X-Gateway-Playground"
"""On what the call was answered; an error of this route lacks it."""
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_CALL = Body(
    Shape(
        {
            "token_id": Text(30, is_needed=True, meaning="Of the access token that makes the call", example="1"),
            "method": OneOf(METHODS, "POST"),
            "path": Text(16_384, is_needed=True, pattern="^/", example="/v1/chat/completions"),
            "headers": Named(Text(), meaning="No credentials, and none that speak of a connection"),
            "body": Anything(meaning="A text, or JSON"),
        }
    ),
    {"token_id": "1", "path": "/v1/chat/completions", "body": {"model": "gpt-5"}},
)
_ACTS_IN_BROWSERS: Final = FOR_AN_ORIGIN | {"link", "location", "refresh", "set-cookie", "www-authenticate"}
"""A browser would follow these as the admin's page, or ask the admin for a password."""


def add_playground_route(admin: Blueprint, gateway: Gateway) -> None:
    door = ProxyDoor(gateway, ApiDoor(gateway, _refuse))

    @admin.post("/playground")
    @operation(
        "Makes a call as an access token, and streams what it is answered. It counts and is logged "
        "like any of the token's. Status and fields are the answer's own, but for those that a "
        "browser would act upon; what the route itself refuses lacks X-Gateway-Playground.",
        body=_CALL,
        answer="*/*",
    )
    def play(said: Said) -> Response:
        told, body = headers_said(said), body_said(said)
        method, path, token_id = said.choice("method"), said.text("path"), said.text("token_id")
        try:
            token = find_token(gateway, token_id)
        except AccessTokenNotFound as error:
            raise AdminError(404, "not_found", str(error), "token_id") from None
        return _answered(door, call_of(request.environ, token, method, path, told, body), request.environ)


def _answered(door: ProxyDoor, call: Environ, outer: Environ) -> Response:
    """What the call is answered, as it comes. The request's id is from now on that of the call."""
    begun: list[tuple[str, Headers]] = []

    def start(status: str, fields: Headers, exc_info: Any = None) -> Any:
        begun.append((status, fields))

    body = door(call, start)
    outer["gateway.request_id"] = call["gateway.request_id"]
    [(status, fields)] = begun
    fields = [field for field in fields if lower(field[0]) not in _ACTS_IN_BROWSERS]
    if find(fields, "content-type") is None:
        fields.append(("Content-Type", "application/octet-stream"))
    fields += [("Content-Security-Policy", SANDBOX), (MARK, "answered")]
    return Response(body, status, fields, direct_passthrough=True)


def _refuse(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """What neither a mapping nor a channel serves is not asked from here: no page, and nothing of the admin's."""
    path = environ["RAW_URI"].partition("?")[0][:200]
    text = f"nothing serves {path!r}: name a path of an API that a channel speaks, or one that begins with a mapping"
    raise AdminError(404, "not_found", text, "path")
