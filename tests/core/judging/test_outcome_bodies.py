"""What providers really answer is judged as it is meant: under its own status, and as an event of a stream."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections import Counter
from collections.abc import Callable
from string import ascii_letters
from time import process_time

import brotli
import pytest

from app.core.judging.outcome import Facts, Flaw, Outcome, judge
from tests.support.error_bodies import ERROR_BODIES, Told

NOW_S = 1_764_000_000.0


def judged(told: Told, body: str, *, soft: bool = False) -> Outcome:
    page = body.lstrip().startswith("<")
    headers = {"content-type": "text/html; charset=utf-8" if page else "application/json"}
    status, flaw = (200, Flaw.SOFT_ERROR) if soft else (told.status, None)
    return judge(Facts("openai", status, headers, body.encode(), flaw=flaw, model=told.model), (), NOW_S).outcome


def test_there_are_bodies_of_every_family() -> None:
    """The collection is what it says: well over sixty bodies of some twenty providers and relays."""
    providers = Counter(told.provider.split()[0] for told in ERROR_BODIES)
    assert sum(providers.values()) >= 150
    assert len(providers) >= 20


@pytest.mark.parametrize("told", ERROR_BODIES, ids=lambda told: f"{told.provider} {told.status} {told.outcome}")
def test_a_plain_error_is_judged_by_what_it_says(told: Told) -> None:
    """Under the provider's own status."""
    assert judged(told, told.body).value == told.outcome


EVENTS = [told for told in ERROR_BODIES if told.soft]


@pytest.mark.parametrize("told", EVENTS, ids=lambda told: f"{told.provider} {told.status} {told.soft}")
def test_an_error_in_a_stream_is_judged_by_the_same_rows(told: Told) -> None:
    """As the data of an event, and as the event itself."""
    assert judged(told, told.body, soft=True).value == told.soft
    event = told.body if told.body.startswith("id:") else f"event: error\ndata: {told.body}\n\n"
    assert judged(told, event, soft=True).value == told.soft


@pytest.mark.parametrize(
    "told", [told for told in ERROR_BODIES if told.body.startswith("{")], ids=lambda told: told.body
)
def test_a_relay_that_wraps_an_error_changes_nothing(told: Told) -> None:
    """An upstream's error as JSON text in a relay's message is read, too, and so is one with a byte order mark."""
    wrapped = json.dumps({"error": {"message": told.body, "type": "upstream_error"}})
    assert judged(told, wrapped).value == told.outcome
    assert judged(told, "\ufeff" + told.body).value == told.outcome


INNOCENT = [
    "insufficient_quota",
    "Incorrect API key provided",
    "your account has been suspended",
    "model_not_found: the model does not exist",
    "usage limit reached|1764009999",
    "rate limit exceeded, the server is overloaded",
]
"""What a caller may write into prompts, names and values, and what would take keys away if it were believed."""


@pytest.mark.parametrize("said", INNOCENT)
@pytest.mark.parametrize(
    "echo",
    [
        lambda said: {
            "error": {"message": f"Invalid value: '{said}'. Supported values are: 'user'.", "code": "invalid_value"}
        },
        lambda said: {
            "error": {"message": f'Unexpected role "{said}" in messages[0]', "type": "invalid_request_error"}
        },
        lambda said: {
            "error": {"message": "Bad messages", "param": said, "input": said},
            "messages": [{"content": said}],
        },
        lambda said: {
            "detail": [{"type": "value_error", "loc": [said], "msg": "Wrong value", "input": {"message": said}}]
        },
        lambda said: {"message": f"Validation failed: messages.0.content: unexpected text: {said}"},
        lambda said: {"error": {"message": f"Cannot parse `{said}"}},
    ],
)
def test_what_a_caller_wrote_takes_nothing_away(said: str, echo) -> None:  # type: ignore[no-untyped-def]
    """A bad request that repeats the caller's text stays a bad request of his, and rests nobody."""
    assert judged(Told("", 400, "", "", "", ""), json.dumps(echo(said))) is Outcome.BAD_REQUEST


@pytest.mark.parametrize(
    "model", ["Incorrect API key", "insufficient_quota", "your account's credit balance", "usage limit"]
)
@pytest.mark.parametrize("words", ["{} is not a valid model ID", "{}: no such model", "The model {} does not exist"])
def test_a_model_with_a_telling_name_takes_no_key_away(model: str, words: str) -> None:
    """The name that the caller chose is no word of the provider's."""
    told = Told("", 400, "", "", model, "")
    body = json.dumps({"error": {"message": words.format(model), "code": 400}})
    assert judged(told, body) in (Outcome.MODEL_UNAVAILABLE, Outcome.BAD_REQUEST)


def test_an_error_that_is_cut_off_is_read_by_its_fields() -> None:
    """Where 64 KiB do not hold all of it, code and message count, and the rest, which repeats a prompt, does not."""
    prompt = json.dumps({"message": "Incorrect API key provided", "code": "invalid_api_key"})
    whole = json.dumps(
        {"error": {"code": "model_not_found", "message": "No such model", "input": prompt + "x" * 70_000}}
    )
    assert judged(Told("", 404, "", "", "", ""), whole[: 64 * 1024]) is Outcome.MODEL_UNAVAILABLE
    assert judged(Told("", 401, "", "", "", ""), whole[: 64 * 1024]) is Outcome.REFUSED_KEY


@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress)]
)
def test_a_compressed_error_is_read(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """Some upstreams compress though they were asked not to; what is cut off is read as far as it goes."""
    padding = "".join(random.Random(1).choices(ascii_letters, k=200_000))
    body = encode(json.dumps({"error": {"code": "invalid_api_key", "param": padding}}).encode())
    for sent in (encode(b'{"error": {"code": "invalid_api_key"}}'), body, body[: len(body) // 2]):
        facts = Facts("openai", 401, {"content-encoding": coding}, sent)
        assert judge(facts, (), NOW_S).outcome is Outcome.INVALID_KEY
    lie = Facts("openai", 401, {"content-encoding": coding}, b'{"error": {"code": "invalid_api_key"}}')
    assert judge(lie, (), NOW_S).outcome is Outcome.INVALID_KEY


HOSTILE = [
    '{"error":' * 5000,
    "[" * 60_000,
    json.dumps({"error": {"message": "model " * 10_000}}),
    json.dumps({"error": {"message": "the api key " * 5000}}),
    json.dumps({"error": {"message": "1s 1m 1h " * 7000}}),
    json.dumps({"error": [{"message": "'" * 1000, "code": str(number)} for number in range(60)]}),
    json.dumps({"error": {"message": "again in " * 7000}}),
    '{"message": "' + "\\\\" * 30_000,
    "<!--" + "-" * 60_000,
    "a: " * 20_000,
    "模型" * 20_000,
    '"' * 60_000,
]


@pytest.mark.timing
@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: body[:20])
@pytest.mark.parametrize("status", [400, 403, 503])
def test_no_body_holds_up_the_process(body: str, status: int) -> None:
    """An upstream's 64 KiB, made to be slow, are judged within milliseconds."""
    facts = Facts("openai", status, {}, body.encode()[: 64 * 1024])
    judge(facts, (), NOW_S)
    began_s = process_time()
    judge(facts, (), NOW_S)
    assert process_time() - began_s < 0.02
