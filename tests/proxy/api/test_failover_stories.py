"""Stories of failing over: who was tried, in which order, and what the client saw."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from typing import Any

import pytest

from app.core.channels.definition import parse_channel
from app.core.errors import ApiError
from app.core.settings import Settings
from tests.support.channel_story import GOOD, STOP, TEXT, Answer, Tell, answers, fails, streams
from tests.support.in_process import content

ROLE = b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'
SOFT = b'data: {"error": {"message": "The server had an error", "type": "server_error"}}\n\n'


def resets(peer: Any) -> None:
    peer.reset()


def test_the_first_good_answer_is_the_clients(tell: Tell) -> None:
    """One attempt, under the upstream's own name of the model, and its outcome is noted."""
    story = tell({"a": {"k1": [GOOD]}, "b": {"k2": [GOOD]}})
    served = story.ask()
    assert json.loads(content(served.reply))["choices"][0]["message"]["content"] == "hi"
    assert (story.tried, story.noted) == (["a k1"], [("a", "ok")])
    assert (served.channel, served.attempts, served.upstream_model) == ("a", 1, "m-of-a")
    assert json.loads(story.bodies[0])["model"] == "m-of-a"


@pytest.mark.parametrize(
    ("first", "tried", "outcome"),
    [
        (fails(429), ["a k1", "a k2"], "rate_limited"),
        (fails(401, "invalid_api_key"), ["a k1", "a k2"], "invalid_key"),
        (fails(402), ["a k1", "a k2"], "quota_exhausted"),
        (fails(408), ["a k1", "a k2"], "try_again"),
        (fails(404, "model_not_found"), ["a k1", "b k3"], "model_unavailable"),
        (fails(529), ["a k1", "b k3"], "overloaded"),
        (fails(500), ["a k1", "b k3"], "server_error"),
        (resets, ["a k1", "b k3"], "unreachable"),
        (answers(200, b'{"error": {"message": "oops", "type": "api"}}'), ["a k1", "b k3"], "soft_error"),
        (answers(200, b""), ["a k1", "b k3"], "empty"),
        (answers(200, b"<html>login</html>", "Content-Type: text/html"), ["a k1", "b k3"], "server_error"),
    ],
)
def test_what_fails_is_left_for_the_next_best(tell: Tell, first: Answer, tried: list[str], outcome: str) -> None:
    """A fault of the key leads to another key, one of the model, url or channel to another channel."""
    story = tell({"a": {"k1": [first], "k2": [GOOD]}, "b": {"k3": [GOOD]}})
    served = story.ask()
    assert b"hi" in content(served.reply)
    assert story.tried == tried
    assert story.noted == [("a", outcome), (tried[-1][0], "ok")]


def test_an_address_that_may_not_be_dialled_is_left_for_the_next(tell: Tell) -> None:
    """The name of a url may come to lead anywhere; that is no refusal of the caller."""
    story = tell({"a": {"k1": [GOOD]}, "b": {"k2": [GOOD]}})
    said = story.channels["a"].said | {"urls": [{"url": "http://10.0.0.1"}]}
    story.channels["a"] = parse_channel("0", said)
    assert b"hi" in content(story.ask().reply)
    assert (story.tried, story.noted) == (["b k2"], [("a", "unreachable"), ("b", "ok")])


@pytest.mark.parametrize(
    ("first", "outcome"),
    [(fails(400, "context_length_exceeded"), "too_long"), (fails(422), "bad_request"), (fails(413), "bad_request")],
)
def test_a_fault_of_the_clients_ends_at_the_first(tell: Tell, first: Answer, outcome: str) -> None:
    """It is passed on as it came, and nobody else is asked."""
    story = tell({"a": {"k1": [first], "k2": [GOOD]}, "b": {"k3": [GOOD]}})
    served = story.ask()
    assert served.reply.status in (400, 413, 422)
    assert b"error" in content_of(served)
    assert (story.tried, story.noted) == (["a k1"], [("a", outcome)])


def content_of(served: Any) -> bytes:
    return b"".join(served.reply.body)


def test_attempts_have_a_bound(tell: Tell) -> None:
    """Not more than max_attempts in all, nor more than max_keys_per_channel of one."""
    keys = {f"k{number}": [fails(429)] for number in range(9)}
    story = tell({"a": dict(keys), "b": dict(keys), "c": dict(keys)}, settings=Settings(max_attempts=5))
    assert story.ask().reply.status == 429
    assert story.tried == ["a k0", "a k1", "a k2", "b k0", "b k1"]


def test_nothing_of_a_stream_is_sent_before_it_is_good(tell: Tell) -> None:
    """An error behind a role, and an end without content, are left for another channel; the client sees one stream."""
    story = tell(
        {"a": {"k1": [streams(ROLE, SOFT)]}, "b": {"k2": [streams(ROLE)]}, "c": {"k3": [streams(ROLE, TEXT, STOP)]}}
    )
    served = story.ask(stream=True)
    assert content(served.reply) == ROLE + TEXT + STOP
    assert story.noted == [("a", "soft_error"), ("b", "truncated"), ("c", "ok")]


@pytest.mark.parametrize("how", ["cut", "no end marker"])
def test_a_stream_that_breaks_later_ends_with_an_error_event(tell: Tell, how: str) -> None:
    """One event in the dialect, then the end; the channel is to blame."""
    chosen = threading.Event()

    def breaks(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(ROLE + TEXT)
        assert chosen.wait(10)
        if how == "cut":
            peer.is_over = True
        else:
            peer.end_stream()

    story = tell({"a": {"k1": [breaks]}, "b": {"k2": [GOOD]}})
    served = story.ask(stream=True)
    chosen.set()
    body = content(served.reply)
    assert body.startswith(ROLE + TEXT)
    last = json.loads(body[len(ROLE + TEXT) :].strip().removeprefix(b"data: "))
    assert last["error"]["type"] == "server_error"
    assert story.noted == [("a", "truncated")]


def test_a_stream_without_content_in_time_is_left(tell: Tell) -> None:
    """first_useful_timeout bounds the wait for the first useful content, whatever comes meanwhile."""

    def slow(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(ROLE)
        peer.wait_closed()
        peer.is_over = True

    story = tell({"a": {"k1": [slow]}, "b": {"k2": [streams(TEXT, STOP)]}}, settings=Settings(first_useful_timeout=0.5))
    assert content(story.ask(stream=True).reply) == TEXT + STOP
    assert story.noted == [("a", "timeout"), ("b", "ok")]


def test_when_all_fail_the_last_real_answer_is_told(tell: Tell) -> None:
    """A connection that is refused later does not hide it."""
    story = tell({"a": {"k1": [fails(503, "busy")]}, "b": {"k2": [resets]}})
    served = story.ask()
    assert (served.reply.status, served.attempts) == (503, 2)
    assert json.loads(content_of(served))["error"]["code"] == "busy"


@pytest.mark.parametrize(
    ("account", "status", "code", "is_final", "says"),
    [
        ({"k1": [fails(401, "invalid_api_key")]}, 502, "upstream_credentials", True, "keys"),
        ({"k1": [resets]}, 502, "upstream_reset", False, "no answer"),
        ({"k1": [answers(200, b"")]}, 502, "upstream_empty", False, "an empty answer"),
        ({"k1": [answers(200, b'{"error": {"message": "oops"}}')]}, 502, "upstream_soft_error", False, "error: oops"),
        ({"k1": [answers(200, b"<html></html>")]}, 502, "upstream_soft_error", False, "a web page"),
        ({"k1": [answers(200, b'{"error"')]}, 502, "upstream_soft_error", False, "cannot be read"),
    ],
)
def test_what_cannot_be_passed_on_is_told_in_words_of_ours(
    tell: Tell, account: dict[str, list[Answer]], status: int, code: str, is_final: bool, says: str
) -> None:
    """With a code, and whether to try again is of use."""
    story = tell({"a": account})
    with pytest.raises(ApiError) as told:
        story.ask()
    assert (told.value.status, told.value.code, told.value.is_final) == (status, code, is_final)
    assert says in told.value.message
    assert [(event.status, event.error_code) for event in story.room.events] == [(status, code)]


def test_our_key_is_masked_where_an_upstream_repeats_it(tell: Tell) -> None:
    """In the body and in fields of what is passed on."""
    key = "sk-very-secret-key-1"
    packed = gzip.compress(b'{"error": {"message": "busy with %b"}}' % key.encode(), mtime=0)
    for answer in (fails(503, key, f"X-Echo: {key}"), answers(503, packed, "Content-Encoding: gzip")):
        story = tell({"a": {key: [answer]}})
        served = story.ask()
        body = content_of(served)
        assert b"sk-v" + "…".encode() + b"ey-1" in body.replace(b"\\u2026", "…".encode())
        assert key.encode() not in body
    assert not [value for _, value in served.reply.headers if "sk-very-secret" in value]


def test_the_calls_event_tells_who_served_it(tell: Tell) -> None:
    """Channel, a hint of the key, both names of the model, what became of it, and how many were tried."""
    story = tell({"a": {"k1": [fails(500)]}, "b": {"k2": [GOOD]}})
    content(story.ask().reply)
    [event] = story.room.events
    api = event.api
    assert api is not None
    assert (api.channel, api.key_hint, api.model, api.upstream_model, api.outcome) == ("b", "…k2", "m", "m-of-b", "ok")
    assert (event.endpoint, event.attempts, event.status) == ("/v1", 2, 200)


def test_what_the_operator_wants_edited_is_edited(tell: Tell) -> None:
    """Fields and members of the body, on top of the model; a compressed body goes on plain then."""
    said = {
        "header_rules": [{"action": "set", "name": "X-Asked", "value": "{request_id} {channel} {client_ip}"}],
        "body_rules": [{"action": "set", "path": "options.temperature", "value": 0.5}],
    }
    plain = b'{"model": "m",  "keep": 1.50}'
    for body, fields in ((plain, []), (gzip.compress(plain, mtime=0), [("Content-Encoding", "gzip")])):
        story = tell({"a": {"k1": [GOOD]}}, said=said)
        content(story.ask(body=body, fields=fields).reply)
        assert story.bodies[0] == b'{"model": "m-of-a",  "keep": 1.50,"options":{"temperature":0.5}}'
        [seen] = story.upstream.seen
        assert seen.field("x-asked") == "id a 192.0.2.1"
        assert (seen.field("content-encoding"), seen.field("accept-encoding")) == (None, "identity")


def test_comments_keep_a_silent_stream_open_but_never_inside_an_event(tell: Tell) -> None:
    """From the commit on, until the idle timeout ends the silence as it would without them."""
    half = TEXT[: len(TEXT) // 2]

    def hesitates(peer: Any) -> None:
        peer.begin_stream()
        for piece in (ROLE + TEXT, half):
            peer.send_chunk(piece)
            with contextlib.suppress(TimeoutError):
                peer.wait_closed(0.35)
        peer.send_chunk(TEXT[len(half) :] + STOP)
        peer.end_stream()

    story = tell({"a": {"k1": [hesitates]}}, settings=Settings(keepalive_comment_s=0.1))
    body = content(story.ask(stream=True).reply)
    comments = body.count(b": keep-alive\n\n")
    assert 1 <= comments <= 4
    assert body.replace(b": keep-alive\n\n", b"") == ROLE + TEXT + TEXT + STOP
    assert body.startswith(ROLE + TEXT + b": keep-alive")
    assert body.endswith(TEXT + STOP)


def test_a_stream_that_stalls_ends_in_band_though_comments_were_sent(tell: Tell) -> None:
    """The idle timeout counts from the upstream's last word."""

    def stalls(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(ROLE + TEXT)
        peer.wait_closed()
        peer.is_over = True

    story = tell(
        {"a": {"k1": [stalls]}},
        settings=Settings(keepalive_comment_s=0.1),
        said={"options": {"idle_timeout": 0.35}},
    )
    body = content(story.ask(stream=True).reply)
    assert b": keep-alive" in body
    assert b'"error"' in body.rsplit(b"data: ", 1)[1]
    assert story.noted == [("a", "stalled")]
