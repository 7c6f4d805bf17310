"""A login by ccLoad's call: the admin's password for a token that stands for it during 24 hours."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.gateway import Gateway
from app.routes.admin.answers import MAX_OPEN_BODY_BYTES, AdminError, read_object
from app.routes.admin.guard import admin_access, check_token
from app.routes.ccload.envelope import answered, failed
from app.storage.admin_access import LOGIN_S

Answer = Response | tuple[Response, int] | tuple[Response, int, dict[str, str]]


def add_login_routes(ccload: Blueprint, gateway: Gateway) -> None:
    @ccload.post("/login")
    def login() -> Answer:
        request.max_content_length = MAX_OPEN_BODY_BYTES
        access = admin_access(gateway)
        body = read_object('{"password": "..."}', known=("password", "mode"))
        password = body.get("password")
        if not isinstance(password, str):
            raise AdminError(400, "invalid", "password must be a text", "password")
        if body.get("mode") not in (None, "", "admin"):
            text = "mode must be admin; with an access token, GET /v1/dashboard/usage tells its own figures"
            raise AdminError(400, "invalid", text, "mode")
        try:
            check_token(access, password, "Invalid password")
        except AdminError as error:
            if error.code == "locked":
                return _locked(error)
            raise
        told: dict[str, Any] = {"token": access.open_login(), "expiresIn": LOGIN_S}
        return answered(told, status="success", **told)

    @ccload.post("/logout")
    def logout() -> Answer:
        """Ends the session of the Bearer; of none, and of one that nobody knows, there is nothing to end."""
        request.max_content_length = MAX_OPEN_BODY_BYTES
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            admin_access(gateway).close_session(token.strip())
        return answered({"message": "Logged out"})


def _locked(error: AdminError) -> Answer:
    known = AdminError(error.status, error.code, "Too many failed login attempts", headers=error.headers)
    answer, status, fields = failed(known)
    lock = {"message": str(error), "lockout_seconds": int(fields["Retry-After"])}
    return jsonify({**answer.get_json(), "data": lock}), status, fields
