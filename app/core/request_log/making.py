"""Makes the rows of the request log of the events of calls: one for each attempt."""

from __future__ import annotations

from functools import lru_cache
from math import floor
from typing import Any, Final

from app.core.failures import Failure, Phase
from app.core.judging.outcome import Facts, Outcome, judge
from app.core.request_log.rows import LogRow
from app.core.statistics.events import (
    CLIENT_GONE,
    ENDED_BY_OPERATOR,
    INTERRUPTED,
    ApiUse,
    FailedAttempt,
    RequestEvent,
)

MAX_REASON: Final = 400

_NOBODYS: Final = {
    CLIENT_GONE: Outcome.CLIENT_GONE.value,
    ENDED_BY_OPERATOR: Outcome.ENDED.value,
    INTERRUPTED: Outcome.INTERRUPTED.value,
}
"""What became of a call, by the code of its event, wherever it stood."""
_LABELS: Final = frozenset(outcome.value for outcome in Outcome)


def _unsaid(first: str, last: str) -> tuple[Any, ...]:
    """What stands in these fields, and those between them, of a call that has nothing of the kind."""
    fields = LogRow._fields
    return LogRow(0, "", 0)[fields.index(first) : fields.index(last) + 1]


_OF_NO_TOKEN: Final = _unsaid("token_id", "token")
_OF_NO_CHANNEL: Final = _unsaid("channel_id", "upstream_model")
_OF_NO_USAGE: Final = _unsaid("usage", "price_version")


def _new(values: tuple[Any, ...]) -> LogRow:
    """As LogRow._make, which counts them."""
    return tuple.__new__(LogRow, values)


def rows_of(event: RequestEvent, ended_at_ms: int) -> list[LogRow]:
    """The rows of a call, in the order of its attempts. `ended_at_ms`: when it ended, as far as that is believed."""
    api = event.api
    if api is None:
        return [_row_of_mapping(event, ended_at_ms)]
    first = 1 if api.channel else min(event.attempts, 1)
    last = first + len(api.failed)
    seen = api.seen_attempt or last
    head_ms = ended_at_ms - event.duration_ms
    rows = []
    begins_ms = 0.0
    for number, attempt in enumerate(api.failed, first):
        rows.append(_row(event, api, attempt, number, last, head_ms, begins_ms, None, is_final=number == seen))
        begins_ms = attempt.ended_ms
    content_ms = api.first_content_ms
    attempt = _last_of(event, api)
    rows.append(_row(event, api, attempt, last, last, head_ms, begins_ms, content_ms, is_final=last == seen))
    return rows


def _row_of_mapping(event: RequestEvent, ended_at_ms: int) -> LogRow:
    """The most frequent one. Made by place, as all are: by names it would take twice as long."""
    outcome = _outcome_of(event)
    attempts = int(min(event.attempts, 1))
    duration_ms = event.duration_ms
    return _new(
        (
            *(int(ended_at_ms - duration_ms), event.request_id, attempts, True),
            *_OF_NO_TOKEN,
            *(event.client, event.method, "", event.endpoint),
            *_OF_NO_CHANNEL,
            *(event.status, outcome, _reason(event, outcome, "") if event.error_code else "", False),
            *(_since(0.0, event.first_byte_ms), None, _rounded(duration_ms)),
            *_OF_NO_USAGE,
            *(event.request_bytes, event.response_bytes, event.trace_id, "", attempts),
        )
    )


def _last_of(event: RequestEvent, api: ApiUse) -> FailedAttempt:
    """The last attempt in the shape of those before it."""
    return FailedAttempt(
        event.duration_ms, api.channel_id, api.channel, api.key_id, api.key_hint, api.upstream_model, 0,
        label_of(event), api.reason, event.first_byte_ms, event.request_bytes, api.usage, api.cost_nano, api.unpriced,
        api.price_version,
    )  # fmt: skip


def _row(
    event: RequestEvent,
    api: ApiUse,
    attempt: FailedAttempt,
    number: int,
    last: int,
    head_ms: float,
    begins_ms: float,
    content_ms: float | None,
    *,
    is_final: bool,
) -> LogRow:
    status, reason, response_bytes = attempt.status, attempt.reason, 0
    if is_final:
        status, reason = event.status, _reason(event, attempt.outcome, attempt.reason)
        response_bytes = event.response_bytes
    return _new(
        (
            *(int(head_ms + begins_ms), event.request_id, number, is_final),
            *(api.token_id, api.token),
            *(event.client, event.method, api.path, api.mapping),
            *(attempt.channel_id, attempt.channel, attempt.key_id, attempt.key_hint),
            *(api.dialect, api.model, attempt.upstream_model),
            *(status, attempt.outcome, reason, api.is_stream),
            *(_since(begins_ms, attempt.first_byte_ms), _since(begins_ms, content_ms)),
            _rounded(attempt.ended_ms - begins_ms),
            *(None if attempt.usage is None else list(attempt.usage), attempt.cost_nano),
            *(attempt.unpriced, attempt.price_version),
            *(attempt.request_bytes, response_bytes, event.trace_id, api.user_agent, last if is_final else 0),
        )
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
    return None if ms is None else _rounded(ms - begins_ms)


def _rounded(ms: float) -> float:
    """To a tenth. Python's `round` would go by way of a text."""
    return floor(ms * 10 + 0.5) / 10


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
