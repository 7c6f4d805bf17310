"""Sends requests to upstreams, on connections that are kept alive and bounded."""

from __future__ import annotations

import time
from functools import partial
from typing import Any
from weakref import WeakSet

import gevent

from app.core.errors import AddressRefused, UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.core.network.forward_proxies import WayOut
from app.proxy.messages import RequestBody
from app.proxy.upstream import faults
from app.proxy.upstream.dialing import Dialer, by_proxy, no_connection
from app.proxy.upstream.exchange import NEVER, Exchange
from app.proxy.upstream.forward_proxy import credentials, refusal
from app.proxy.upstream.pool import Connection, Pool, PoolLimits
from app.waiting import wake_reader
from app.wire.http.headers import Headers, find
from app.wire.http.http1 import CHUNKED

LOOK_S = 5.0
"""Between two looks for idle connections that are of no use, and for upstreams that vanished."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class OutboundRequest:
    """A request as it will stand on the wire: its fields in their order, number and spelling."""

    __slots__ = (
        "attempts", "body", "exchange", "expect", "fields", "first_byte_limited", "may_repeat", "method", "target",
        "upgrade", "upstream",
    )  # fmt: skip

    def __init__(
        self,
        upstream: Upstream,
        method: str,
        target: str,
        fields: Headers,
        body: RequestBody,
        *,
        expect: bool = False,
        upgrade: str = "",
        may_repeat: bool = False,
    ) -> None:
        """`may_repeat`: sending it twice does no harm, whatever its method."""
        self.upstream = upstream
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        self.expect = expect
        self.upgrade = upgrade
        self.may_repeat = may_repeat
        self.first_byte_limited = True
        """False: the deadline alone bounds the wait for an answer, and no first-byte timeout."""
        self.attempts = 0
        """How many connections it was sent on, or should have been."""
        self.exchange: Exchange | None = None
        """The latest of them, at work."""


class Transport:
    """The only door to upstreams."""

    def __init__(self, dialer: Dialer, limits: PoolLimits | None = None) -> None:
        self._dialer = dialer
        self._has_proxies = dialer.has_proxies
        limits = limits or PoolLimits()
        self._pool = Pool(limits)
        self._sockets: WeakSet[Any] = WeakSet()
        """All that were dialled and are open."""
        self._janitor = gevent.spawn(self._clear_up, min(LOOK_S, limits.idle_timeout_s / 4))

    def send(self, request: OutboundRequest, deadline_s: float = NEVER) -> Exchange:
        """Sends on a kept-alive connection or a new one; returns when the head of the answer is there.

        The limits are the upstream's; `deadline_s` is when all must be over, by time.monotonic(), or NEVER.
        Raises UpstreamFault, AddressRefused, or what reading the request's body raised.

        A kept-alive connection that dies before a byte of the answer is replaced once, under the rule of Go's
        net/http: if the upstream saw nothing of the request, or if its body can begin again and it is safe to repeat.
        """
        way = None
        if self._has_proxies or request.upstream.proxy is not None:
            way = self._dialer.way_to(request.upstream, switches=bool(request.upgrade))
        key = self._pool.key(request.upstream, way)
        connection = self._pool.take(key)
        if connection is not None:
            request.attempts = 1
            try:
                return self._exchange(connection, request, deadline_s)
            except UpstreamFault as fault:
                if fault.failure is Failure.STALE_WRITTEN:
                    again = request.body.again() if _may_repeat(request) else None
                    if again is None:
                        raise
                    request.body = again
                elif fault.failure is not Failure.STALE:
                    raise
        sock = self._dial(request, deadline_s, way)
        self._sockets.add(sock)
        return self._exchange(Connection(key, sock), request, deadline_s)

    def _dial(self, request: OutboundRequest, deadline_s: float, way: WayOut | None) -> Any:
        upstream = request.upstream
        request.attempts += 1
        left_s = deadline_s - time.monotonic()
        connect_s = upstream.limits.connect_timeout
        try:
            return self._dialer.dial(upstream, max(0.0, min(connect_s, left_s)), way)
        except AddressRefused:
            request.attempts -= 1  # nothing was dialled
            raise
        except UpstreamFault:
            if left_s < connect_s and deadline_s <= time.monotonic():
                raise faults.total_timeout(upstream) from None
            raise

    def _exchange(self, connection: Connection, request: OutboundRequest, deadline_s: float) -> Exchange:
        upstream = request.upstream
        give_back = self._pool.give_back if upstream.scheme == "http" else partial(self._give_back_tls, upstream)
        exchange = Exchange(connection, upstream, request.method, request.upgrade, deadline_s, give_back)
        request.exchange = exchange
        target, fields = request.target, _framed(request)
        way = connection.key[4]
        proxy = way.proxy if way is not None and not way.tunnels else None
        if proxy is not None:
            target, fields = f"http://{upstream.authority}{target}", [*fields, *credentials(proxy)]
        try:
            exchange.first_byte_limited = request.first_byte_limited
            exchange.send(f"{request.method} {target} HTTP/1.1", fields, request.body, expect=request.expect)
            if proxy is not None and exchange.answer.status == 407:
                raise no_connection(upstream, by_proxy(refusal(407, exchange.answer.reason)))
        except BaseException:
            exchange.close()
            raise
        return exchange

    def _give_back_tls(self, upstream: Upstream, connection: Connection) -> None:
        self._dialer.keep_tls_session(upstream, connection.sock)
        self._pool.give_back(connection)

    def _clear_up(self, pause_s: float) -> None:
        while True:
            gevent.sleep(pause_s)
            self._pool.close_expired()
            for sock in list(self._sockets):
                if self._dialer.keepalive.has_vanished(sock):
                    wake_reader(sock)

    def close(self) -> None:
        self._janitor.kill(block=False)
        self._pool.close()


def _framed(request: OutboundRequest) -> Headers:
    """The fields with those that frame the body.

    A method that usually has a body says so when it has none (RFC 9110, 8.6).
    """
    if request.upgrade:
        return [*request.fields, ("Connection", "Upgrade"), ("Upgrade", request.upgrade)]
    length = request.body.length
    expectation = [("Expect", "100-continue")] if request.expect else []
    if length == CHUNKED:
        return [*request.fields, ("Transfer-Encoding", "chunked"), *expectation]
    if length or request.method in ("POST", "PUT", "PATCH"):
        return [*request.fields, ("Content-Length", str(length)), *expectation]
    return request.fields


def _may_repeat(request: OutboundRequest) -> bool:
    """True when sending it twice does what sending it once does (RFC 9110, 9.2.2), or when it bears a key for that."""
    if request.may_repeat or request.method in _SAFE_METHODS:
        return True
    return find(request.fields, "idempotency-key") is not None or find(request.fields, "x-idempotency-key") is not None
