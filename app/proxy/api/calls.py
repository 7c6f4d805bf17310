"""Calls to channels: many attempts to one request, and one answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from app.client_gone import CallEnded
from app.core.callers.permissions import Reach, check_call
from app.core.errors import ApiError, UpstreamFault
from app.core.failures import Failure
from app.core.judging.outcome import GOOD, Blame, Facts, Flaw, Outcome, Verdict, judge
from app.core.model import AccessToken, Snapshot
from app.core.money.cost import Cost
from app.core.money.prices import Prices
from app.core.statistics.events import CLIENT_GONE, ENDED_BY_OPERATOR
from app.core.usage import Usage
from app.proxy.api import told
from app.proxy.api.attempts import Attempts, Choices, Chosen, Failed, Try
from app.proxy.api.final_answer import final_answer, seen_of
from app.proxy.api.looking import asked_bytes, stages_of
from app.proxy.api.patience import is_patient, patiently
from app.proxy.api.read_request import read_request
from app.proxy.api.repeated import Repeated
from app.proxy.api.request import ApiRequest
from app.proxy.api.served import Served
from app.proxy.call import Call
from app.proxy.engine import Engine, break_off, switched
from app.proxy.messages import Inbound, Reply
from app.proxy.metering import usage_seen
from app.proxy.relay import Relay
from app.proxy.tokens.cut_stage import cut_stages
from app.proxy.tunnel import Tunnel
from app.wire.dialects.asked import Asked
from app.wire.http import headers as header_fields
from app.wire.http.caller_deadlines import deadlines_of, query_without_deadline
from app.wire.http.headers import Headers

log = logging.getLogger(__name__)

_LEFT: Final = Verdict(Outcome.CLIENT_GONE)
"""Of an answer whose client did not wait for its end."""
_ENDED: Final = Verdict(Outcome.ENDED)
"""Of one that the operator ended."""


class CallChoices(Choices, Protocol):
    """For a client's call."""

    def gave(self, tried: Try, ids: Sequence[str]) -> None:
        """Its answer, which goes to the client, holds ids that it alone knows. Waits for nobody."""


class Chooser(Protocol):
    """Knows who may be tried."""

    def choices(
        self, request: ApiRequest, snapshot: Snapshot, only: frozenset[str] | None, without: frozenset[str] | None
    ) -> CallChoices:
        """For one request; `only`, `without`: see Reach. Raises ApiError when nobody may be tried."""


def ask(
    engine: Engine,
    inbound: Inbound,
    asked: Asked,
    query: str,
    fields: Headers,
    snapshot: Snapshot,
    chooser: Chooser,
    reach: Reach,
    token: AccessToken,
) -> Served:
    """The best answer that the channels give. `query` and `fields` are without the caller's credentials.

    `reach`: the channels that may serve it; `token`: the one that was shown.

    Raises GatewayError before anything was sent to the client, or ClientGone.
    """
    call = told.begun(engine.calls, inbound, asked, token)
    settings = snapshot.settings
    call.bound(snapshot.limits.total_timeout, deadlines_of(fields, query))
    try:
        query, is_weighed = query_without_deadline(query), token.has_budget
        request = read_request(inbound, asked, query, fields, settings, token.holder, is_weighed=is_weighed)
    except BaseException as error:  # whatever it is, the call is accounted for
        break_off(call, error)
    told.tell_request(call, request)
    if is_patient(request, settings):
        act = partial(_served, engine, call, request, snapshot, chooser, reach, token)
        return patiently(act, call, request, settings.keepalive_comment_s)
    return _served(engine, call, request, snapshot, chooser, reach, token)


def _served(
    engine: Engine,
    call: Call,
    request: ApiRequest,
    snapshot: Snapshot,
    chooser: Chooser,
    reach: Reach,
    token: AccessToken,
) -> Served:
    attempts: Attempts | None = None
    try:
        call.watch_client()
        _admit(engine, call, token, request, snapshot)
        repeated = Repeated(engine.calls.failed, request)
        choices = chooser.choices(request, snapshot, reach[0], reach[1])
        call.asking = attempts = Attempts(call, request, choices, snapshot, engine.transport, repeated.times)
        chosen = attempts.run(engine.forwarded_fields)
    except BaseException as error:  # as above
        request.body.close()
        if attempts is not None:
            told.tell_broken_off(call, attempts, _ENDED if isinstance(error, CallEnded) else _LEFT)
        break_off(call, error)
    return _answered(call, request, attempts, chosen, choices, snapshot, repeated)


def _admit(engine: Engine, call: Call, token: AccessToken, request: ApiRequest, snapshot: Snapshot) -> None:
    """Raises GatewayError where the token does not open the call, or there is no room for it."""
    if token.is_limited:
        check_call(token, request.asked, request.model, snapshot, by_mapping=bool(request.asked.mapping))
        engine.tokens.begin(call, token, snapshot.settings)
    if token.id:
        engine.tokens.budgets.begin(call, token, request, snapshot)
    if snapshot.settings.global_max_concurrency:
        call.enter(engine.admission, snapshot.settings)


def _answered(
    call: Call,
    request: ApiRequest,
    attempts: Attempts,
    chosen: Chosen | None,
    choices: CallChoices,
    snapshot: Snapshot,
    repeated: Repeated,
) -> Served:
    """What the client gets of all that was tried."""
    call.asking = None
    try:
        if chosen is not None:
            of = chosen.of
            if request.inbound.kept is not None:
                request.inbound.kept.hide(of.key)
            told.tell_chosen(call, attempts, chosen)
            reply = _relayed(call, request, chosen, choices, snapshot, repeated)
        else:
            last = _last_of(attempts, choices)
            of = last.of
            repeated.failed()
            told.tell_failed(call, attempts, seen_of(attempts.failed))
            is_head = request.inbound.method == "HEAD"
            reply = final_answer(attempts.failed, choices.back_s(), is_head=is_head)
            call.end(reply.status, last.verdict.outcome.value)
    except BaseException as error:  # as above
        _tell_attempts(error, attempts)
        break_off(call, error)
    finally:
        if chosen is None:
            request.body.close()
    other_name = of.candidate.upstream_model if of.candidate.upstream_model != request.model else ""
    return Served(reply, of.candidate.channel.name, call.attempts, other_name)


def _last_of(attempts: Attempts, choices: CallChoices) -> Failed:
    """Of those that failed. Raises ApiError where none was made."""
    if not attempts.failed:
        raise choices.refused()
    return attempts.failed[-1]


def _tell_attempts(error: BaseException, attempts: Attempts) -> None:
    if isinstance(error, ApiError) and attempts.failed:
        error.attempts, error.channel = len(attempts.failed), attempts.failed[-1].of.candidate.channel.name


def _cost_of(chosen: Chosen, prices: Prices) -> Callable[[Usage], Cost]:
    """What its answer costs, by what of it was used."""
    candidate, began_ms = chosen.of.candidate, int(time.time() * 1000)
    multiplier_nano = candidate.channel.cost_multiplier_nano
    return lambda usage: prices.cost(usage, candidate.upstream_model, multiplier_nano, began_ms)


def _relayed(
    call: Call, request: ApiRequest, chosen: Chosen, choices: CallChoices, snapshot: Snapshot, repeated: Repeated
) -> Reply:
    answer, key = chosen.exchange.answer, chosen.of.key
    call.answered(answer.status, chosen.of.first_byte_s)
    stages, observer = stages_of(request, chosen, snapshot.settings, partial(choices.gave, chosen.of))
    text_bytes = partial(asked_bytes, request)
    if snapshot.settings.budget_cut_streams:
        stages += cut_stages(call, observer, _cost_of(chosen, snapshot.prices), text_bytes)

    def settle(body: Relay | Tunnel) -> None:
        call.usage = usage_seen(observer, text_bytes)
        request.body.close()
        chosen.of.turn.release()
        verdict = _verdict_at_the_end(request, chosen, snapshot, body)
        call.cost = choices.note(chosen.of, verdict, answer.status, call.usage)
        if verdict.outcome is Outcome.OK:
            repeated.went_well()
        else:
            told.tell_end(call, verdict.outcome, key.masked(_words(verdict, body)))
        if verdict.blame.ours:
            repeated.failed()
        call.settle(body)

    if answer.status == 101:
        return switched(call, request.inbound, chosen.exchange, settle)
    relay = call.body = Relay(chosen.exchange, chosen.held, call.watch, settle)
    if stages:
        relay.pass_through(*stages)
    fields = key.masked_fields(header_fields.to_client(answer.headers, answer.connection))
    return Reply(answer.status, key.masked_field(answer.reason), fields, relay)


def _words(verdict: Verdict, body: Relay | Tunnel) -> str:
    """Why an answer that was chosen did not end well."""
    fault = body.fault if isinstance(body, Relay) else None
    return verdict.text or (f"{fault.code}: {fault.message}" if fault is not None else body.error_code)


def _verdict_at_the_end(request: ApiRequest, chosen: Chosen, snapshot: Snapshot, body: Relay | Tunnel) -> Verdict:
    """What became of an answer that was chosen: where it breaks later, that counts against its channel."""
    if body.error_code == CLIENT_GONE:
        return _LEFT
    if body.error_code == ENDED_BY_OPERATOR:
        return _ENDED
    if isinstance(body, Tunnel):
        return GOOD
    observer = chosen.observer
    flaw = Flaw.SOFT_ERROR if observer is not None and observer.error else None
    failure = body.fault.failure if isinstance(body.fault, UpstreamFault) else None
    if flaw is None and failure is None:
        return GOOD
    facts = Facts(
        request.asked.speaks,
        status=chosen.exchange.answer.status,
        body=observer.error if observer is not None else b"",
        failure=failure,
        flaw=flaw,
        committed=True,
        model=chosen.of.candidate.upstream_model,
    )
    verdict = judge(facts, snapshot.outcome_rules, time.time())
    # The operator's bound cut it off while it came.
    return verdict._replace(blame=Blame.NOBODY) if failure is Failure.TOTAL_TIMEOUT else verdict
