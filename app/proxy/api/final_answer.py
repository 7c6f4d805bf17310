"""What a client is told when nobody gave a good answer: the last real one, or words of ours."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil

from app.core.errors import ApiError
from app.core.judging.outcome import Outcome
from app.proxy.api.attempts import Failed
from app.proxy.messages import Reply
from app.wire.http import headers as header_fields
from app.wire.http.headers import Headers, find

UPSTREAM_RETRY_S = 5
"""Retry-After of our own 502 and 504."""
LONGEST_RETRY_S = 60
"""SDKs give up, or worse, try again at once, where they are told to wait for longer."""
_CREDENTIALS = frozenset({Outcome.INVALID_KEY, Outcome.REFUSED_KEY, Outcome.ACCOUNT_SUSPENDED})
_WORDS = {
    Outcome.EMPTY: "the upstream gave an empty answer",
    Outcome.SERVER_ERROR: "the upstream answered with a web page where JSON was asked for",
    Outcome.MALFORMED: "the upstream's answer cannot be read",
    Outcome.TRUNCATED: "the upstream ended its answer without saying that it is whole",
}
"""Where its status is good and it says no error."""
_KNOWN_STATUSES = frozenset(HTTPStatus)
_STATUSES = {499: 502}
"""An upstream's statuses that mean something else where they come from us."""


def final_answer(failed: list[Failed], back_s: int | None, *, is_head: bool) -> Reply:
    """Of the attempts of a call, at least one. `back_s`: when the first candidate is back; None: nobody knows.

    Raises ApiError where the answer is in words of ours.
    """
    real = seen_of(failed)
    if not real.status:
        fault = real.fault
        assert fault is not None  # noqa: S101 - there was no answer
        raise ApiError(fault.status, fault.code, fault.message, retry_after_s=UPSTREAM_RETRY_S)
    outcome = real.verdict.outcome
    if outcome in _CREDENTIALS and real.status in (401, 403):
        text = "the upstream refused the gateway's credentials; its operator must look at the channel's keys"
        raise ApiError(502, "upstream_credentials", text, is_final=True)
    if real.status < 400:
        code = "upstream_empty" if outcome is Outcome.EMPTY else "upstream_soft_error"
        said = real.of.key.masked(real.verdict.text)
        text = f"the upstream answered with an error: {said}"
        if not said or outcome is Outcome.EMPTY:
            text = _WORDS.get(outcome, "the upstream answered with an error")
        status = 429 if outcome is Outcome.QUOTA_EXHAUSTED else 502
        told_s = real.verdict.told_rest_s
        retry_after_s = UPSTREAM_RETRY_S if told_s is None else max(1, ceil(told_s))
        raise ApiError(status, code, text, retry_after_s=retry_after_s, is_final=status == 429)
    status = 429 if outcome is Outcome.QUOTA_EXHAUSTED else _STATUSES.get(real.status, real.status)
    fields = _fields(real, status, outcome, back_s, is_head=is_head)
    body = [] if is_head else [real.of.key.masked_bytes(real.body)]
    if not is_head:
        fields.append(("Content-Length", str(len(body[0]))))
    reason = real.of.key.masked_field(real.reason) if status == real.status else ""
    return Reply(status, reason or _phrase(status), fields, body)


def seen_of(failed: list[Failed]) -> Failed:
    """Whose answer the client gets: the last real one's, or that of the last where none came."""
    return next((one for one in reversed(failed) if one.status), failed[-1])


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in _KNOWN_STATUSES else "Error"


def _fields(real: Failed, status: int, outcome: Outcome, back_s: int | None, *, is_head: bool) -> Headers:
    answer_fields = header_fields.to_client(real.headers, find(real.headers, "connection") or "")
    if not is_head:
        answer_fields = [field for field in answer_fields if header_fields.lower(field[0]) != "content-length"]
    fields = real.of.key.masked_fields(answer_fields)
    wait_s = real.verdict.told_rest_s or 0.0
    if status == 429 and find(fields, "retry-after") is None:
        wait_s = max(1, back_s if back_s is not None else LONGEST_RETRY_S)
        fields.append(("Retry-After", str(wait_s)))
    waits_long = wait_s > LONGEST_RETRY_S
    if (waits_long or outcome is Outcome.QUOTA_EXHAUSTED) and find(fields, "x-should-retry") is None:
        fields.append(("x-should-retry", "false"))
    return fields
