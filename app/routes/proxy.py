"""The door of every proxied request: a WSGI application before Flask's.

A mapped path goes to the engine without a Flask request context, which would cost more than the whole proxying;
everything else is Flask's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any
from urllib.parse import quote

from app.core import routing
from app.core.errors import ClientFault, GatewayError
from app.core.routing import Route
from app.gateway import Gateway
from app.proxy.client_watch import ClientGone
from app.proxy.engine import Inbound
from app.routes import cors
from app.routes.errors import error_reply
from app.telemetry.logs import RequestIds, current_ids
from app.wire.headers import Headers, find, tokens
from app.wire.http1 import CHUNKED, HttpSyntaxError
from app.wire.trace import TraceParent, begin_trace, continue_trace, parse_traceparent

StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
Environ = dict[str, Any]


class ProxyDoor:
    def __init__(self, gateway: Gateway, otherwise: WsgiApp) -> None:
        self._gateway = gateway
        self._otherwise = otherwise
        self._random_bits = Random().getrandbits

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = f"{self._random_bits(128):032x}"
        environ["gateway.request_id"] = request_id
        trace = self._trace(environ)
        current_ids.set(RequestIds(request_id, trace.trace_id if trace else ""))
        route = routing.match(self._gateway.catalog.snapshot, raw_target(environ))
        if route is None:
            return self._otherwise(environ, start_response)
        headers = raw_headers(environ)
        if self._gateway.config.cors and cors.is_preflight(environ["REQUEST_METHOD"], headers):
            start_response("204 No Content", [*cors.preflight_headers(headers), ("X-Request-Id", request_id)])
            return []
        inbound = Inbound(
            request_id=request_id,
            method=environ["REQUEST_METHOD"],
            headers=headers,
            body=_Body(environ),
            expects_continue="HTTP_EXPECT" in environ,
            client=environ.get("REMOTE_ADDR", ""),
            trace=trace,
            upgrade=asked_upgrade(environ),
            detach=getattr(environ["wsgi.input"], "detach", None),
            client_socket=client_socket(environ),
        )
        return self._proxy(inbound, route, start_response)

    def _proxy(self, inbound: Inbound, route: Route, start_response: StartResponse) -> Iterable[bytes]:
        request_id = inbound.request_id
        body: Iterable[bytes]
        try:
            reply = self._gateway.engine.handle(inbound, route)
        except GatewayError as error:
            status, answer, text = error_reply(error, request_id)
            body = [text]
        else:
            status, answer, body = f"{reply.status} {reply.reason}", reply.headers, reply.body
        if find(answer, "x-request-id") is None:
            answer.append(("X-Request-Id", request_id))
        if self._gateway.config.cors:
            cors.add_access(inbound.headers, answer)
        start_response(status, answer)
        return body

    def _trace(self, environ: Environ) -> TraceParent | None:
        """Our step in the caller's trace, or in one of our own where START_TRACE says so."""
        sent = environ.get("HTTP_TRACEPARENT")
        parent = parse_traceparent(sent) if sent else None
        if parent is not None:
            return continue_trace(parent, self._random_bits(64))
        if sent is None and self._gateway.config.start_trace:
            return begin_trace(self._random_bits(192))
        return None


class _Body:
    """A request's body, read from whatever a WSGI server gives as `wsgi.input`."""

    __slots__ = ("_left", "_read", "at_end", "length")

    def __init__(self, environ: Environ) -> None:
        if "HTTP_TRANSFER_ENCODING" in environ:
            self.length = CHUNKED
        else:
            self.length = int(environ.get("CONTENT_LENGTH") or 0)
        self._left = self.length
        source = environ["wsgi.input"]
        self._read: Callable[[int], bytes] = getattr(source, "read1", None) or source.read
        self.at_end = self.length == 0

    def read1(self, size: int) -> bytes:
        """See `proxy.engine.BodyReader`. A body that ends early (some servers hide that) is a client that has left."""
        if self.at_end:
            return b""
        try:
            data = self._read(size if self._left < 0 else min(size, self._left))
        except HttpSyntaxError as error:
            raise ClientFault(400, "bad_request", f"the request's body is malformed: {error}") from None
        if self.length == CHUNKED:
            self.at_end = not data
        elif not data:
            raise ClientGone
        else:
            self._left -= len(data)
            self.at_end = not self._left
        return data


def raw_target(environ: Environ) -> str:
    """The request target in origin form, as untouched as the server gives it."""
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if target.startswith("/"):
        return target
    query = environ.get("QUERY_STRING")
    path = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/%:@!$&'()*+,;=~")
    return f"{path}?{query}" if query else path


def raw_headers(environ: Environ) -> Headers:
    """The request's fields; from servers that only speak WSGI, without their order, number and spelling."""
    headers: Headers | None = environ.get("gateway.headers")
    if headers is not None:
        return headers
    fields = [(key[5:].replace("_", "-").title(), value) for key, value in environ.items() if key.startswith("HTTP_")]
    if environ.get("CONTENT_TYPE"):
        fields.append(("Content-Type", environ["CONTENT_TYPE"]))
    return fields


def asked_upgrade(environ: Environ) -> str:
    """The protocol of an `Upgrade: websocket` (RFC 6455, 4.1); other switches are not made (RFC 9110, 7.8)."""
    upgrade: str = environ.get("HTTP_UPGRADE", "")
    if not upgrade or upgrade.lower() != "websocket" or environ["REQUEST_METHOD"] != "GET":
        return ""
    return upgrade if "upgrade" in tokens(environ.get("HTTP_CONNECTION", "")) else ""


def client_socket(environ: Environ) -> Any:
    return environ.get("gunicorn.socket")
