"""One request of a client, whatever is tried for it: its watch, its deadline, and the one event that tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.errors import UpstreamFault
from app.core.events import ApiUse, RequestEvent
from app.core.failures import Failure
from app.core.model import Upstream
from app.core.repeats import FailedCalls
from app.proxy.attempt import Attempt
from app.proxy.client_watch import ClientWatch
from app.proxy.messages import Inbound
from app.proxy.relay import Relay
from app.proxy.tunnel import Tunnel
from app.proxy.upstream import faults
from app.proxy.upstream.exchange import NEVER
from app.wire.caller_deadlines import CallerDeadlines
from app.wire.trace import NO_TRACE


@dataclass(slots=True)
class Calls:
    """All calls of this process."""

    observers: list[Callable[[RequestEvent], None]] = field(default_factory=list)
    """Who is told of each finished one. They must not wait."""
    active: int = 0
    failed: FailedCalls = field(default_factory=FailedCalls)
    """Of those to channels what failed lately."""


class Call:
    """What one request has to account for: it is told of once, at its end, by `settle` or `end`."""

    __slots__ = (
        "_calls", "_endpoint", "_first_byte_s", "_inbound", "_own_deadline_s", "_started_s", "_status",
        "answer_deadline_s", "attempt", "attempts", "deadline_s", "use", "watch",
    )  # fmt: skip

    def __init__(self, calls: Calls, inbound: Inbound, endpoint: str, total_timeout_s: float) -> None:
        """`total_timeout_s`: how long it may take in all; 0: no limit."""
        self._calls = calls
        self._inbound = inbound
        self._endpoint = endpoint
        self._started_s = time.monotonic()
        self._first_byte_s = 0.0
        self._status = 0
        self.attempt: Attempt | None = None
        """The latest."""
        self.attempts = 0
        """Of a call to channels: how many candidates were tried. Others count connections."""
        self.use: ApiUse | None = None
        self.watch: ClientWatch | None = None
        self.deadline_s = self._started_s + total_timeout_s if total_timeout_s else NEVER
        """When all must be over, by time.monotonic()."""
        self.answer_deadline_s = self.deadline_s
        """When an answer must have begun."""
        self._own_deadline_s = self.deadline_s
        calls.active += 1

    def bound(self, told: CallerDeadlines) -> None:
        """The caller waits no longer than this."""
        if told.whole_s:
            self.deadline_s = min(self.deadline_s, self._started_s + told.whole_s)
        self.answer_deadline_s = self.deadline_s
        if told.answer_s:
            self.answer_deadline_s = min(self.deadline_s, self._started_s + told.answer_s)

    def late(self, deadline_s: float, upstream: Upstream) -> UpstreamFault:
        """What is wrong when one of the deadlines has passed: the operator set it, or the caller."""
        if deadline_s < self._own_deadline_s:
            text = f"{upstream.authority} took longer than the caller allows: {deadline_s - self._started_s:g} s"
            return UpstreamFault(Failure.CALLER_TIMEOUT, text)
        return faults.total_timeout(upstream)

    def begin_attempt(self, upstream: Upstream) -> Attempt:
        """A try of `upstream`; the one before it has ended."""
        self.attempt = Attempt(upstream)
        return self.attempt

    def watch_client(self) -> None:
        """From now on a client that leaves is ClientGone, wherever this greenlet waits."""
        if self._inbound.client_socket is not None:
            self.watch = ClientWatch(self._inbound.client_socket)

    def answered(self, status: int) -> None:
        """The head of the answer that the client is to get has come."""
        self._first_byte_s = time.monotonic()
        self._status = status

    def settle(self, body: Relay | Tunnel) -> None:
        """Ends a call whose answer went to the client, as far as it did."""
        self._record(body.status or self._status, body.error_code, body.sent_bytes)

    def end(self, status: int, error_code: str) -> None:
        """Ends a call that got no answer."""
        if self.watch is not None:
            self.watch.stop()
        self._record(status, error_code, 0)

    def _record(self, status: int, error_code: str, sent_bytes: int) -> None:
        now_s = time.monotonic()
        self._calls.active -= 1
        attempt = self.attempt
        if attempt is not None:
            attempt.end()
        inbound = self._inbound
        trace = inbound.trace or NO_TRACE
        event = RequestEvent(
            inbound.request_id,
            int(time.time() * 1000),
            self._endpoint,
            inbound.method,
            status,
            error_code,
            attempt.sent_body_bytes if attempt is not None else 0,
            sent_bytes,
            (now_s - self._started_s) * 1000,
            (self._first_byte_s - self._started_s) * 1000 if self._first_byte_s else None,
            trace.trace_id,
            inbound.client,
            attempt.upstream.authority if attempt is not None else "",
            self.attempts or (attempt.connections if attempt is not None else 0),
            trace.span_id,
            trace.parent_span_id,
            self.use,
        )
        for observe in self._calls.observers:
            observe(event)
