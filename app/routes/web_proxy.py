"""The door of web pages, `/proxy/https://...`: a WSGI application before Flask's.

Who may come in depends on WEB_PROXY. Where access is by token, a browser that is logged in is led to an address that
holds a ticket (see `core.tickets`); a program shows the admin token in `Proxy-Authorization` or `Authorization`.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Iterable

from app.core.callers.access import check_good
from app.core.callers.clients import caller_of
from app.core.callers.permissions import not_allowed
from app.core.errors import ClientFault, GatewayError, OperatorFault
from app.core.model import AccessToken, Snapshot
from app.gateway import Gateway
from app.proxy import web_page
from app.proxy.messages import Inbound
from app.proxy.tokens.callers import PageCaller
from app.routes import cors
from app.routes.address_page import answer_with_error, web_proxy_off
from app.routes.inbound import inbound_of
from app.routes.own_credentials import OwnCredentials
from app.routes.wsgi_environ import Environ, StartResponse, WsgiApp, raw_headers, raw_target
from app.storage.admin_access import AddressLocked, AdminAccess, WrongToken
from app.storage.connections import RedisError
from app.storage.refusals import trouble_of
from app.wire.http.headers import Headers, find
from app.wire.pages.address import InvalidAddress, parse_address
from app.wire.pages.fields import ROOT, Site, proxied_address

COOKIE = "api_proxy_web"
COOKIE_PATH = "/proxy"
BROWSER = "browser"
"""Holder of the ticket in the cookie, which is good at any address."""
PAGE_ORIGIN = "null"
"""What browsers name as the origin of a sandboxed page."""
_LOADED = frozenset({"audio", "font", "image", "object", "script", "style", "track", "video", "worker"})
"""Sec-Fetch-Dest of what a page loads, and not of what a person opens."""


class WebProxyDoor:
    def __init__(self, gateway: Gateway, otherwise: WsgiApp) -> None:
        self._gateway = gateway
        self._otherwise = otherwise
        token = gateway.config.admin_token
        self._access = AdminAccess(gateway.redis, token) if token else None
        self._own = OwnCredentials(gateway.config.auth_keys)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        target = raw_target(environ)
        rest = target.removeprefix(ROOT)
        try:
            if rest == target:
                location = _of_the_page_that_asks(environ, target)
                if location is None:
                    return self._otherwise(environ, start_response)
                return _redirect(environ, start_response, location)
            if not rest or rest.startswith("?"):
                return self._otherwise(environ, start_response)
            return self._serve(environ, start_response, rest)
        except GatewayError as error:
            return answer_with_error(error, environ, start_response, self._gateway.config)

    def _serve(self, environ: Environ, start_response: StartResponse, rest: str) -> Iterable[bytes]:
        if self._gateway.config.web_proxy == "off":
            raise web_proxy_off()
        headers = raw_headers(environ)
        if environ["REQUEST_METHOD"] == "OPTIONS" and cors.is_preflight(headers):
            allowed = cors.preflight_headers(headers) if find(headers, "origin") == PAGE_ORIGIN else []
            start_response("204 No Content", [*allowed, ("X-Request-Id", environ["gateway.request_id"])])
            return []
        if find(headers, "service-worker") is not None:
            raise ClientFault(403, "service_worker_refused", "a proxied page cannot have a service worker")
        ticket, slash, text = rest[1:].partition("/") if rest.startswith("~") else ("", "", rest)
        inbound = inbound_of(environ, headers, environ["gateway.trace"])
        snapshot = self._gateway.catalog.snapshot
        prefix, caller = self._admit(environ, inbound, ticket, snapshot)
        if self._own.may_stand_in(environ, text):
            found = self._own.without(inbound.headers, text, snapshot.tokens, keeps_own_field=True)
            inbound.headers, text = found.headers, found.target
        asked = (f"{ROOT}~{ticket}{slash}" if ticket else ROOT) + text
        try:
            address = parse_address(text)
        except InvalidAddress as error:
            raise ClientFault(400, "invalid_address", str(error)) from None
        if asked != prefix + address.url:
            return _redirect(environ, start_response, prefix + address.url)
        secure = environ["wsgi.url_scheme"] == "https"
        site = Site(address, prefix, secure, secrets.token_hex(16))
        reply = web_page.ask(self._gateway.engine, inbound, site, snapshot.limits, snapshot.settings, caller)
        fields = _access_fields(headers, reply.headers)
        if find(fields, "x-request-id") is None:
            fields.append(("X-Request-Id", inbound.request_id))
        if self._gateway.config.web_proxy == "token":
            fields.append(("Cache-Control", "private"))  # a cache between us would serve it to anybody
        start_response(f"{reply.status} {reply.reason}", fields)
        return reply.body

    # --- who may ---

    def _admit(
        self, environ: Environ, inbound: Inbound, ticket: str, snapshot: Snapshot
    ) -> tuple[str, PageCaller | None]:
        """Where the caller's proxied addresses begin, and the access token that lets him in, if it is one.

        Takes our own credential out of the request.
        """
        own = self._take_own_token(inbound)
        if self._gateway.config.web_proxy == "open":
            return ROOT, None
        tickets = self._gateway.tickets
        if tickets is not None:
            now_s = time.time()
            caller = caller_of(inbound.client)
            if ticket and tickets.expiry(ticket, caller, now_s) is not None:
                return f"{ROOT}~{ticket}/", None
            expires_s = tickets.expiry(_cookie(environ), BROWSER, now_s)
            if expires_s is not None:
                return f"{ROOT}~{tickets.issue(caller, expires_s)}/", None
        token = self._access_token(own, snapshot)
        if token is not None:
            return ROOT, PageCaller(self._gateway.engine.tokens, token, snapshot)
        if tickets is None or self._access is None:
            text = "web pages are for the admin, and ADMIN_TOKEN is not set; set it, or WEB_PROXY=open"
            raise OperatorFault(503, "web_proxy_unavailable", text)
        self._check_token(own or _bearer(inbound.headers, "authorization"), inbound.client)
        return ROOT, None

    def _access_token(self, shown: str, snapshot: Snapshot) -> AccessToken | None:
        """The access token whose text it is; None: it is none. Raises ApiError where that does not open web pages."""
        token = self._own.tokens.find(shown, snapshot.tokens) if shown else None
        if token is not None:
            check_good(token, int(time.time() * 1000))
            if not token.web_pages:
                raise not_allowed(token, "web pages")
        return token

    def _take_own_token(self, inbound: Inbound) -> str:
        """What the caller shows us; never leaves. `Authorization` is the site's unless it holds our token."""
        shown = _bearer(inbound.headers, "proxy-authorization")
        admin_token = self._gateway.config.admin_token
        if not admin_token:
            return shown
        sites = [field for field in inbound.headers if not _holds(field, admin_token)]
        if len(sites) < len(inbound.headers):
            shown = shown or admin_token
            inbound.headers = sites
        return shown

    def _check_token(self, token: str, client: str) -> None:
        login = "log in at /admin in this browser (if you are, and came by a link of another site, open the address "
        login += "once more), or send Proxy-Authorization: Bearer ADMIN_TOKEN"
        if not token or self._access is None:
            raise ClientFault(401, "login_required", f"web pages are for the admin here: {login}")
        try:
            self._access.check_token(token, client)
        except WrongToken:
            raise ClientFault(401, "login_required", f"this is not the admin's token: {login}") from None
        except AddressLocked as lock:
            raise ClientFault(429, "address_locked", str(lock), retry_after_s=lock.retry_after_s) from None
        except RedisError as error:
            text = f"Redis {trouble_of(error)}, so nobody can be let in; try again"
            raise OperatorFault(503, "not_ready", text) from None


def _of_the_page_that_asks(environ: Environ, target: str) -> str | None:
    """Where a root-relative address of a proxied page leads that escaped rewriting; None for all other requests.

    Stylesheets and modules name themselves as Referer; pages themselves, having an origin of their own, do not.
    """
    referer = environ.get("HTTP_REFERER", "")
    if ROOT not in referer or environ.get("HTTP_SEC_FETCH_DEST", "script") not in _LOADED:
        return None
    proxied = proxied_address(referer)
    if proxied is None:
        return None
    prefix, site = proxied
    return f"{prefix}{site.origin}{target}"


def _access_fields(request_headers: Headers, answer: Headers) -> Headers:
    """Lets proxied pages read what they load; other origins read nothing."""
    answer = [*answer, ("Vary", "Origin")]
    if find(request_headers, "origin") != PAGE_ORIGIN:
        return answer
    return [*answer, ("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "*")]


def _redirect(environ: Environ, start_response: StartResponse, location: str) -> Iterable[bytes]:
    fields = [("Location", location), ("Content-Length", "0"), ("Cache-Control", "no-store")]
    fields.append(("X-Request-Id", environ["gateway.request_id"]))
    start_response("307 Temporary Redirect", _access_fields(raw_headers(environ), fields))
    return []


def _holds(field: tuple[str, str], token: str) -> bool:
    """True for an `Authorization` with the token in it, after whatever scheme or, as the admin API takes it, bare."""
    if field[0].lower() != "authorization":
        return False
    wanted, value = token.encode(), field[1].encode()
    rest = value.split(None, 1)[-1] if value else value
    return hmac.compare_digest(value, wanted) | hmac.compare_digest(rest, wanted)


def _bearer(headers: Headers, name: str) -> str:
    scheme, _, token = (find(headers, name) or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(environ: Environ) -> str:
    pairs = (pair.strip().partition("=") for pair in environ.get("HTTP_COOKIE", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")
