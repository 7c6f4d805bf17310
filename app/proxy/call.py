"""One request of a client, whatever is tried for it: its watch, its deadline, and the one event that tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gevent import getcurrent

from app.client_gone import CallEnded
from app.core.choosing.repeats import FailedCalls
from app.core.errors import UpstreamFault
from app.core.failures import Failure
from app.core.judging.outcome import Blame, Verdict
from app.core.model import AccessToken, Upstream
from app.core.money.cost import NO_COST
from app.core.settings import Settings
from app.core.statistics.events import ENDED_BY_OPERATOR, ApiUse, RequestEvent
from app.core.usage import ABSENT, Usage
from app.proxy.admission import Admission
from app.proxy.attempt import Attempt
from app.proxy.client_watch import ClientWatch
from app.proxy.messages import Inbound
from app.proxy.relay import Relay
from app.proxy.tunnel import Tunnel
from app.proxy.upstream import faults
from app.proxy.upstream.exchange import NEVER
from app.storage.limits.slots import Slot
from app.wire.http.caller_deadlines import NONE as NO_DEADLINES
from app.wire.http.caller_deadlines import CallerDeadlines
from app.wire.http.headers import find
from app.wire.http.trace import NO_TRACE

MAX_USER_AGENT: Final = 200


@dataclass(slots=True)
class Calls:
    """All calls of this process."""

    observers: list[Callable[[RequestEvent], None]] = field(default_factory=list)
    """Who is told of each finished one. They must not wait."""
    running: dict[Call, None] = field(default_factory=dict)
    """Those that have not ended, in the order in which they came."""
    failed: FailedCalls = field(default_factory=FailedCalls)
    """Of those to channels what failed lately."""

    @property
    def active(self) -> int:
        """How many have not ended."""
        return len(self.running)


class Hold(Protocol):
    """What a call has taken of something that is limited."""

    def end(self, call: Call) -> None:
        """The call is over: gives it back. Never waits, never fails, and is called once."""


class HeldSlot:
    """A place among calls; see Hold."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def end(self, call: Call) -> None:
        self._slot.release()


class Call:
    """What one request has to account for: it is told of once, at its end, by `settle` or `end`."""

    __slots__ = (
        "_calls", "_endpoint", "_first_byte_s", "_inbound", "_is_told", "_longest_s", "_own_deadline_s", "_status",
        "_told", "answer_deadline_s", "asking", "attempt", "attempts", "body", "cost", "deadline_s", "greenlet",
        "holds", "started_s", "token", "usage", "use", "watch",
    )  # fmt: skip

    def __init__(self, calls: Calls, inbound: Inbound, endpoint: str, total_timeout_s: float) -> None:
        """`total_timeout_s`: how long it may take in all; 0: no limit."""
        self._calls = calls
        self._inbound = inbound
        self._endpoint = endpoint
        self.started_s = time.monotonic()
        """When it came."""
        self._first_byte_s = 0.0
        self._status = 0
        self.attempt: Attempt | None = None
        """The latest."""
        self.attempts = 0
        """Of a call to channels: how many candidates were tried. Others count connections."""
        self.use: ApiUse | None = None
        """What its event says besides; of a call to channels from its begin."""
        self.usage: Usage = ABSENT
        """What the answer used that went to the client; set before the call is accounted for."""
        self.cost = NO_COST
        """What that cost; set with it."""
        self.token: AccessToken | None = None
        """The one that was shown; None where none was, or none is asked for."""
        self.holds: list[Hold] = []
        self.watch: ClientWatch | None = None
        self.greenlet: Any = getcurrent()
        """The one that waits for whatever the call waits for; None once it has ended."""
        self.asking: object = None
        """The attempts of a call to channels, while it has no answer yet."""
        self.body: Relay | Tunnel | None = None
        """The answer on its way to the client."""
        self.deadline_s = self.started_s + total_timeout_s if total_timeout_s else NEVER
        """When all must be over, by time.monotonic()."""
        self.answer_deadline_s = self.deadline_s
        """When an answer must have begun."""
        self._own_deadline_s = self.deadline_s
        self._longest_s = self.deadline_s
        self._told = NO_DEADLINES
        self._is_told = False
        calls.running[self] = None

    def bound(self, total_timeout_s: float, told: CallerDeadlines | None = None) -> None:
        """The operator lets whoever is tried now take so long, from the call's begin (0: no limit).

        `told`: the caller waits no longer than this; it holds for all that are tried.
        """
        if told is None:
            told = self._told
        self._told = told
        own_s = self._longest_s
        if total_timeout_s:
            own_s = min(own_s, self.started_s + total_timeout_s)
        self._own_deadline_s = own_s
        self.deadline_s = min(own_s, self.started_s + told.whole_s) if told.whole_s else own_s
        self.answer_deadline_s = self.deadline_s
        if told.answer_s:
            self.answer_deadline_s = min(self.deadline_s, self.started_s + told.answer_s)

    def enter(self, admission: Admission, settings: Settings) -> None:
        """Takes its place among all calls of the gateway, where those are limited. Raises Busy."""
        slot = admission.take_place(settings)
        if slot is not None:
            self.holds.append(HeldSlot(slot))

    @property
    def has_answer(self) -> bool:
        """Whether the client is given a good answer, as far as it comes."""
        return 200 <= self._status < 300

    @property
    def was_sent(self) -> bool:
        """Whether an upstream was asked, or should have been."""
        return self.attempts > 0 or (self.attempt is not None and self.attempt.connections > 0)

    @property
    def is_late(self) -> bool:
        """No answer can come in time any more from whom is tried now."""
        return self.answer_deadline_s != NEVER and self.answer_deadline_s <= time.monotonic()

    def late(self, deadline_s: float, upstream: Upstream) -> UpstreamFault:
        """What is wrong when one of the deadlines has passed: the operator set it, or the caller."""
        if deadline_s < self._own_deadline_s:
            text = f"{upstream.authority} took longer than the caller allows: {deadline_s - self.started_s:g} s"
            return UpstreamFault(Failure.CALLER_TIMEOUT, text)
        return faults.total_timeout(upstream)

    def fairly(self, verdict: Verdict, began_s: float) -> Verdict:
        """What follows from an attempt ended by the total timeout: nothing, where others had used that up."""
        whole_s = self._own_deadline_s - self.started_s
        return verdict if 2 * (began_s - self.started_s) < whole_s else verdict._replace(blame=Blame.NOBODY)

    def begin_attempt(self, upstream: Upstream) -> Attempt:
        """A try of `upstream`; the one before it has ended. Raises ClientGone where the client left meanwhile."""
        if self.attempt is not None and self.watch is not None:
            self.watch.check()
        self.attempt = Attempt(upstream)
        return self.attempt

    def watch_client(self) -> None:
        """From now on a client that leaves is ClientGone, wherever this greenlet waits."""
        if self._inbound.client_socket is not None:
            self.watch = ClientWatch(self._inbound.client_socket)

    def answered(self, status: int, first_byte_s: float = 0.0) -> None:
        """The head of the answer that the client is to get has come; `first_byte_s`: when, 0 for just now."""
        self._first_byte_s = first_byte_s or time.monotonic()
        self._status = status

    def ms_until(self, monotonic_s: float) -> float:
        """How long it had taken by then."""
        return (monotonic_s - self.started_s) * 1000

    def settle(self, body: Relay | Tunnel) -> None:
        """Ends a call whose answer went to the client, as far as it did."""
        self._record(body.status or self._status, body.error_code, body.sent_bytes)

    def end(self, status: int, error_code: str) -> None:
        """Ends a call that got no answer."""
        if self.watch is not None:
            self.watch.stop()
        self._record(status, error_code, 0)

    @property
    def request_id(self) -> str:
        return self._inbound.request_id

    def event_so_far(self, ended_at_ms: int, duration_ms: float) -> RequestEvent:
        """What would be told if it ended now, without an error of its own. Nothing ends by it."""
        body = self.body
        if body is None:
            return self._event(0, "", 0, ended_at_ms, duration_ms)
        return self._event(body.status or self._status, "", body.sent_bytes, ended_at_ms, duration_ms)

    def break_in(self) -> None:
        """The operator ends it: to be called by the loop, while its greenlet waits."""
        greenlet = self.greenlet
        if greenlet is None:
            return  # it has ended meanwhile
        if self.body is not None:
            self.body.error_code = ENDED_BY_OPERATOR
        greenlet.throw(CallEnded())

    def _record(self, status: int, error_code: str, sent_bytes: int) -> None:
        if self._is_told:
            return
        self._is_told = True
        now_s = time.monotonic()
        self._calls.running.pop(self, None)
        self.greenlet = self.asking = self.body = None
        attempt = self.attempt
        if attempt is not None:
            attempt.end()
        for hold in self.holds:
            hold.end(self)
        duration_ms = (now_s - self.started_s) * 1000
        event = self._event(status, error_code, sent_bytes, int(time.time() * 1000), duration_ms)
        for observe in self._calls.observers:
            observe(event)

    def _event(
        self, status: int, error_code: str, sent_bytes: int, ended_at_ms: int, duration_ms: float
    ) -> RequestEvent:
        inbound, attempt = self._inbound, self.attempt
        trace = inbound.trace or NO_TRACE
        use = self.use
        if use is not None or self.token is not None or self.usage is not ABSENT:
            use = self._used(use or ApiUse(mapping=self._endpoint))
        values = (
            inbound.request_id,
            ended_at_ms,
            self._endpoint,
            inbound.method,
            status,
            error_code,
            attempt.sent_body_bytes if attempt is not None else 0,
            sent_bytes,
            duration_ms,
            (self._first_byte_s - self.started_s) * 1000 if self._first_byte_s else None,
            trace.trace_id,
            inbound.client,
            attempt.upstream.authority if attempt is not None else "",
            self.attempts or (attempt.connections if attempt is not None else 0),
            trace.span_id,
            trace.parent_span_id,
            use,
        )
        return tuple.__new__(RequestEvent, values)  # a NamedTuple's own `__new__` is Python's, and costs half of it

    def _used(self, use: ApiUse) -> ApiUse:
        """What calls to channels have, and those that showed a token or were metered."""
        use.user_agent = (find(self._inbound.headers, "user-agent") or "")[:MAX_USER_AGENT]
        if self.token is not None:
            use.token_id, use.token = self.token.id, self.token.name
        if self.usage is not ABSENT:
            use.usage = self.usage
        if self.cost is not NO_COST:
            use.cost_nano, use.unpriced, use.price_version = self.cost
        return use
