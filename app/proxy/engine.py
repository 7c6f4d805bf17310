"""The path of one proxied request: admit, open the upstream, relay the answer, settle."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gevent import GreenletExit

from app.core.errors import ClientFault, GatewayError, OperatorFault
from app.core.events import CLIENT_GONE, RequestEvent
from app.core.model import Upstream
from app.core.settings import Limits, Settings
from app.core.wording import counted
from app.proxy.admission import Admission
from app.proxy.client_watch import ClientWatch
from app.proxy.messages import BodyReader, Inbound, Reply, RequestBody
from app.proxy.relay import Relay
from app.proxy.tunnel import Tunnel
from app.proxy.upstream.exchange import NEVER, Exchange
from app.proxy.upstream.faults import malformed_request
from app.proxy.upstream.incoming import READ_BYTES
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.storage.slots import Slot
from app.wire import headers as header_fields
from app.wire.headers import Headers
from app.wire.http1 import CHUNKED, HttpSyntaxError
from app.wire.transforms import without_gemini_thinking

log = logging.getLogger(__name__)

NOTHINK_PREFIX = "/gnothink"


@dataclass(slots=True)
class Engine:
    transport: Transport
    admission: Admission
    held_body_max_bytes: int
    """Longest body that is held to be edited."""
    forwarded_fields: str
    """See wire.headers.outbound."""
    observers: list[Callable[[RequestEvent], None]] = field(default_factory=list)
    """Who is told of each finished request. They must not wait."""
    active_calls: int = 0

    def handle(self, inbound: Inbound, endpoint: str, upstream: Upstream, target: str, settings: Settings) -> Reply:
        """Asks the upstream for `target`. Raises GatewayError before anything was sent to the client, or ClientGone.

        `endpoint` is what the call counts for, in limits as in statistics.
        """
        if inbound.upgrade and (inbound.detach is None or inbound.client_socket is None):
            text = "this server cannot switch protocols; run the gateway with its own worker class (gunicorn.conf.py)"
            raise OperatorFault(501, "upgrade_unsupported", text)
        call = _Call(self, inbound, endpoint, upstream)
        try:
            self.admission.check_rates(endpoint, upstream.limits, settings)
            body = self._request_body(inbound, endpoint, upstream.limits)
            if inbound.client_socket is not None:
                call.watch = ClientWatch(inbound.client_socket)
            if upstream.limits.max_concurrency:
                call.take_slot()  # not before the body has begun: a slow client must not hold a place
            call.request = OutboundRequest(
                upstream,
                inbound.method,
                target,
                _outbound_fields(inbound, upstream, self.forwarded_fields),
                body,
                expect=inbound.expects_continue and body.read_more is not None,
                upgrade=inbound.upgrade,
            )
            exchange = self.transport.send(call.request, call.deadline_s())
            at_hand = exchange.read_at_hand()  # while an error can still be told in words
        except HttpSyntaxError as malformed:
            call.end(400, "bad_request")
            raise malformed_request(malformed) from None
        except GatewayError as error:
            if not isinstance(error, ClientFault):
                log.warning("%s: %s", error.code, error.message)
            call.end(error.status, error.code)
            raise
        except (GreenletExit, ConnectionError):
            call.end(499, CLIENT_GONE)
            raise
        except BaseException:
            call.end(500, "internal_error")
            raise
        call.first_byte_s = time.monotonic()
        answer = exchange.answer
        call.status = answer.status
        if answer.status == 101:
            return call.switch(exchange)
        relay = Relay(exchange, at_hand, call.watch, call.settle)
        return Reply(answer.status, answer.reason, header_fields.to_client(answer.headers, answer.connection), relay)

    def _request_body(self, inbound: Inbound, endpoint: str, limits: Limits) -> RequestBody:
        reader = inbound.body
        if reader.length == 0:
            return RequestBody(0)
        max_bytes = limits.max_body_bytes
        if max_bytes:
            if reader.length > max_bytes:
                raise _too_large(max_bytes)
            if reader.length == CHUNKED:
                reader = _BoundedReader(reader, max_bytes)
        if endpoint == NOTHINK_PREFIX and _is_json_post(inbound):
            edited = without_gemini_thinking(_read_all(reader, self.held_body_max_bytes))
            return RequestBody(len(edited), edited)
        if inbound.expects_continue:
            return RequestBody(reader.length, b"", reader.read1)
        at_hand = reader.read1(READ_BYTES)
        return RequestBody(reader.length, at_hand, None if reader.at_end else reader.read1)


class _Call:
    """What one request has to account for at its end."""

    __slots__ = (
        "_endpoint",
        "_engine",
        "_inbound",
        "_slot",
        "_started_s",
        "_upstream",
        "first_byte_s",
        "request",
        "status",
        "watch",
    )

    def __init__(self, engine: Engine, inbound: Inbound, endpoint: str, upstream: Upstream) -> None:
        self._engine = engine
        self._inbound = inbound
        self._endpoint = endpoint
        self._upstream = upstream
        self._started_s = time.monotonic()
        self.first_byte_s = 0.0
        self.status = 0
        self.request: OutboundRequest | None = None
        self.watch: ClientWatch | None = None
        self._slot: Slot | None = None
        engine.active_calls += 1

    def deadline_s(self) -> float:
        total_s = self._upstream.limits.total_timeout
        return self._started_s + total_s if total_s else NEVER

    def take_slot(self) -> None:
        """Raises Busy. A client that leaves while it waits for a slot leaves the queue."""
        self._slot = self._engine.admission.take_slot(self._endpoint, self._upstream.limits)

    def switch(self, exchange: Exchange) -> Reply:
        """Both sides have left HTTP: hands their bytes on."""
        if self.watch is not None:
            self.watch.stop()  # from now on the tunnel reads the client's socket
        inbound = self._inbound
        assert inbound.detach is not None  # noqa: S101 - handle() has asked for no switch otherwise
        idle_timeout = self._upstream.limits.idle_timeout
        tunnel = Tunnel(exchange, inbound.client_socket, inbound.detach(), idle_timeout, self.settle)
        answer = exchange.answer
        fields = header_fields.to_client(answer.headers, answer.connection)
        fields += [("Connection", "Upgrade"), ("Upgrade", inbound.upgrade)]
        return Reply(101, answer.reason, fields, tunnel)

    def settle(self, body: Relay | Tunnel) -> None:
        self._record(body.status or self.status, body.error_code, body.sent_bytes)

    def end(self, status: int, error_code: str) -> None:
        """Ends a call that got no answer."""
        if self.watch is not None:
            self.watch.stop()
        if self.request is not None and self.request.exchange is not None:
            self.request.exchange.close()
        self._record(status, error_code, 0)

    def _record(self, status: int, error_code: str, sent_bytes: int) -> None:
        now_s = time.monotonic()
        self._engine.active_calls -= 1
        if self._slot is not None:
            self._slot.release()
        request = self.request
        exchange = request.exchange if request is not None else None
        event = RequestEvent(
            self._inbound.request_id,
            int(time.time() * 1000),
            self._endpoint,
            self._inbound.method,
            status,
            error_code,
            exchange.sent_body_bytes if exchange is not None else 0,
            sent_bytes,
            (now_s - self._started_s) * 1000,
            (self.first_byte_s - self._started_s) * 1000 if self.first_byte_s else None,
            self._inbound.trace.trace_id if self._inbound.trace else "",
            self._inbound.client,
            self._upstream.authority,
            request.attempts if request is not None else 0,
        )
        for observe in self._engine.observers:
            observe(event)


def _outbound_fields(inbound: Inbound, upstream: Upstream, forwarded_fields: str) -> Headers:
    fields = header_fields.outbound(inbound.headers, upstream.authority, inbound.connection, forwarded_fields)
    if inbound.trace is None:
        return fields
    return [*[field for field in fields if field[0].lower() != "traceparent"], ("traceparent", str(inbound.trace))]


def _is_json_post(inbound: Inbound) -> bool:
    media_type = header_fields.find(inbound.headers, "content-type") or ""
    return inbound.method == "POST" and "application/json" in media_type.lower()


class _BoundedReader:
    """A body of unknown length that must not become longer than `max_bytes`."""

    def __init__(self, reader: BodyReader, max_bytes: int) -> None:
        self.length = reader.length
        self._reader = reader
        self._max_bytes = max_bytes
        self._left = max_bytes

    @property
    def at_end(self) -> bool:
        return self._reader.at_end

    def read1(self, size: int) -> bytes:
        data = self._reader.read1(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._max_bytes)
        return data


def _too_large(max_bytes: int) -> ClientFault:
    text = f"the request's body is longer than the {counted(max_bytes, 'byte')} allowed here"
    return ClientFault(413, "body_too_large", text)


def _read_all(reader: BodyReader, max_bytes: int) -> bytes:
    pieces = []
    size = 0
    while piece := reader.read1(READ_BYTES):
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes)
        pieces.append(piece)
    return b"".join(pieces)
