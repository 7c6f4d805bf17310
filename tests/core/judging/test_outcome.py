"""The table of outcomes, row by row: what an attempt's facts are called, and what follows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from app.core.failures import Failure
from app.core.judging.outcome import GOOD, TRAITS, Blame, Facts, Flaw, Outcome, Verdict, judge

NOW_S = 1_764_000_000.0
PAGE = b"<!DOCTYPE html><html><head><title>Attention</title></head><body>invalid api key</body></html>"


def answer(status: int, body: Any = b"", **more: Any) -> Facts:
    return Facts("openai", status, body=body if isinstance(body, bytes) else json.dumps(body).encode(), **more)


def said(message: str = "", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def soft(body: Any) -> Facts:
    return replace(answer(200, body), flaw=Flaw.SOFT_ERROR)


def judged(facts: Facts) -> Verdict:
    return judge(facts, (), NOW_S)


LABELS = """ok quota_exhausted rate_limited_account rate_limited account_suspended invalid_key refused_key too_long
content_filtered model_unavailable overloaded server_error unreachable timeout soft_error empty malformed stalled
truncated try_again bad_request client_gone refused ended interrupted answered_here""".split()


def test_labels_are_those_of_the_contract() -> None:
    """Logs, statistics and the API know these labels and no others, and each has its traits."""
    assert [outcome.value for outcome in Outcome] == LABELS
    assert list(TRAITS) == list(Outcome)


@pytest.mark.parametrize("status", [101, 200, 204, 206, 301, 304, 399])
def test_good_answers_blame_nobody(status: int) -> None:
    """Below 400 an answer without flaw or failure is good, whatever its body says."""
    assert judged(answer(status, said("invalid api key"))) is GOOD


STATUSES: list[tuple[Facts, str]] = [
    (answer(402), "quota_exhausted"),
    (answer(402, PAGE), "quota_exhausted"),
    *[(answer(status, said(code="insufficient_quota")), "quota_exhausted") for status in (400, 402, 403, 429)],
    *[(answer(status, said("Your credit balance is too low.")), "quota_exhausted") for status in (400, 402, 403, 429)],
    (answer(401, said(code="insufficient_quota")), "refused_key"),
    (answer(429, said("slow"), headers={"x-ratelimit-scope": "Account"}), "rate_limited_account"),
    (answer(429, said("slow"), headers={"x-ratelimit-scope": "key"}), "rate_limited"),
    (answer(429, said("Global rate limit reached")), "rate_limited_account"),
    (answer(429, said("Organization limit reached")), "rate_limited_account"),
    (answer(429), "rate_limited"),
    (answer(429, PAGE), "rate_limited"),
    (answer(429, said(code="context_length_exceeded")), "rate_limited"),
    (answer(429, said("Model is overloaded")), "rate_limited"),
    *[(answer(status, said("This account has been suspended")), "account_suspended") for status in (401, 403)],
    *[(answer(status, said("Incorrect API key provided: sk-1")), "invalid_key") for status in (400, 401, 403)],
    *[(answer(status, said("Nope")), "refused_key") for status in (401, 403)],
    *[(answer(status), "refused_key") for status in (401, 403)],
    *[(answer(status, PAGE), "server_error") for status in (401, 403, 404)],
    *[(answer(status, said(code="context_length_exceeded")), "too_long") for status in (400, 404, 413, 422, 500, 503)],
    *[(answer(status, said(code="content_filter")), "content_filtered") for status in (400, 403, 422, 500)],
    *[(answer(status, said(code="model_not_found")), "model_unavailable") for status in (400, 404, 410)],
    (answer(422, said(code="model_not_found")), "bad_request"),
    (answer(529), "overloaded"),
    (answer(503, said("The model is overloaded")), "overloaded"),
    (answer(400, said("The model is overloaded")), "bad_request"),
    *[(answer(status, said("x")), "server_error") for status in (405, 444, 499, 500, 502, 503, 504, 520, 524, 599)],
    (answer(404), "server_error"),
    (answer(404, said("No such file")), "bad_request"),
    *[(answer(status), "try_again") for status in (408, 425)],
    *[(answer(status, said("x")), "bad_request") for status in (400, 406, 409, 413, 415, 418, 422, 451)],
    (answer(400, PAGE), "bad_request"),
]


@pytest.mark.parametrize(("facts", "label"), STATUSES, ids=lambda value: str(value)[:60])
def test_a_bad_status_is_judged_by_the_first_row_that_fits(facts: Facts, label: str) -> None:
    """Rows go by status and by what the error says, from the top."""
    assert judged(facts).outcome.value == label


SEEN: list[tuple[Facts, str]] = [
    (soft(said(code="insufficient_quota")), "quota_exhausted"),
    (soft(said("Too many requests", type="rate_limit_error")), "rate_limited"),
    (soft(said(code=429)), "rate_limited"),
    (soft(said(type="overloaded_error")), "overloaded"),
    (soft("当前模型负载过高，请稍后重试".encode()), "overloaded"),
    (soft(said(code="context_length_exceeded")), "too_long"),
    (soft(said(code="content_filter")), "content_filtered"),
    (soft(said("invalid api key")), "soft_error"),
    (soft(said("odd")), "soft_error"),
    (soft(b""), "soft_error"),
    *[
        (Facts("openai", 200, flaw=flaw), label)
        for flaw, label in [
            (Flaw.HTML, "server_error"),
            (Flaw.EMPTY, "empty"),
            (Flaw.MALFORMED, "malformed"),
            (Flaw.NOTHING_SAID, "empty"),
            (Flaw.TRUNCATED, "truncated"),
        ]
    ],
    *[
        (Facts("openai", failure=failure), label)
        for failure, label in [
            (Failure.UNREACHABLE, "unreachable"),
            (Failure.STALE, "try_again"),
            (Failure.STALE_WRITTEN, "try_again"),
            (Failure.NO_ANSWER, "unreachable"),
            (Failure.NOT_TAKEN, "timeout"),
            (Failure.FIRST_BYTE_TIMEOUT, "timeout"),
            (Failure.TOTAL_TIMEOUT, "timeout"),
            (Failure.HEAD_CUT_OFF, "unreachable"),
            (Failure.NO_HTTP, "malformed"),
            (Failure.CUT_OFF, "truncated"),
            (Failure.MALFORMED, "malformed"),
            (Failure.SILENT, "stalled"),
            (Failure.NOTHING_USEFUL, "timeout"),
            (Failure.NO_END_MARKER, "truncated"),
        ]
    ],
]


@pytest.mark.parametrize(("facts", "label"), SEEN, ids=lambda value: str(value)[:60])
def test_flaws_and_failures_are_judged_by_what_was_seen(facts: Facts, label: str) -> None:
    """A status that says nothing leaves it to the text of a soft error, to the flaw or to the failure."""
    assert judged(facts).outcome.value == label


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("status", [0, 200])
def test_every_failure_has_a_row(failure: Failure, status: int) -> None:
    """No failure is good, and none is without a verdict, with or without the head of an answer."""
    assert judged(Facts("openai", status, failure=failure)).outcome is not Outcome.OK


def test_every_bad_status_has_a_row() -> None:
    """Nobody answers with a status that the table does not know."""
    verdicts = {status: judged(answer(status, said("x"))) for status in range(400, 1000)}
    assert not {status for status, verdict in verdicts.items() if verdict.blame is not TRAITS[verdict.outcome].blame}


def test_a_bad_status_says_more_than_how_its_body_ended() -> None:
    """A 503 whose body was cut off is a 503."""
    assert judged(answer(503, failure=Failure.CUT_OFF)).outcome is Outcome.SERVER_ERROR


BLAMED = {
    Blame.KEY: "quota_exhausted rate_limited invalid_key refused_key",
    Blame.MODEL: "model_unavailable overloaded",
    Blame.URL: "server_error unreachable timeout",
    Blame.CHANNEL: "rate_limited_account account_suspended soft_error empty malformed stalled truncated",
    Blame.CLIENT: "too_long content_filtered bad_request",
    Blame.NOBODY: "ok try_again client_gone refused ended interrupted answered_here",
}


@pytest.mark.parametrize("blame", BLAMED)
def test_blame_and_what_may_be_tried_again(blame: Blame) -> None:
    """Who of ours is to blame counts as a failure and another is tried; for the client's own fault nobody is."""
    labels = BLAMED[blame].split()
    assert {outcome.value for outcome, traits in TRAITS.items() if traits.blame is blame} == set(labels)
    assert blame.ours is (blame not in (Blame.CLIENT, Blame.NOBODY))
    assert all(TRAITS[Outcome(label)].again is (blame.ours or label == "try_again") for label in labels)


@pytest.mark.parametrize("facts", [soft(said(code=429)), Facts("openai", 200, failure=Failure.SILENT)])
def test_nobody_is_tried_again_after_the_commit(facts: Facts) -> None:
    """What has reached the client cannot be taken back; who failed is blamed all the same."""
    before, after = judged(facts), judged(replace(facts, committed=True))
    assert (before.again, after.again) == (True, False)
    assert before._replace(again=False) == after


def test_only_an_invalid_key_is_blacklisted_and_only_a_refused_one_counts() -> None:
    """A known text takes the key out at once; a refusal without one counts; nothing else does."""
    verdicts = [judged(facts) for facts, _ in [*STATUSES, *SEEN]]
    assert {verdict.outcome for verdict in verdicts if verdict.blacklist} == {Outcome.INVALID_KEY}
    assert {verdict.outcome for verdict in verdicts if verdict.counts_to_blacklist} == {Outcome.REFUSED_KEY}


def test_a_told_time_goes_with_who_rests() -> None:
    """A rate limit's Retry-After is kept as told; who rests nobody keeps none."""
    assert judged(answer(429, headers={"retry-after": "7"})).told_rest_s == 7
    assert judged(answer(503, headers={"retry-after": "7"})).told_rest_s == 7
    assert judged(answer(400, headers={"retry-after": "7"})).told_rest_s is None
    assert judged(answer(408, headers={"retry-after": "7"})).told_rest_s is None
