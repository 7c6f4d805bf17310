"""What the event of a call to channels says of its attempts (`core/statistics/events.ApiUse`).

Of a call with one attempt all of it is at hand anyhow; attempts that failed are told at the end.
"""

from __future__ import annotations

import time
from typing import Final

from app.core.judging.outcome import Outcome, Verdict
from app.core.model import AccessToken
from app.core.statistics.events import ApiUse, FailedAttempt
from app.core.usage import ABSENT
from app.proxy.api.attempts import Attempts, Chosen, Failed, Try
from app.proxy.api.request import ApiRequest
from app.proxy.call import Call, Calls
from app.proxy.messages import Inbound
from app.proxy.metering import usage_told
from app.wire.dialects.asked import Asked

MAX_PATH: Final = 300
MAX_NAME: Final = 200
"""Of models, as callers ask for them."""
MAX_REASON: Final = 300
_OK: Final = Outcome.OK.value
"""Looked up once: that costs as much as all else that is told of a good attempt."""


def begun(calls: Calls, inbound: Inbound, asked: Asked, token: AccessToken | None) -> Call:
    """A call to channels that has come in, of which its event says so far that nobody was asked."""
    call = Call(calls, inbound, asked.endpoint, 0.0)
    call.token = token
    path = asked.mapping + asked.path if asked.mapping else asked.path
    call.use = ApiUse("", "", asked.model[:MAX_NAME], "", "", asked.speaks, asked.mapping, path[:MAX_PATH])
    return call


def ended(
    calls: Calls, inbound: Inbound, asked: Asked, token: AccessToken | None, status: int, error_code: str
) -> None:
    """Accounts for a call that was answered here, or refused, before anybody was chosen for it."""
    begun(calls, inbound, asked, token).end(status, error_code)


def _use_of(call: Call) -> ApiUse:
    use = call.use
    assert use is not None  # noqa: S101 - it has begun
    return use


def tell_request(call: Call, request: ApiRequest) -> None:
    """What its body has said."""
    use = _use_of(call)
    use.model = request.model[:MAX_NAME]
    use.is_stream = request.is_stream


def tell_chosen(call: Call, attempts: Attempts, chosen: Chosen) -> None:
    """The client is about to get its answer."""
    _tell_last(call, chosen.of, _OK)
    use = _use_of(call)
    if chosen.observer is not None and chosen.observer.is_useful:
        use.first_content_ms = call.ms_until(time.monotonic())
    call.attempts = len(attempts.failed) + 1
    if attempts.failed:
        use.failed = [_told(call, one) for one in attempts.failed]


def tell_failed(call: Call, attempts: Attempts, seen: Failed) -> None:
    """Nobody gave a good answer; the client gets that of `seen`, or words of ours about it."""
    last = attempts.failed[-1]
    _tell_last(call, last.of, last.verdict.outcome.value)
    if last.of.first_byte_s:
        call.answered(last.status, last.of.first_byte_s)
    use = _use_of(call)
    use.reason = _reason(last)
    call.usage, call.cost = last.usage, last.cost
    call.attempts = len(attempts.failed)
    use.failed = [_told(call, one) for one in attempts.failed[:-1]]
    use.seen_attempt = 0 if seen is last else attempts.failed.index(seen) + 1


def tell_broken_off(call: Call, attempts: Attempts, verdict: Verdict) -> None:
    """The call ends while somebody is asked, by an error or because its client has left; or before anybody was.

    `verdict`: what became of the attempt.
    """
    current = attempts.current
    if current is not None:
        tell_so_far(call, attempts)
        call.usage = usage_told(current.observer)
        call.cost = attempts.choices.note(current, verdict, 0, call.usage)
    elif attempts.failed:
        tell_failed(call, attempts, attempts.failed[-1])


def tell_so_far(call: Call, attempts: Attempts) -> None:
    """Somebody is asked, or was; nobody has given a good answer yet. Whatever comes of it is told over this."""
    current, failed = attempts.current, attempts.failed
    if current is None and not failed:
        return
    _tell_last(call, current or failed[-1].of, "")
    before = failed if current is not None else failed[:-1]
    call.attempts = len(before) + 1
    _use_of(call).failed = [_told(call, one) for one in before]


def tell_end(call: Call, outcome: Outcome, text: str) -> None:
    """An answer that was chosen has ended otherwise than well; `text`: what was said of it, masked."""
    use = _use_of(call)
    use.outcome = outcome.value
    use.reason = text[:MAX_REASON]


def _tell_last(call: Call, of: Try, outcome: str) -> None:
    """`outcome`: its label; empty: how it ended is what the call's status says."""
    use = _use_of(call)
    candidate = of.candidate
    use.channel_id, use.channel = candidate.channel.id, candidate.channel.name
    use.key_id, use.key_hint = of.key.id, of.key.hint
    use.upstream_model = candidate.upstream_model
    use.outcome = outcome


def _told(call: Call, failed: Failed) -> FailedAttempt:
    of, channel = failed.of, failed.of.candidate.channel
    return FailedAttempt(
        call.ms_until(failed.ended_s),
        channel.id,
        channel.name,
        of.key.id,
        of.key.hint,
        of.candidate.upstream_model,
        failed.status,
        failed.verdict.outcome.value,
        _reason(failed),
        call.ms_until(of.first_byte_s) if of.first_byte_s else None,
        failed.request_bytes,
        failed.usage if failed.usage is not ABSENT else None,
        *failed.cost,
    )


def _reason(failed: Failed) -> str:
    """Why an attempt failed: the code of ours, or what the upstream said, without our key."""
    fault = failed.fault
    text = f"{fault.code}: {fault.message}" if fault is not None else failed.verdict.text
    return failed.of.key.masked(text)[:MAX_REASON]
