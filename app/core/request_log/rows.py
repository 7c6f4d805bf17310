"""The rows of the request log: one for each attempt of a call, made of its event.

The rows of a call lie end to end in time: the first begins with the request's head, each other where the one before it
ended, and the last ends with the call. So an attempt's times hold what was waited for before it, and their sum is what
the caller waited for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from app.core.failures import Failure, Phase
from app.core.judging.outcome import Facts, Outcome, judge
from app.core.statistics.events import (
    CLIENT_GONE,
    ENDED_BY_OPERATOR,
    INTERRUPTED,
    ApiUse,
    FailedAttempt,
    RequestEvent,
)

UNKNOWN_CREDENTIALS: Final = frozenset({"access_token_invalid", "access_token_required"})
"""Reasons of calls that anybody can make."""
MAX_REASON: Final = 400

_NOBODYS: Final = {
    CLIENT_GONE: Outcome.CLIENT_GONE.value,
    ENDED_BY_OPERATOR: Outcome.ENDED.value,
    INTERRUPTED: Outcome.INTERRUPTED.value,
}
"""What became of a call, by the code of its event, wherever it stood."""
_LABELS: Final = frozenset(outcome.value for outcome in Outcome)


class LogRow(NamedTuple):
    """One attempt, or a call of which none was made. Fields are only ever added at the end: rows are kept as lists.

    A text that is not known is empty; the API says null.
    """

    at_ms: int
    """Its start."""
    request_id: str
    attempt: int
    """1, 2, 3, ... within its call; 0: nothing was sent."""
    final: bool = False
    """The attempt whose answer the caller got: one of each call."""
    token_id: str = ""
    token: str = ""
    """The access token's name at that time."""
    client: str = ""
    method: str = ""
    path: str = ""
    """Without the query; only where its API is known, as paths of others may hold their keys."""
    mapping: str = ""
    channel_id: str = ""
    channel: str = ""
    key_id: str = ""
    key_hint: str = ""
    dialect: str = ""
    model: str = ""
    upstream_model: str = ""
    status: int = 0
    """Of a final row what the caller was told, else of the upstream's answer; 0 where there was none."""
    outcome: str = ""
    reason: str = ""
    stream: bool = False
    first_byte_ms: float | None = None
    first_content_ms: float | None = None
    duration_ms: float = 0.0
    usage: list[Any] | None = None
    """A `core.usage.Usage` as a list; None where it is absent."""
    cost_nano: int | None = None
    unpriced: bool = False
    price_version: str = ""
    request_bytes: int = 0
    response_bytes: int = 0
    trace_id: str = ""
    user_agent: str = ""
    attempts: int = 0
    """Of a final row: how many its call had. Nobody is told; statistics need it, which see one row at a time."""

    @property
    def is_refused(self) -> bool:
        """Nobody was asked, as we did not want to."""
        return self.attempt == 0 and self.outcome == Outcome.REFUSED.value

    @property
    def is_of_a_stranger(self) -> bool:
        return self.is_refused and self.reason in UNKNOWN_CREDENTIALS


def _unsaid(first: str, last: str) -> tuple[Any, ...]:
    """What stands in these fields, and those between them, of a call that has nothing of the kind."""
    fields = LogRow._fields
    return LogRow(0, "", 0)[fields.index(first) : fields.index(last) + 1]


_OF_NO_TOKEN: Final = _unsaid("token_id", "token")
_OF_NO_CHANNEL: Final = _unsaid("channel_id", "upstream_model")
_OF_NO_USAGE: Final = _unsaid("usage", "price_version")


def rows_of(event: RequestEvent, ended_at_ms: int) -> list[LogRow]:
    """The rows of a call, in the order of its attempts. `ended_at_ms`: when it ended, as far as that is believed."""
    api = event.api
    if api is None:
        return [_row_of_mapping(event, ended_at_ms)]
    attempts = [*api.failed, _last_of(event, api)]
    first = 1 if api.channel else min(event.attempts, 1)
    seen = api.seen_attempt or first + len(api.failed)
    head_ms = ended_at_ms - event.duration_ms
    rows = []
    begins_ms = 0.0
    for number, attempt in enumerate(attempts, first):
        row = _row(event, api, attempt, number, head_ms, begins_ms, is_final=number == seen)
        rows.append(row._replace(attempts=first + len(api.failed)) if row.final else row)
        if attempt is not attempts[-1]:
            begins_ms = attempt.ended_ms
    if api.first_content_ms is not None:
        rows[-1] = rows[-1]._replace(first_content_ms=_since(begins_ms, api.first_content_ms))
    return rows


def _row_of_mapping(event: RequestEvent, ended_at_ms: int) -> LogRow:
    """The most frequent one. Made by place: by names it would take twice as long."""
    outcome = _outcome_of(event)
    attempts = min(event.attempts, 1)
    duration_ms = event.duration_ms
    return LogRow._make(
        (
            *(int(ended_at_ms - duration_ms), event.request_id, attempts, True),
            *_OF_NO_TOKEN,
            *(event.client, event.method, "", event.endpoint),
            *_OF_NO_CHANNEL,
            *(event.status, outcome, _reason(event, outcome, "") if event.error_code else "", False),
            *(_since(0.0, event.first_byte_ms), None, round(duration_ms, 1)),
            *_OF_NO_USAGE,
            *(event.request_bytes, event.response_bytes, event.trace_id, "", attempts),
        )
    )


def _last_of(event: RequestEvent, api: ApiUse) -> FailedAttempt:
    """The last attempt in the shape of those before it."""
    return FailedAttempt(
        ended_ms=event.duration_ms,
        channel_id=api.channel_id,
        channel=api.channel,
        key_id=api.key_id,
        key_hint=api.key_hint,
        upstream_model=api.upstream_model,
        status=0,
        outcome=label_of(event),
        reason=api.reason,
        first_byte_ms=event.first_byte_ms,
        request_bytes=event.request_bytes,
        usage=api.usage,
        cost_nano=api.cost_nano,
        unpriced=api.unpriced,
        price_version=api.price_version,
    )


def _row(
    event: RequestEvent,
    api: ApiUse,
    attempt: FailedAttempt,
    number: int,
    head_ms: float,
    begins_ms: float,
    *,
    is_final: bool,
) -> LogRow:
    return LogRow(
        at_ms=int(head_ms + begins_ms),
        request_id=event.request_id,
        attempt=number,
        final=is_final,
        token_id=api.token_id,
        token=api.token,
        client=event.client,
        method=event.method,
        path=api.path,
        mapping=api.mapping,
        channel_id=attempt.channel_id,
        channel=attempt.channel,
        key_id=attempt.key_id,
        key_hint=attempt.key_hint,
        dialect=api.dialect,
        model=api.model,
        upstream_model=attempt.upstream_model,
        status=event.status if is_final else attempt.status,
        outcome=attempt.outcome,
        reason=_reason(event, attempt.outcome, attempt.reason) if is_final else attempt.reason,
        stream=api.is_stream,
        first_byte_ms=_since(begins_ms, attempt.first_byte_ms),
        duration_ms=round(attempt.ended_ms - begins_ms, 1),
        usage=None if attempt.usage is None else list(attempt.usage),
        cost_nano=attempt.cost_nano,
        unpriced=attempt.unpriced,
        price_version=attempt.price_version,
        request_bytes=attempt.request_bytes,
        response_bytes=event.response_bytes if is_final else 0,
        trace_id=event.trace_id,
        user_agent=api.user_agent,
    )


def _reason(event: RequestEvent, outcome: str, of_attempt: str) -> str:
    """What became of the attempt in words, after the code that the caller was told where it is one."""
    code = event.error_code
    if not code or code == outcome or of_attempt.startswith(code):
        return of_attempt
    if event.api is not None and event.api.channel and code in _LABELS:
        return of_attempt  # the upstream's answer was passed on, and that is all that was said of it
    return f"{code}: {of_attempt}"[:MAX_REASON] if of_attempt else code


def _since(begins_ms: float, ms: float | None) -> float | None:
    return None if ms is None else round(ms - begins_ms, 1)


# --- what became of a call that says no outcome of its own ---

_JSON: Final = {"content-type": "application/json"}
_FAILURES: Final = {
    (failure.code, failure.phase is Phase.BODY): failure for failure in Failure if failure is not Failure.CALLER_TIMEOUT
}
"""By code, and by whether the answer had begun."""


def label_of(event: RequestEvent) -> str:
    """The outcome of a call as its final row has it."""
    return (event.api.outcome if event.api is not None else "") or _outcome_of(event)


def _outcome_of(event: RequestEvent) -> str:
    return _outcome(event.status, event.error_code, event.attempts > 0, event.first_byte_ms is not None)


@lru_cache(maxsize=1024)
def _outcome(status: int, error_code: str, was_sent: bool, has_begun: bool) -> str:
    """By the one table of outcomes, whose texts nobody has looked for in the answers of mappings."""
    if error_code in _NOBODYS:
        return _NOBODYS[error_code]
    if not was_sent:
        return Outcome.REFUSED.value if status >= 400 else Outcome.ANSWERED_HERE.value
    failure = None
    if error_code:
        failure = _FAILURES.get((error_code, has_begun)) or _FAILURES.get((error_code, not has_begun))
        if failure is None:
            return Outcome.REFUSED.value
        if not has_begun:
            status = 0  # it is ours
    facts = Facts("", status=status, headers=_JSON, body=b"{}" if status >= 400 else b"", failure=failure)
    return judge(facts, (), 0.0).outcome.value
