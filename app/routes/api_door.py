"""The door of calls to channels: a WSGI application before Flask's, for the paths that providers' SDKs ask for.

Checks come in this order: an upgrade, who calls, what may be asked for. All that is refused is told in the dialect of
the caller, and so is what the channels could not give.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from app.core.callers.access import ANONYMOUS, AccessTokens, check_good, is_from_here
from app.core.callers.permissions import check_mapping, reach_of
from app.core.channels.definition import comparable
from app.core.errors import ApiError, ClientFault, GatewayError
from app.core.model import AccessToken, Channel, Mapping, Snapshot
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.calls import ask
from app.proxy.api.served import Served
from app.proxy.api.told import ended
from app.proxy.messages import Inbound, Reply
from app.routes import cors
from app.routes.errors import api_error_reply
from app.routes.inbound import inbound_of
from app.routes.kept_bodies import keep_bodies, passed_on
from app.routes.local_answers import models_answer
from app.routes.token_answers import TokenAnswers
from app.routes.token_count import count_tokens
from app.routes.wsgi_environ import Environ, StartResponse, WsgiApp, raw_headers, raw_target
from app.wire.browsers import confine, is_from_browser
from app.wire.dialects.asked import OPENAI, Asked, dialect_of
from app.wire.dialects.credentials import credentials, query_without_key, without_own
from app.wire.http.headers import Headers, find, lower

OWN_USAGE: Final = "/v1/dashboard/usage"
"""Where whoever has an access token asks for its figures."""
_OWN_BEGIN: Final = "x-gateway-"
_MODEL_SAFE: Final = "/:@!$&'()*+,;=~[]"
_VERSIONED: Final = {"anthropic-version": ""}
_UNVERSIONED: Final[dict[str, str]] = {}


class ApiDoor:
    def __init__(self, gateway: Gateway, otherwise: WsgiApp) -> None:
        self._catalog = gateway.catalog
        self._engine = gateway.engine
        self._choosing = gateway.choosing
        self._bodies = gateway.bodies
        self._cors = gateway.config.cors
        self._otherwise = otherwise
        self._tokens = AccessTokens(gateway.config.auth_keys)
        self._answers = TokenAnswers(gateway)
        self._is_only_here = not gateway.config.exposure

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        target = raw_target(environ)
        asked = _asked(environ, target)
        snapshot = self._catalog.snapshot
        if asked is None or not (snapshot.channels or (_asks_websocket(environ) and not asked.is_realtime)):
            return self._otherwise(environ, start_response)
        return self._answer(environ, start_response, snapshot, asked, target, None)

    def serve_mapping(
        self, environ: Environ, start_response: StartResponse, snapshot: Snapshot, mapping: Mapping, target: str
    ) -> Iterable[bytes]:
        """A mapping that leads to a channel, for which statistics count it: `target` is what follows its prefix."""
        asked = _asked(environ, target)
        if asked is None:
            asked = Asked(OPENAI, "", environ["REQUEST_METHOD"], target.partition("?")[0])
            asked.served_by = ""
        asked.endpoint = asked.mapping = mapping.prefix
        return self._answer(environ, start_response, snapshot, asked, target, mapping)

    def _answer(
        self,
        environ: Environ,
        start_response: StartResponse,
        snapshot: Snapshot,
        asked: Asked,
        target: str,
        mapping: Mapping | None,
    ) -> Iterable[bytes]:
        request_id: str = environ["gateway.request_id"]
        headers = raw_headers(environ)
        if environ["REQUEST_METHOD"] == "OPTIONS" and self._cors and cors.is_preflight(headers):
            start_response("204 No Content", [*cors.preflight_headers(headers), *_ids([], request_id)])
            return []
        told: Headers = []
        body: Iterable[bytes]
        inbound = inbound_of(environ, headers, environ["gateway.trace"])
        keep_bodies(self._bodies, inbound, target, snapshot)
        try:
            served = self._served(environ, inbound, snapshot, asked, target, mapping)
        except GatewayError as error:
            status, fields, text = api_error_reply(error, asked.dialect, request_id)
            body = [] if environ["REQUEST_METHOD"] == "HEAD" else [text]
            told = _route_fields("", 0, "")
            if isinstance(error, ApiError):
                told = _route_fields(error.channel, error.attempts, "")
        else:
            reply = served.reply
            status, body = f"{reply.status} {reply.reason}", reply.body
            fields = _of_upstream(reply.headers)
            said = environ.get
            if is_from_browser(
                said("HTTP_SEC_FETCH_DEST"), said("HTTP_ACCEPT"), said("HTTP_ORIGIN"), said("HTTP_USER_AGENT")
            ):
                confine(fields, reply.status)
            told = _route_fields(served.channel, served.attempts, served.upstream_model)
        if snapshot.settings.route_headers:
            fields += told
        fields += _ids(fields, request_id)
        if self._cors and "HTTP_ORIGIN" in environ:
            cors.add_access(fields)
        start_response(status, fields)
        return passed_on(inbound, status, fields, body)

    # --- what is asked for ---

    def _served(
        self,
        environ: Environ,
        inbound: Inbound,
        snapshot: Snapshot,
        asked: Asked,
        target: str,
        mapping: Mapping | None,
    ) -> Served:
        query = target.partition("?")[2]
        token: AccessToken | None = None
        try:
            if _asks_websocket(environ) and (inbound.detach is None or not asked.is_realtime):
                text = "there are no WebSockets here but for /v1/realtime: ask by HTTP, with a stream of events"
                raise ApiError(426, "upgrade_unsupported", text)
            token = self._check(environ, inbound, snapshot, query)
            only = channel_of(snapshot, asked, mapping) if mapping is not None else None
            if mapping is not None and only is not None:
                check_mapping(token, mapping, only.id)
            reply = self._local(snapshot, asked, query, only, token)
            if reply is not None:
                ended(self._engine.calls, inbound, asked, token, 200, "")
                return Served(reply, "", 0, "")
        except GatewayError as error:
            if isinstance(error, ApiError) and error.token is not None:
                token = error.token
            ended(self._engine.calls, inbound, asked, token, error.status, error.code)
            raise
        query, headers = query_without_key(query), without_own(inbound.headers)
        if asked.counts_tokens and asked.method == "POST":
            reply = count_tokens(self._engine, inbound, asked, query, headers, snapshot, token)
            return Served(reply, "", 0, "")
        reach = reach_of(token) if only is None else (frozenset((only.id,)), None)
        return ask(self._engine, inbound, asked, query, headers, snapshot, self._choosing, reach, token)

    def _local(
        self, snapshot: Snapshot, asked: Asked, query: str, only: Channel | None, token: AccessToken
    ) -> Reply | None:
        """What is answered here, and counts for nothing; None: channels are asked. Raises ApiError."""
        if asked.lists_models:
            return models_answer(snapshot, asked, query, only, token)
        if asked.path == OWN_USAGE and asked.method == "GET":
            if token is ANONYMOUS:
                raise self._tokens.unknown([], snapshot.tokens)
            return self._answers.for_its_holder(token)
        return None

    def _check(self, environ: Environ, inbound: Inbound, snapshot: Snapshot, query: str) -> AccessToken:
        token: AccessToken | None = environ.get("gateway.token")
        if token is not None:
            check_good(token, int(time.time() * 1000))
            return token
        if "HTTP_SERVICE_WORKER" in environ or environ.get("HTTP_SEC_FETCH_DEST") == "serviceworker":
            raise ClientFault(403, "service_worker_refused", "a channel's answer cannot be a service worker")
        is_open = snapshot.settings.anonymous_channels and self._is_only_here
        is_open = is_open and is_from_here(environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", ""))
        shown = credentials(inbound.headers, query)
        return self._tokens.admit(shown, snapshot.tokens, int(time.time() * 1000), needs_token=not is_open)


def channel_of(snapshot: Snapshot, asked: Asked, mapping: Mapping) -> Channel:
    """The channel that a mapping leads to. Raises ApiError where that cannot serve what is asked."""
    if not asked.served_by:
        text = f"{mapping.prefix} leads to a channel, and {asked.path[:200]!r} is no path of an API that one speaks"
        raise ApiError(404, "mapping_not_found", f"{text}: it begins with /v1/ or /v1beta/", is_final=True)
    channel = CHANNELS.of(snapshot).by_name.get(comparable(mapping.channel))
    if channel is None or not channel.enabled or asked.served_by not in channel.dialects:
        what = "which does not exist" if channel is None else f"which does not serve {asked.served_by}"
        what = "which is disabled" if channel is not None and not channel.enabled else what
        text = f"{mapping.prefix} leads to the channel {mapping.channel!r}, {what}"
        raise ApiError(404, "model_not_found", text, is_final=True)
    return channel


def _asked(environ: Environ, target: str) -> Asked | None:
    versioned = _VERSIONED if "HTTP_ANTHROPIC_VERSION" in environ else _UNVERSIONED
    return dialect_of(environ["REQUEST_METHOD"], target.partition("?")[0], versioned)


def _asks_websocket(environ: Environ) -> bool:
    return "HTTP_UPGRADE" in environ and environ["HTTP_UPGRADE"].lower() == "websocket"


# --- what is added to answers ---


def _of_upstream(fields: Headers) -> Headers:
    """Without those that would speak for us; an account's cookie is none of the caller's. A list of its own."""
    passed: Headers = []
    for field in fields:
        name = lower(field[0])
        if name != "set-cookie" and not name.startswith(_OWN_BEGIN):
            passed.append(field)
    return passed


def _route_fields(channel: str, attempts: int | None, upstream_model: str) -> Headers:
    """Who served, and how often somebody was asked."""
    fields = [("X-Gateway-Attempts", str(attempts))] if attempts is not None else []
    if channel:
        fields.append(("X-Gateway-Channel", _quoted(channel, "")))
    if upstream_model:
        fields.append(("X-Gateway-Model", _quoted(upstream_model, _MODEL_SAFE)))
    return fields


@lru_cache(maxsize=2048)
def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe)


def _ids(fields: Headers, request_id: str) -> Headers:
    told = [("X-Gateway-Request-Id", request_id)]
    if find(fields, "x-request-id") is None:
        told.append(("X-Request-Id", request_id))
    return told
