"""The page where a person types the address of a web page, and where it says what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from flask import Blueprint, Response, request

from app.config import ROOT, Config
from app.core.errors import ClientFault, GatewayError
from app.gateway import Gateway
from app.routes.errors import ErrorReply, error_reply
from app.routes.public import public_page_fields
from app.routes.wsgi_environ import Environ, StartResponse, wants_page
from app.wire.pages.address import InvalidAddress, parse_address

_PAGE = (ROOT / "admin_ui" / "web_pages.html").read_text()
_PROBLEM = "<!-- problem -->"
_SCHEME = re.compile(r"https?:[/\\]|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_FRAGMENT = "%!$&'()*+,-./:;=?@_~"


def build_address_page(gateway: Gateway) -> Blueprint:
    page = Blueprint("address_page", __name__)
    is_off = gateway.config.web_proxy == "off"

    @page.get("/proxy")
    @page.get("/proxy/")
    def address() -> Response:
        typed = request.args.get("url", "").strip()
        if is_off:
            error = web_proxy_off()
            return Response(address_page(f"{error.message} ({error.code})"), error.status, mimetype="text/html")
        if not typed:
            return Response(address_page(), mimetype="text/html")
        try:
            return Response(status=302, headers={"Location": _location(typed)})
        except InvalidAddress as error:
            return Response(address_page(f"{error} (invalid_address)"), 400, mimetype="text/html")

    return page


def web_proxy_off() -> ClientFault:
    return ClientFault(404, "web_proxy_off", "web pages are not shown here; the operator can set WEB_PROXY")


def _location(typed: str) -> str:
    """Where the address leads that a person typed, who may leave out `https://`. Raises InvalidAddress."""
    url, mark, fragment = typed.partition("#")
    if not _SCHEME.match(url):
        url = f"https://{url}"
    return f"/proxy/{parse_address(url.encode().decode('latin-1')).url}{mark}{quote(fragment, safe=_FRAGMENT)}"


def address_page(problem: str = "") -> bytes:
    said = f'<p class="problem" role="alert">{escape(problem[0].upper() + problem[1:])}</p>' if problem else ""
    return _PAGE.replace(_PROBLEM, said).encode()


def answer_with_error(
    error: GatewayError, environ: Environ, start_response: StartResponse, config: Config
) -> Iterable[bytes]:
    """The error as a page for a person, as JSON for a program."""
    request_id = environ["gateway.request_id"]
    reply = error_reply(error, request_id)
    if wants_page(environ):
        reply = _as_page(reply, error)
    start_response(reply.status, [*reply.headers, *public_page_fields(config).items(), ("X-Request-Id", request_id)])
    return [reply.body]


def _as_page(reply: ErrorReply, error: GatewayError) -> ErrorReply:
    body = address_page(f"{error.message} ({error.code})")
    framing = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    kept = [field for field in reply.headers if not field[0].lower().startswith("content-")]
    return ErrorReply(reply.status, [*framing, *kept], body)
