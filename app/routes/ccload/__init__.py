"""What users of ccLoad call, on the same code as the admin API: `build_ccload` has all its routes."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.gateway import Gateway
from app.routes.admin.answers import EXPECTED, MAX_OPEN_BODY_BYTES
from app.routes.admin.guard import admin_access, let_bearer_in
from app.routes.ccload.channels import add_channel_routes
from app.routes.ccload.envelope import failed
from app.routes.ccload.login import add_login_routes
from app.routes.ccload.pages import add_page_routes
from app.routes.ccload.public import add_public_routes

_OPEN_ENDPOINTS = frozenset(
    f"ccload.{name}" for name in ("login", "logout", "page", "summary", "version", "channel_types")
)


def build_ccload(gateway: Gateway) -> Blueprint:
    """All but these ask for a Bearer: the admin's token, or that of a login."""
    ccload = Blueprint("ccload", __name__)
    check_bearer = let_bearer_in(gateway)

    @ccload.before_request
    def let_in() -> None:
        if request.endpoint not in _OPEN_ENDPOINTS:
            check_bearer()
            return
        request.max_content_length = MAX_OPEN_BODY_BYTES
        if request.endpoint == "ccload.login":
            admin_access(gateway)

    add_login_routes(ccload, gateway)
    add_channel_routes(ccload, gateway)
    add_public_routes(ccload, gateway)
    add_page_routes(ccload)
    for kind in EXPECTED:
        ccload.register_error_handler(kind, failed)

    @ccload.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    return ccload


def is_ccloads(path: str) -> bool:
    """Whether errors at this path are told in its envelope."""
    return path in ("/login", "/logout") or path.startswith(("/admin/channels", "/public/"))
