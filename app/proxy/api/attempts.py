"""Tries candidates until one is good: key by key, url by url, channel by channel.

Nothing reaches the client before an answer is known to be good; what becomes of each attempt is judged by one table
(`core/judging/outcome.py`), noted for all that choose after us, and says who is tried next.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from app.core.channels.keys import Key
from app.core.choosing.failover import Failover, Next
from app.core.choosing.matching import Candidate
from app.core.errors import AddressRefused, ApiError, ClientFault, UpstreamFault
from app.core.failures import Failure, Phase
from app.core.judging.outcome import Facts, Flaw, Verdict, judge
from app.core.model import ChannelUrl, Snapshot
from app.core.money.cost import NO_COST, Cost
from app.core.usage import Usage
from app.proxy.api.holding import HeldAnswer, read_bounded
from app.proxy.api.request import ApiRequest
from app.proxy.call import Call
from app.proxy.metering import usage_told
from app.proxy.upstream.exchange import NEVER, Exchange
from app.proxy.upstream.faults import failed
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.wire.dialects.observers import Observer, observer_for
from app.wire.error_bodies import plain
from app.wire.http.headers import Headers, by_name, find, lower
from app.wire.usage.meter import meter_for

JUDGED_BYTES = 64 * 1024
ERROR_BODY_S = 5.0
"""So long an upstream may take to the end of an error's body."""


class Turn(Protocol):
    """A key, and room for an attempt with it: among those of the key and of its channel."""

    key: Key

    def release(self) -> None:
        """Gives the room back. Never waits, and does nothing the second time."""


class Try:
    """One attempt of a channel call, as those who note it need it."""

    __slots__ = ("began_s", "candidate", "first_byte_s", "key", "observer", "turn", "url")

    def __init__(self, candidate: Candidate, url: ChannelUrl, turn: Turn) -> None:
        self.candidate = candidate
        self.url = url
        self.turn = turn
        self.key = turn.key
        self.began_s = time.time()
        self.first_byte_s = 0.0
        """When the head of the answer had come, by time.monotonic(); 0: it has not."""
        self.observer: Observer | None = None


class Chosen:
    """An answer that the client is to get."""

    __slots__ = ("exchange", "held", "observer", "of")

    def __init__(self, of: Try, exchange: Exchange, held: bytes, observer: Observer | None) -> None:
        self.of = of
        self.exchange = exchange
        self.held = held
        """What of its body has been read."""
        self.observer = observer
        """Has seen that; None where the answer is not looked at."""


class Failed:
    """What became of an attempt that the client does not see."""

    __slots__ = (
        "body", "cost", "ended_s", "fault", "headers", "of", "reason", "request_bytes", "status", "usage", "verdict",
    )  # fmt: skip

    def __init__(self, of: Try, verdict: Verdict) -> None:
        self.of = of
        self.verdict = verdict
        self.status = 0
        """Of the upstream's answer; 0 where none came whole enough to be told."""
        self.reason = ""
        self.headers: Headers = []
        self.body = b""
        self.fault: UpstreamFault | None = None
        """Why there was no such answer."""
        self.ended_s = time.monotonic()
        self.request_bytes = 0
        """Of the request's body, as far as the upstream took it."""
        self.usage = usage_told(of.observer)
        self.cost = NO_COST

    @property
    def was_written(self) -> bool:
        """True when the upstream may have the request."""
        return self.fault is None or self.fault.failure.phase not in (Phase.DIAL, Phase.STALE)


class Choices(Protocol):
    """Who may be tried for one call, the best first. Each answer is at hand."""

    def next_channel(self) -> Candidate | None:
        """Each channel once; None when there is no other."""

    def next_key(self) -> Turn | None:
        """Of the latest channel: the next that this call has not had; None when there is none, or no room for it."""

    def urls(self, candidate: Candidate) -> list[ChannelUrl]:
        """Those that may be tried, the best first."""

    def chose(self, tried: Try, first_byte_ms: float) -> None:
        """Its answer goes to the client; how that ends is noted then. Waits for nobody."""

    def note(self, tried: Try, verdict: Verdict, status: int, usage: Usage) -> Cost:
        """An attempt has ended: once for each. What it cost, which counts from now on. Waits for nobody."""

    def refused(self) -> ApiError:
        """Why nobody could be tried."""

    def back_s(self) -> int | None:
        """When the first of those that rest is back, in seconds; None: nobody knows."""


class Attempts:
    """The attempts of one call."""

    def __init__(
        self,
        call: Call,
        request: ApiRequest,
        choices: Choices,
        snapshot: Snapshot,
        transport: Transport,
        repeats: int,
    ) -> None:
        """`repeats`: how often the client has tried before."""
        self._call = call
        self._request = request
        self.choices = choices
        self._settings = settings = snapshot.settings
        self._rules = snapshot.outcome_rules
        self._transport = transport
        if request.asked.is_realtime or request.body.rest is not None:  # which can be sent once
            settings = replace(settings, max_attempts=1)
        self._failover = Failover(settings, is_lasting=request.is_lasting, repeats=repeats)
        self.failed: list[Failed] = []
        """In the order in which they were made."""
        self.current: Try | None = None
        """Who is asked now, or gave the answer that was chosen."""
        self._too_large: ClientFault | None = None
        self._passed_s = 0.0
        """The deadline that ended an attempt. The loop's clock, by which it did, may be a little ahead of ours."""

    def run(self, forwarded_fields: str) -> Chosen | None:
        """The first good answer; None when nobody gave one. Raises what reading the request's body raised."""
        failover = self._failover
        while (candidate := self.choices.next_channel()) is not None:
            self._call.bound(candidate.channel.limits.total_timeout)
            if self._is_over or not self._has_room(candidate):
                continue
            failover.begin_channel()
            while failover.may_try_key and not self._is_over and (turn := self.choices.next_key()) is not None:
                outcome = self._try_urls(candidate, turn, failover, forwarded_fields)
                if isinstance(outcome, Chosen):
                    return outcome
                if outcome is Next.STOP:
                    return None
                if outcome is not Next.KEY:
                    break
            if failover.is_spent:
                return None
        if self._too_large is not None and not self.failed:
            raise self._too_large
        return None

    def _has_room(self, candidate: Candidate) -> bool:
        """Whether the channel takes bodies as long as this one."""
        limit = candidate.channel.limits.max_body_bytes
        if limit:
            try:
                self._request.body.bound(limit)
            except ClientFault as too_large:
                self._too_large = too_large
                return False
        return True

    @property
    def _is_over(self) -> bool:
        """No other can answer in time any more: to try it would only put blame on it."""
        return bool(self.failed) and (self._call.is_late or self._call.answer_deadline_s <= self._passed_s)

    def _try_urls(self, candidate: Candidate, turn: Turn, failover: Failover, forwarded_fields: str) -> Chosen | Next:
        """With one key; what is chosen keeps its turn."""
        step = Next.CHANNEL
        outcome: Chosen | Failed | None = None
        try:
            for url in self.choices.urls(candidate):
                if self._is_over:
                    break
                outcome = self._try(Try(candidate, url, turn), forwarded_fields)
                if isinstance(outcome, Chosen):
                    return outcome
                self.failed.append(outcome)
                step = failover.after(outcome.verdict, was_written=outcome.was_written)
                if step is not Next.URL:
                    break
        finally:
            if not isinstance(outcome, Chosen):
                turn.release()
        return step

    def _try(self, tried: Try, forwarded_fields: str) -> Chosen | Failed:
        request = self._request
        outbound = request.outbound(tried.candidate, tried.url, tried.key.secret, forwarded_fields)
        attempt = self._call.begin_attempt(tried.url.upstream)
        self.current = tried
        began_s = time.monotonic()
        useful_s = self._useful_s(tried)
        deadline_s = self._call.answer_deadline_s
        if useful_s:  # it takes the place of first_byte_timeout
            outbound.first_byte_limited = False
            deadline_s = min(deadline_s, began_s + useful_s)
        outcome: Chosen | Failed
        try:
            exchange = attempt.send(self._transport, outbound, deadline_s)
            tried.first_byte_s = time.monotonic()
            outcome = self._judged(tried, exchange)
        except AddressRefused as refused:
            outcome = self._broken(tried, outbound, UpstreamFault(Failure.UNREACHABLE, refused.message))
        except UpstreamFault as fault:
            if fault.failure is Failure.TOTAL_TIMEOUT:
                fault = self._late(tried, began_s, useful_s)
            outcome = self._broken(tried, outbound, fault)
        if isinstance(outcome, Chosen):
            self._bound_the_rest(outcome.exchange, deadline_s)
            self.choices.chose(tried, (tried.first_byte_s - began_s) * 1000)
        else:
            if outcome.fault is not None and outcome.fault.failure is Failure.TOTAL_TIMEOUT:
                outcome.verdict = self._call.fairly(outcome.verdict, began_s)
            outcome.cost = self.choices.note(tried, outcome.verdict, outcome.status, outcome.usage)
            outcome.request_bytes = attempt.sent_body_bytes
            attempt.end()
            self.current = None
        return outcome

    def _useful_s(self, tried: Try) -> float:
        """How long a stream may take to its first useful content; 0: no stream, or it may take as long as it likes."""
        if not self._request.is_stream:
            return 0.0
        own = tried.candidate.channel.first_useful_timeout
        return self._settings.first_useful_timeout if own is None else own

    def _late(self, tried: Try, began_s: float, useful_s: float) -> UpstreamFault:
        """Which of the deadlines of an attempt has passed."""
        upstream, call = tried.url.upstream, self._call
        if useful_s and began_s + useful_s < call.answer_deadline_s:
            text = f"{upstream.authority} sent nothing useful within {useful_s:g} s"
            return UpstreamFault(Failure.NOTHING_USEFUL, text)
        self._passed_s = call.answer_deadline_s
        return call.late(call.answer_deadline_s, upstream)

    def _broken(self, tried: Try, outbound: OutboundRequest, fault: UpstreamFault) -> Failed:
        exchange = outbound.exchange
        answer = exchange.head if exchange is not None else None
        facts = Facts(
            self._request.asked.speaks,
            status=answer.status if answer is not None else 0,
            headers=by_name(answer.headers) if answer is not None else {},
            failure=fault.failure,
            model=tried.candidate.upstream_model,
        )
        outcome = Failed(tried, self._verdict(facts))
        fault.__traceback__ = fault.__context__ = None  # whose frames hold what holds the fault
        outcome.fault = fault
        return outcome

    def _bound_the_rest(self, exchange: Exchange, deadline_s: float) -> None:
        """An answer that has begun may take as long as the whole call."""
        if deadline_s != NEVER:
            call = self._call
            exchange.bound(call.deadline_s, call.late(call.deadline_s, exchange.upstream))

    def _judged(self, tried: Try, exchange: Exchange) -> Chosen | Failed:
        answer = exchange.answer
        if answer.status >= 400:
            body = self._error_body(exchange)
            return self._failed(tried, exchange, body, None)
        observer = None
        if answer.status < 300 and (find(answer.headers, "content-encoding") or "identity").lower() == "identity":
            observer = observer_for(self._request.asked, find(answer.headers, "content-type") or "")
        if observer is None or answer.status in (204, 304) or self._request.inbound.method == "HEAD":
            return self._begun(tried, exchange)
        tried.observer = observer
        observer.meter = meter_for(self._request.asked)
        held = HeldAnswer(exchange, observer)
        held.read(self._settings.hold_max_bytes, empty_is_error=self._settings.empty_is_error)
        if held.flaw is None:
            return Chosen(tried, exchange, held.taken(), observer)
        return self._failed(tried, exchange, observer.error or held.taken(), held.flaw)

    def _begun(self, tried: Try, exchange: Exchange) -> Chosen | Failed:
        """What is not looked at is good when it has begun, and where something must come something has."""
        data = exchange.read_at_hand()
        if 200 <= exchange.answer.status < 300:
            while not data and not exchange.is_complete:
                data = exchange.read1()
        is_empty = exchange.answer.status == 200 and not data and self._request.inbound.method != "HEAD"
        if is_empty and self._request.asked.is_judged:
            return self._failed(tried, exchange, b"", Flaw.EMPTY)
        return Chosen(tried, exchange, data, None)

    def _error_body(self, exchange: Exchange) -> bytes:
        """The status has said enough to go on: what is more is not waited for long."""
        deadline_s = min(self._call.answer_deadline_s, time.monotonic() + ERROR_BODY_S)
        text = f"did not end its error within {ERROR_BODY_S:g} s"
        exchange.bound(deadline_s, failed(exchange.upstream, Failure.SILENT, text))
        return read_bounded(exchange, self._settings.hold_max_bytes)

    def _failed(self, tried: Try, exchange: Exchange, body: bytes, flaw: Flaw | None) -> Failed:
        answer = exchange.answer
        facts = Facts(
            self._request.asked.speaks,
            status=answer.status,
            headers=by_name(answer.headers),
            body=body[:JUDGED_BYTES],
            flaw=flaw,
            model=tried.candidate.upstream_model,
        )
        outcome = Failed(tried, self._verdict(facts))
        outcome.status, outcome.reason = answer.status, answer.reason
        outcome.headers, outcome.body = answer.headers, body
        coding = find(answer.headers, "content-encoding")
        if coding is not None:  # what is passed on must be looked through for our key
            outcome.body = plain(body, coding, self._settings.hold_max_bytes)
            if outcome.body != body:
                outcome.headers = [field for field in answer.headers if lower(field[0]) != "content-encoding"]
        return outcome

    def _verdict(self, facts: Facts) -> Verdict:
        return judge(facts, self._rules, time.time())
