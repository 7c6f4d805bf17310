"""A login by ccLoad's call: the admin's password for a token that stands for it during 24 hours."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.said.reading import Said
from app.core.said.shapes import OneOf, Shape, Text, Whole
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.guard import admin_access, check_token
from app.routes.ccload.envelope import CCLOAD_ERROR, answered, enveloped, failed
from app.routes.openapi.operation import Body, operation
from app.storage.admin_access import LOGIN_S

Answer = Response | tuple[Response, int] | tuple[Response, int, dict[str, str]]

_LOGIN = Body(
    Shape({"password": Text(is_needed=True, meaning="ADMIN_TOKEN"), "mode": OneOf(("", "admin"), "")}),
    {"password": "$ADMIN_TOKEN"},
)
_TOKEN = {"token": Text(meaning="A Bearer"), "expiresIn": Whole(meaning="In seconds")}
_ISSUED = enveloped(Shape(_TOKEN), status=Text(), **_TOKEN)


def add_login_routes(ccload: Blueprint, gateway: Gateway) -> None:
    @ccload.post("/login")
    @operation(
        "Gives a token that stands for the admin's for 24 hours.",
        body=_LOGIN,
        answer=_ISSUED,
        access=(),
        group="ccLoad",
        failure=CCLOAD_ERROR,
    )
    def login(said: Said) -> Answer:
        access = admin_access(gateway)
        if said.any("mode") not in (None, "", "admin"):
            raise said.wrong(
                "mode", "must be admin; with an access token, GET /v1/dashboard/usage tells its own figures"
            )
        try:
            check_token(access, said.text("password", as_written=True), "Invalid password")
        except AdminError as error:
            if error.code == "locked":
                return _locked(error)
            raise
        told: dict[str, Any] = {"token": access.open_login(), "expiresIn": LOGIN_S}
        return answered(told, status="success", **told)

    @ccload.post("/logout")
    @operation(
        "Ends the session of the Bearer. Of none, and of one that nobody knows, there is nothing to end.",
        answer=enveloped(Shape({"message": Text()})),
        access=(),
        group="ccLoad",
        failure=CCLOAD_ERROR,
    )
    def logout() -> Answer:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            admin_access(gateway).close_session(token.strip())
        return answered({"message": "Logged out"})


def _locked(error: AdminError) -> Answer:
    known = AdminError(error.status, error.code, "Too many failed login attempts", headers=error.headers)
    answer, status, fields = failed(known)
    lock = {"message": str(error), "lockout_seconds": int(fields["Retry-After"])}
    return jsonify({**answer.get_json(), "data": lock}), status, fields
