"""The path of one proxied request: admit, open the upstream, relay the answer, settle."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from gevent import GreenletExit

from app.client_gone import CallEnded
from app.core.errors import EndedByOperator, GatewayError, OperatorFault
from app.core.model import Upstream
from app.core.settings import Limits, Settings
from app.core.statistics.events import CLIENT_GONE, ENDED_BY_OPERATOR
from app.proxy.admission import Admission
from app.proxy.attempt import Attempt
from app.proxy.call import Call, Calls
from app.proxy.held_body import BoundedReader, hold, too_large
from app.proxy.messages import BodyReader, Inbound, Reply, RequestBody
from app.proxy.metering import MappingMeter, Metered
from app.proxy.relay import Relay
from app.proxy.tokens.admission import TokenAdmission
from app.proxy.tokens.callers import Caller
from app.proxy.tunnel import Tunnel
from app.proxy.upstream.exchange import Exchange
from app.proxy.upstream.faults import malformed_request
from app.proxy.upstream.incoming import READ_BYTES
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.wire.http import headers as header_fields
from app.wire.http.headers import Headers
from app.wire.http.http1 import CHUNKED, HttpSyntaxError
from app.wire.http.trace import traced
from app.wire.transforms import without_gemini_thinking

log = logging.getLogger(__name__)

NOTHINK_PREFIX = "/gnothink"


@dataclass(slots=True)
class Engine:
    transport: Transport
    admission: Admission
    tokens: TokenAdmission
    held_body_max_bytes: int
    """Longest body that is held to be edited."""
    forwarded_fields: str
    """See wire.headers.outbound."""
    calls: Calls = field(default_factory=Calls)

    def handle(
        self,
        inbound: Inbound,
        endpoint: str,
        upstream: Upstream,
        target: str,
        settings: Settings,
        metered: Metered | None = None,
        caller: Caller | None = None,
    ) -> Reply:
        """Asks the upstream for `target`. Raises GatewayError before anything was sent to the client, or ClientGone.

        `endpoint` is what the call counts for, in limits as in statistics; `metered`: it is asked for, its usage read;
        `caller`: who shows an access token.
        """
        if inbound.upgrade and (inbound.detach is None or inbound.client_socket is None):
            text = "this server cannot switch protocols; run the gateway with its own worker class (gunicorn.conf.py)"
            raise OperatorFault(501, "upgrade_unsupported", text)
        call = Call(self.calls, inbound, endpoint, upstream.limits.total_timeout)
        attempt = call.begin_attempt(upstream)
        meter = MappingMeter(call, metered, inbound, endpoint) if metered is not None else None
        try:
            if caller is not None:
                call.token = caller.token
                caller.begin(call)
            self.admission.check_rates(endpoint, upstream.limits, settings)
            exchange = self._ask(call, attempt, inbound, endpoint, target, settings, meter)
            at_hand = exchange.read_at_hand()  # while an error can still be told in words
        except BaseException as error:  # whatever it is, the call is accounted for
            break_off(call, error)
        answer = exchange.answer
        call.answered(answer.status)
        if answer.status == 101:
            return switched(call, inbound, exchange, call.settle)
        relay = call.body = Relay(exchange, at_hand, call.watch, call.settle if meter is None else meter.settle)
        if meter is not None:
            meter.look_at(relay, exchange, cuts=settings.budget_cut_streams)
        return Reply(answer.status, answer.reason, header_fields.to_client(answer.headers, answer.connection), relay)

    def _ask(
        self,
        call: Call,
        attempt: Attempt,
        inbound: Inbound,
        endpoint: str,
        target: str,
        settings: Settings,
        meter: MappingMeter | None,
    ) -> Exchange:
        upstream = attempt.upstream
        body = self._request_body(inbound, endpoint, upstream.limits)
        if meter is not None:
            body = meter.passing(body)
        call.watch_client()
        if upstream.limits.max_concurrency:
            attempt.take_slot(self.admission, endpoint)  # not before the body: a slow client must not hold a place
        if settings.global_max_concurrency:
            call.enter(self.admission, settings)
        request = OutboundRequest(
            upstream,
            inbound.method,
            target,
            _outbound_fields(inbound, upstream, self.forwarded_fields),
            body,
            expect=inbound.expects_continue and body.read_more is not None,
            upgrade=inbound.upgrade,
        )
        return attempt.send(self.transport, request, call.deadline_s)

    def _request_body(self, inbound: Inbound, endpoint: str, limits: Limits) -> RequestBody:
        reader: BodyReader = inbound.body
        if reader.length == 0:
            return RequestBody(0)
        max_bytes = limits.max_body_bytes
        if max_bytes:
            if reader.length > max_bytes:
                raise too_large(max_bytes)
            if reader.length == CHUNKED:
                reader = BoundedReader(reader, max_bytes)
        if endpoint == NOTHINK_PREFIX and _is_json_post(inbound):
            whole = hold(reader, self.held_body_max_bytes, memory_bytes=self.held_body_max_bytes)
            edited = without_gemini_thinking(whole.content())
            return RequestBody(len(edited), edited)
        if inbound.expects_continue:
            return RequestBody(reader.length, b"", reader.read1)
        at_hand = reader.read1(READ_BYTES)
        return RequestBody(reader.length, at_hand, None if reader.at_end else reader.read1)


def switched(call: Call, inbound: Inbound, exchange: Exchange, settle: Callable[[Tunnel], None]) -> Reply:
    """Both sides have left HTTP: hands their bytes on. `settle` is told of the end."""
    if call.watch is not None:
        call.watch.stop()  # from now on the tunnel reads the client's socket
    assert inbound.detach is not None  # noqa: S101 - handle() has asked for no switch otherwise
    idle_timeout = exchange.upstream.limits.idle_timeout
    tunnel = call.body = Tunnel(exchange, inbound.client_socket, inbound.detach(), idle_timeout, settle)
    answer = exchange.answer
    fields = header_fields.to_client(answer.headers, answer.connection)
    fields += [("Connection", "Upgrade"), ("Upgrade", inbound.upgrade)]
    return Reply(101, answer.reason, fields, tunnel)


def _outbound_fields(inbound: Inbound, upstream: Upstream, forwarded_fields: str) -> Headers:
    fields = header_fields.outbound(inbound.headers, upstream.authority, inbound.connection, forwarded_fields)
    return traced(fields, inbound.trace)


def _is_json_post(inbound: Inbound) -> bool:
    media_type = header_fields.find(inbound.headers, "content-type") or ""
    return inbound.method == "POST" and "application/json" in media_type.lower()


def break_off(call: Call, error: BaseException) -> NoReturn:
    """Accounts for a call that got no answer, and tells why."""
    match error:
        case HttpSyntaxError():
            call.end(400, "bad_request")
            raise malformed_request(error) from None
        case CallEnded():
            call.end(503, ENDED_BY_OPERATOR)
            raise EndedByOperator from None
        case GatewayError():
            if error.status >= 500:  # others are the caller's doing, who could fill the log with them
                log.warning("%s: %s", error.code, error.message)
            call.end(error.status, error.code)
        case GreenletExit() | ConnectionError():
            call.end(499, CLIENT_GONE)
        case _:
            call.end(500, "internal_error")
    raise error
