"""The door of every proxied request: a WSGI application before Flask's.

A mapped path goes to the engine without a Flask request context, which would cost more than the whole proxying;
everything else is Flask's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from random import Random
from typing import Final

from app.core import routing
from app.core.callers.access import check_good
from app.core.errors import ApiError, ClientFault, GatewayError
from app.core.model import AccessToken, Mapping, Snapshot
from app.core.proxy_redirect import ADDRESS_FIELDS, lead_back
from app.gateway import Gateway
from app.proxy.call import Call
from app.proxy.messages import Inbound, Reply
from app.proxy.metering import Metered
from app.proxy.tokens.callers import Caller, MappingCaller
from app.routes import cors
from app.routes.api_door import ApiDoor
from app.routes.errors import api_error_reply, error_reply
from app.routes.inbound import inbound_of
from app.routes.kept_bodies import keep_bodies, passed_on
from app.routes.own_credentials import OwnCredentials, Shown
from app.routes.wsgi_environ import (
    Environ,
    StartResponse,
    believe_proxies,
    own_origin,
    raw_headers,
    raw_target,
)
from app.telemetry.logs import RequestIds, current_ids
from app.wire.browsers import confine, is_from_browser, without_own_cookies
from app.wire.dialects.asked import OPENAI, Asked
from app.wire.dialects.mapped import mapped
from app.wire.http.headers import Headers, find, has_any, lower
from app.wire.http.trace import TraceParent, begin_trace, continue_trace, parse_traceparent

_REQUEST_ID: Final = "%012x%020x"
"""Milliseconds since the epoch, then chance: ids in order of time go to the end of a database's index, and not each to
a page of its own."""
OURS: Final = frozenset({"x-gateway-error", "x-gateway-request-id"})
"""What an upstream says in these would be taken for our word."""
_LOOKED_AT: Final = ADDRESS_FIELDS | OURS | {"set-cookie"}


class ProxyDoor:
    def __init__(self, gateway: Gateway, api: ApiDoor) -> None:
        """`api` is asked for all that no mapping serves."""
        self._catalog = gateway.catalog
        self._engine = gateway.engine
        self._costs = gateway.choosing.costs
        self._api = api
        self._bodies = gateway.bodies
        self._starts_trace = gateway.config.start_trace
        self._cors = gateway.config.cors
        self._trusted_proxies = gateway.config.trusted_proxy_count
        self._own = OwnCredentials(gateway.config.auth_keys)
        self._random_bits = Random().getrandbits

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = _REQUEST_ID % (int(time.time() * 1000), self._random_bits(80))
        environ["gateway.request_id"] = request_id
        if self._trusted_proxies:
            believe_proxies(environ, self._trusted_proxies)
        trace = self._trace(environ) if self._starts_trace or "HTTP_TRACEPARENT" in environ else None
        current_ids.set(RequestIds(request_id, trace.trace_id, trace.span_id) if trace else RequestIds(request_id))
        snapshot = self._catalog.snapshot
        route = routing.match(snapshot, raw_target(environ))
        if route is None:
            environ["gateway.trace"] = trace
            return self._api(environ, start_response)
        mapping, target = route
        if mapping.channel:
            environ["gateway.trace"] = trace
            return self._api.serve_mapping(environ, start_response, snapshot, mapping, target)
        headers = raw_headers(environ)
        if environ["REQUEST_METHOD"] == "OPTIONS" and self._cors and cors.is_preflight(headers):
            start_response("204 No Content", [*cors.preflight_headers(headers), ("X-Request-Id", request_id)])
            return []
        body: Iterable[bytes]
        inbound = inbound_of(environ, headers, trace)
        keep_bodies(self._bodies, inbound, target, snapshot)
        try:
            if "HTTP_SERVICE_WORKER" in environ or environ.get("HTTP_SEC_FETCH_DEST") == "serviceworker":
                raise ClientFault(403, "service_worker_refused", "a mapping's answer cannot be a service worker")
            caller, settings = None, snapshot.settings
            if mapping.needs_token or "gateway.token" in environ or self._own.may_stand_in(environ, target):
                caller, target = self._caller(environ, inbound, snapshot, mapping, target)
            metered = self._metered(environ, target, snapshot, caller)
            reply = self._engine.handle(inbound, mapping.prefix, mapping.upstream, target, settings, metered, caller)
        except GatewayError as error:
            status, answer, text = _refused(environ, target, error, request_id)
            body = [text]
        else:
            status, body = f"{reply.status} {reply.reason}", reply.body
            answer = self._answer_fields(environ, reply, mapping, target)
        answer.append(("X-Gateway-Request-Id", request_id))
        if find(answer, "x-request-id") is None:
            answer.append(("X-Request-Id", request_id))
        if self._cors and "HTTP_ORIGIN" in environ:
            cors.add_access(answer)
        start_response(status, answer)
        return passed_on(inbound, status, answer, body)

    def _caller(
        self, environ: Environ, inbound: Inbound, snapshot: Snapshot, mapping: Mapping, target: str
    ) -> tuple[Caller | None, str]:
        """Who shows an access token, and the target without it; it is taken out of `inbound`, too. Raises ApiError."""
        try:
            shown = self._shown(environ, inbound, snapshot, mapping, target)
        except ApiError as error:
            call = Call(self._engine.calls, inbound, mapping.prefix, 0.0)
            call.token = error.token
            call.end(error.status, error.code)
            raise
        inbound.headers = shown.headers
        if shown.token is None:
            return None, shown.target
        asked, query = _asked(environ, shown.target), shown.target.partition("?")[2]
        caller = MappingCaller(self._engine.tokens, shown.token, snapshot, mapping, asked, query, inbound)
        return caller, shown.target

    def _shown(self, environ: Environ, inbound: Inbound, snapshot: Snapshot, mapping: Mapping, target: str) -> Shown:
        """Raises ApiError."""
        token: AccessToken | None = environ.get("gateway.token")
        if token is None:
            return self._own.take(inbound.headers, target, snapshot.tokens, needs_token=mapping.needs_token)
        check_good(token, int(time.time() * 1000))
        return Shown(token, inbound.headers, target)

    def _metered(self, environ: Environ, target: str, snapshot: Snapshot, caller: Caller | None) -> Metered | None:
        """For a call whose usage is read; None for all others, and where nobody knows what is asked for."""
        wanted = snapshot.settings.meter_mappings
        if wanted == "off" or (caller is None and wanted != "all"):
            return None
        asked = _asked(environ, target)
        return Metered(asked, snapshot.prices, self._costs) if asked is not None else None

    def _answer_fields(self, environ: Environ, reply: Reply, mapping: Mapping, asked: str) -> Headers:
        """The upstream's fields: its own addresses lead back to the mapping, and nothing acts as ours in a browser."""
        fields = reply.headers
        if has_any(fields, _LOOKED_AT):
            if find(fields, "set-cookie") is not None:
                fields = without_own_cookies(fields)
            if has_any(fields, OURS):
                fields = [field for field in fields if lower(field[0]) not in OURS]
            if has_any(fields, ADDRESS_FIELDS):
                fields = lead_back(fields, mapping, asked, own_origin(environ, self._trusted_proxies))
        said = environ.get
        if is_from_browser(
            said("HTTP_SEC_FETCH_DEST"), said("HTTP_ACCEPT"), said("HTTP_ORIGIN"), said("HTTP_USER_AGENT")
        ):
            confine(fields, reply.status)
        return fields

    def _trace(self, environ: Environ) -> TraceParent | None:
        """Our step in the caller's trace, or in one of our own."""
        sent = environ.get("HTTP_TRACEPARENT")
        parent = parse_traceparent(sent) if sent else None
        if parent is not None:
            return continue_trace(parent, self._random_bits(64))
        return begin_trace(self._random_bits(192)) if sent is None else None


def _asked(environ: Environ, target: str) -> Asked | None:
    """What is asked for behind a mapping's prefix; None where nobody knows."""
    method: str = environ["REQUEST_METHOD"]
    return mapped(method, target.partition("?")[0], "HTTP_ANTHROPIC_VERSION" in environ)


def _refused(environ: Environ, target: str, error: GatewayError, request_id: str) -> tuple[str, Headers, bytes]:
    """What is told of an access token in the dialect of the path behind the prefix; all else as mappings tell it."""
    if not isinstance(error, ApiError):
        return error_reply(error, request_id)
    asked = _asked(environ, target)
    return api_error_reply(error, asked.dialect if asked is not None else OPENAI, request_id)
