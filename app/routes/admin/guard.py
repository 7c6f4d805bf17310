"""Who may use the admin API: the bearer of ADMIN_TOKEN, or a browser with a session that it has opened."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.callers.tickets import Tickets
from app.core.errors import InvalidChannel, UnknownField
from app.core.said.reading import Said
from app.core.said.shapes import Shape, Text
from app.gateway import Gateway
from app.routes import web_proxy
from app.routes.admin.answers import EXPECTED, MAX_OPEN_BODY_BYTES, AdminError, error_answer
from app.routes.openapi.operation import Body, operation
from app.storage.admin_access import SESSION_S, AddressLocked, AdminAccess, SessionEnded, WrongToken

COOKIE = "api_proxy_admin"
COOKIE_PATH = "/api"
"""Not `/`: the cookie must never travel to an upstream with a proxied call of the same browser."""
DEVICE_COOKIE = "api_proxy_device"
"""Says that this browser was logged in with the token of today; it opens nothing. Its wrong tries count for it alone:
behind a router all visitors may have one address, and any of them could lock the admin out for good."""
DEVICE_S = 400 * 86_400
"""Longer than that no browser keeps a cookie (RFC 6265bis, 5.5)."""
_DEVICE = re.compile(r"([0-9a-f]{32})\.(.+)")

_DISABLED = "Admin functionality is disabled (ADMIN_TOKEN not set)"
_ENDED = "The session has ended; log in again"
_LOGOUT = Body(Shape({}), {})
"""JSON is what no page of another site can send without asking."""
_DONE = {"message": Text()}
_OPEN_ENDPOINTS = frozenset({"admin.login", "admin.logout"})


class _Login(Body):
    """Whatever is wrong with it, no more is told of it than always was."""

    def said(self, value: Any) -> Said:
        try:
            said = super().said(value)
            if isinstance(said.values.get("token"), str):
                return said
        except UnknownField:
            raise
        except (AdminError, InvalidChannel):
            pass
        raise AdminError(400, "bad_json", "Invalid request body")


_LOGIN = _Login(Shape({"token": Text(is_needed=True, meaning="ADMIN_TOKEN")}), {"token": "$ADMIN_TOKEN"})


def build_admin(gateway: Gateway) -> Blueprint:
    """The `/api` blueprint: every route on it asks for the admin, except login and logout."""
    admin = Blueprint("admin", __name__, url_prefix="/api")
    token = gateway.config.admin_token
    access = AdminAccess(gateway.redis, token) if token else None

    @admin.before_request
    def let_in() -> None:
        if access is None:
            raise AdminError(503, "admin_disabled", _DISABLED)
        if request.endpoint in _OPEN_ENDPOINTS:
            request.max_content_length = MAX_OPEN_BODY_BYTES
        else:
            _check_caller(access)

    @admin.post("/admin/login")
    @operation("Opens a session for a browser, by a cookie.", body=_LOGIN, answer=_DONE, access=(), group="sessions")
    def login(said: Said) -> Response:
        assert access is not None  # noqa: S101 - let_in has refused
        assert gateway.tickets is not None  # noqa: S101 - there is a token, so there are tickets
        device = _known_device(gateway.tickets)
        check_token(access, said.values["token"], "Invalid token", device)
        response = jsonify(success=True, message="Login successful")
        _set_cookie(response, COOKIE, access.open_session(), COOKIE_PATH, SESSION_S)
        _set_tickets(response, gateway.tickets, device or secrets.token_hex(16))
        return response

    @admin.post("/admin/logout")
    @operation("Ends the session of a browser.", body=_LOGOUT, answer=_DONE, access=(), group="sessions")
    def logout(said: Said) -> Response:
        assert access is not None  # noqa: S101 - let_in has refused
        if session_id := request.cookies.get(COOKIE):
            access.close_session(session_id)
        response = jsonify(success=True, message="Logged out")
        response.delete_cookie(COOKIE, path=COOKIE_PATH)
        response.delete_cookie(web_proxy.COOKIE, path=web_proxy.COOKIE_PATH)
        return response

    for kind in EXPECTED:
        admin.register_error_handler(kind, error_answer)
    return admin


def let_bearer_in(gateway: Gateway) -> Callable[[], None]:
    """What lets in who shows the admin token as a Bearer, and nobody else. It raises AdminError."""
    token = gateway.config.admin_token
    access = AdminAccess(gateway.redis, token) if token else None

    def let_in() -> None:
        if access is None:
            raise AdminError(503, "admin_disabled", _DISABLED)
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise AdminError(401, "token_missing", "Missing Authorization header: send the admin token as a Bearer")
        _check_bearer(access, rest.strip())

    return let_in


def admin_access(gateway: Gateway) -> AdminAccess:
    """Raises AdminError where there is no admin."""
    token = gateway.config.admin_token
    if not token:
        raise AdminError(503, "admin_disabled", _DISABLED)
    return AdminAccess(gateway.redis, token)


def _set_tickets(response: Response, tickets: Tickets, device: str) -> None:
    """The cookies that open web pages for this browser, and that know it again."""
    now_s = int(time.time())
    web_ticket = tickets.issue(web_proxy.BROWSER, now_s + SESSION_S)
    device_ticket = tickets.issue(_holder(device), now_s + DEVICE_S)
    _set_cookie(response, web_proxy.COOKIE, web_ticket, web_proxy.COOKIE_PATH, SESSION_S)
    _set_cookie(response, DEVICE_COOKIE, f"{device}.{device_ticket}", COOKIE_PATH, DEVICE_S)


def _set_cookie(response: Response, name: str, value: str, path: str, max_age_s: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path=path,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",  # else any site could open itself here, and its scripts read what we may reach
    )


def _check_caller(access: AdminAccess) -> None:
    authorization = request.headers.get("Authorization", "")
    session_id = request.cookies.get(COOKIE)
    scheme, _, rest = authorization.partition(" ")
    is_bearer = scheme.lower() == "bearer"
    if authorization and (is_bearer or not session_id):  # a proxy before us may ask for Basic credentials of its own
        _check_bearer(access, rest.strip() if is_bearer else authorization)
        return
    if not session_id:
        raise AdminError(401, "token_missing", "Missing Authorization header")
    if not access.is_open(session_id):
        raise AdminError(401, "session_ended", _ENDED)


def _check_bearer(access: AdminAccess, bearer: str) -> None:
    with _told("Invalid admin token"):
        access.check_bearer(bearer, request.remote_addr or "")


def check_token(access: AdminAccess, token: str, wrong: str, device: str = "") -> None:
    """`wrong`: what is said where it is. Raises AdminError."""
    with _told(wrong):
        access.check_token(token, request.remote_addr or "", device and _holder(device))


@contextmanager
def _told(wrong: str) -> Iterator[None]:
    """What is told of a token that does not open."""
    try:
        yield
    except SessionEnded:
        raise AdminError(401, "session_ended", _ENDED) from None
    except WrongToken:
        raise AdminError(401, "token_wrong", wrong) from None
    except AddressLocked as lock:
        raise AdminError(429, "locked", str(lock), headers={"Retry-After": str(lock.retry_after_s)}) from None


def _known_device(tickets: Tickets) -> str:
    """The id of a browser that was logged in before; empty for any other."""
    cookie = _DEVICE.fullmatch(request.cookies.get(DEVICE_COOKIE, ""))
    return cookie[1] if cookie and tickets.expiry(cookie[2], _holder(cookie[1]), time.time()) else ""


def _holder(device: str) -> str:
    """What its ticket names, and what its wrong tries count for: never an address."""
    return f"browser:{device}"
