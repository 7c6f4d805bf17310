"""Failing over at its edges: deadlines, connections that were kept, errors that do not end, what is told of them."""

from __future__ import annotations

import gc
import gzip
import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.errors import ApiError
from app.core.judging.outcome import Blame, Verdict
from app.core.settings import Limits, Settings
from app.core.snapshot import Stored, build_snapshot
from app.core.usage import Usage
from app.proxy.api import attempts as attempts_module
from app.proxy.api.attempts import Attempts, Try
from app.wire.http.headers import find
from tests.support.channel_story import GOOD, STOP, TEXT, Story, Tell, answers, fails, streams
from tests.support.in_process import content


def is_silent(peer: Any) -> None:
    peer.wait_closed()
    peer.is_over = True


def test_first_useful_timeout_takes_the_place_of_first_byte_timeout(tell: Tell) -> None:
    """It bounds the wait for a head, too; and where it is the longer one a head may take longer."""
    story = tell(
        {"a": {"k1": [is_silent]}, "b": {"k2": [streams(TEXT, STOP)]}}, settings=Settings(first_useful_timeout=0.2)
    )
    began_s = time.monotonic()
    assert content(story.ask(stream=True).reply) == TEXT + STOP
    assert time.monotonic() - began_s < 5
    assert story.noted == [("a", "timeout"), ("b", "ok")]

    def hesitates(peer: Any) -> None:
        time.sleep(0.4)
        streams(TEXT, STOP)(peer)

    story = tell({"a": {"k1": [hesitates]}}, said={"options": {"first_byte_timeout": 0.1}})
    assert content(story.ask(stream=True).reply) == TEXT + STOP
    assert story.noted == [("a", "ok")]


def test_nobody_is_tried_and_blamed_when_the_time_is_over(tell: Tell) -> None:
    """The total timeout ends the attempt that used it up, and no other begins."""
    story = tell(
        {"a": {"k1": [is_silent]}, "b": {"k2": [GOOD]}, "c": {"k3": [GOOD]}}, said={"options": {"total_timeout": 0.2}}
    )
    with pytest.raises(ApiError) as told:
        story.ask()
    assert (told.value.status, told.value.code) == (504, "total_timeout")
    assert (story.tried, story.noted) == (["a k1"], [("a", "timeout")])


def test_nobody_is_tried_where_the_clocks_do_not_agree_that_the_time_is_over(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the event loop, which ends an attempt, may be ahead of that by which it is asked."""
    behind = SimpleNamespace(**vars(time) | {"monotonic": lambda: time.monotonic() - 0.05})
    monkeypatch.setattr("app.proxy.call.time", behind)
    story = tell({"a": {"k1": [is_silent]}, "b": {"k2": [GOOD]}}, said={"options": {"total_timeout": 0.2}})
    with pytest.raises(ApiError):
        story.ask()
    assert (story.tried, story.noted) == (["a k1"], [("a", "timeout")])


def watch_blames(story: Story) -> list[Blame]:
    """Whom each attempt that is noted blames."""
    blames: list[Blame] = []
    choices = story.choices

    def watched(*asked: Any) -> Any:
        made = choices(*asked)
        note = made.note

        def noted(tried: Try, verdict: Verdict, status: int, usage: Usage) -> Any:
            blames.append(verdict.blame)
            return note(tried, verdict, status, usage)

        made.note = noted
        return made

    story.choices = watched  # type: ignore[method-assign]
    return blames


def test_who_gets_the_rest_of_the_time_is_not_to_blame(tell: Tell) -> None:
    """Where those before it had used up the most of the total timeout."""

    def late(peer: Any) -> None:
        time.sleep(0.4)
        fails(500)(peer)

    story = tell({"a": {"k1": [late]}, "b": {"k2": [is_silent]}}, said={"options": {"total_timeout": 0.6}})
    blames = watch_blames(story)
    assert story.ask().reply.status == 500
    assert story.noted == [("a", "server_error"), ("b", "timeout")]
    assert blames == [Blame.URL, Blame.NOBODY]


def test_a_channels_own_total_timeout_may_be_longer_than_the_general_one(tell: Tell) -> None:
    """What an operator says of a channel goes over what he says in general."""

    def hesitates(peer: Any) -> None:
        time.sleep(0.4)
        GOOD(peer)

    story = tell({"a": {"k1": [hesitates]}}, said={"options": {"total_timeout": 5}})
    story.snapshot = build_snapshot(Stored(1, {}), Limits(total_timeout=0.1), story.settings)
    assert b"hi" in content(story.ask().reply)


def test_a_kept_connection_that_had_ended_costs_no_attempt(tell: Tell) -> None:
    """The request is sent again to the same key, though it may have been written: to do so is what failing over is."""

    def answers_once(peer: Any) -> None:
        GOOD(peer)
        peer.read_head()  # takes the next request, and goes without an answer
        peer.is_over = True

    story = tell({"a": {"k1": [answers_once, GOOD]}})
    for _ in range(2):
        assert b"hi" in content(story.ask().reply)
    assert story.noted == [("a", "ok"), ("a", "ok")]
    assert story.upstream.connections == 2


def test_an_address_that_is_refused_is_an_upstream_that_cannot_be_reached(tell: Tell) -> None:
    """The egress guard's word about one channel does not end a call that another can serve."""
    story = tell({"a": {"k1": [GOOD]}, "b": {"k2": [GOOD]}})
    [url] = story.channels["a"].urls
    elsewhere = replace(url, upstream=replace(url.upstream, host="10.0.0.1"))
    story.channels["a"] = replace(story.channels["a"], urls=(elsewhere,))
    assert b"hi" in content(story.ask().reply)
    assert story.noted == [("a", "unreachable"), ("b", "ok")]


def test_an_errors_body_that_does_not_end_is_not_waited_for(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status has said enough."""
    monkeypatch.setattr(attempts_module, "ERROR_BODY_S", 0.2)

    def stalls(peer: Any) -> None:
        peer.send(b"HTTP/1.1 429 Slow\r\nContent-Length: 100\r\n\r\n{")
        peer.wait_closed()
        peer.is_over = True

    story = tell({"a": {"k1": [stalls], "k2": [GOOD]}})
    assert b"hi" in content(story.ask().reply)
    assert story.noted == [("a", "rate_limited"), ("a", "ok")]


def test_what_is_not_looked_at_is_good_when_its_first_byte_has_come(tell: Tell) -> None:
    """Until then another channel is tried; and no bytes at all are an empty answer."""

    def breaks(peer: Any) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 9\r\n\r\n")
        peer.is_over = True

    story = tell(
        {
            "a": {"k1": [breaks]},
            "b": {"k2": [answers(200, b"", "Content-Type: audio/mpeg")]},
            "c": {"k3": [answers(200, b"sound", "Content-Type: audio/mpeg")]},
        }
    )
    assert content(story.ask().reply) == b"sound"
    assert story.noted == [("a", "truncated"), ("b", "empty"), ("c", "ok")]


def test_an_errors_body_is_passed_on_whole_though_it_was_compressed(tell: Tell) -> None:
    """However much longer than its coded form it is."""
    long = json.dumps({"error": {"message": "busy " * 40_000}}).encode()
    story = tell({"a": {"k1": [answers(503, gzip.compress(long), "Content-Encoding: gzip")]}})
    reply = story.ask().reply
    assert b"".join(reply.body) == long
    assert find(reply.headers, "content-length") == str(len(long))
    assert find(reply.headers, "content-encoding") is None


def test_a_heads_error_keeps_the_length_that_it_tells(tell: Tell) -> None:
    """It has no body of which there were another."""

    def answer(peer: Any) -> None:
        peer.send(b"HTTP/1.1 404 \r\nContent-Type: application/json\r\nContent-Length: 123\r\n\r\n")

    reply = tell({"a": {"k1": [answer]}}).ask(method="HEAD", path="/v1/files/f").reply
    assert (reply.status, reply.reason, list(reply.body)) == (404, "Not Found", [])
    assert [value for name, value in reply.headers if name == "Content-Length"] == ["123"]


def test_what_we_change_of_a_status_has_its_own_reason_and_every_429_says_when(tell: Tell) -> None:
    """Codex stops at a 429 without Retry-After; a long wait says that to try again is of no use."""
    story = tell({"a": {"k1": [fails(402, "spent")]}})
    reply = story.ask().reply
    assert (reply.status, reply.reason) == (429, "Too Many Requests")
    assert (find(reply.headers, "retry-after"), find(reply.headers, "x-should-retry")) == ("7", "false")


def test_a_soft_errors_time_is_told(tell: Tell) -> None:
    """As a status would have had it; more than a minute is told as such by who words it."""
    soft = b'{"error": {"message": "Rate limit reached", "type": "rate_limit_error"}}'
    story = tell({"a": {"k1": [answers(200, soft, "Retry-After: 33")]}})
    with pytest.raises(ApiError) as told:
        story.ask()
    assert (told.value.status, told.value.retry_after_s) == (502, 33)


def test_the_time_to_the_first_byte_is_that_to_the_head(tell: Tell) -> None:
    """A url is not slow because its answers are long."""

    def goes_on(peer: Any) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.5)
        peer.send(b"{}")

    story = tell({"a": {"k1": [goes_on]}})
    content(story.ask().reply)
    assert story.chosen[0] < 400


def test_an_identity_coding_is_none(tell: Tell) -> None:
    """What says so is judged as what says nothing."""
    soft = answers(200, b'{"error": {"message": "oops"}}', "Content-Encoding: Identity")
    story = tell({"a": {"k1": [soft]}, "b": {"k2": [GOOD]}})
    assert b"hi" in content(story.ask().reply)


@pytest.mark.parametrize(("back_s", "told"), [(7, ("7", None)), (600, ("600", "false")), (None, ("60", None))])
def test_a_429_without_a_time_gets_one(tell: Tell, back_s: int | None, told: tuple[str, str | None]) -> None:
    """When the first candidate is back; a minute where nobody knows."""
    story = tell({"a": {"k1": [fails(429)]}})
    choices = story.choices

    def known(*asked: Any) -> Any:
        made = choices(*asked)
        made.back_s = lambda: back_s
        return made

    story.choices = known  # type: ignore[method-assign]
    reply = story.ask().reply
    assert (find(reply.headers, "retry-after"), find(reply.headers, "x-should-retry")) == told


def test_what_failed_is_freed_without_a_collector(tell: Tell) -> None:
    """A fault's frames must not hold the attempts that hold the fault."""
    story = tell({"a": {"k1": [lambda peer: peer.reset()]}, "b": {"k2": [GOOD]}})
    gc.collect()
    gc.disable()
    try:
        content(story.ask().reply)
        assert not [one for one in gc.get_objects() if isinstance(one, Attempts)]
    finally:
        gc.enable()


def test_an_attempt_is_noted_once_at_its_end(tell: Tell) -> None:
    """A stream whose client leaves is nobody's fault, and no success; its key is free again, its connection closed."""
    story = tell({"a": {"k1": [streams_on]}})
    reply = story.ask(stream=True).reply
    assert next(iter(reply.body)) == TEXT
    assert (len(story.chosen), story.noted) == (1, [])
    reply.body.close()  # type: ignore[attr-defined]
    assert story.noted == [("a", "client_gone")]
    [event] = story.room.events
    assert (event.error_code, event.api.outcome if event.api else "") == ("client_gone", "client_gone")


def streams_on(peer: Any) -> None:
    peer.begin_stream()
    peer.send_chunk(TEXT)
    peer.wait_closed()
    peer.is_over = True


def test_a_stream_that_the_total_timeout_cuts_off_blames_nobody(tell: Tell) -> None:
    """It was coming; that it took longer than the operator allows is no fault of the url's."""
    story = tell({"a": {"k1": [streams_on]}}, said={"options": {"total_timeout": 0.3}})
    blames = watch_blames(story)
    body = content(story.ask(stream=True).reply)
    assert body.startswith(TEXT)
    assert b"total_timeout" in body
    assert (story.noted, blames) == ([("a", "timeout")], [Blame.NOBODY])
