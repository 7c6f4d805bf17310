"""Streams that are begun with comments while nobody has given a good answer yet."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import gevent
import pytest

from app.core.errors import ApiError
from app.core.settings import Settings
from tests.support.channel_story import STOP, TEXT, Answer, Tell, fails, streams
from tests.support.in_process import content
from tests.support.waiting import wait_until

PATIENT = Settings(keepalive_comment_s=0.05, keepalive_before_commit=True)
COMMENT = b": keep-alive\n\n"


def late(answer: Answer, go: threading.Event) -> Answer:
    def act(peer: Any) -> None:
        go.wait(10)
        answer(peer)

    return act


@pytest.fixture
def go() -> threading.Event:
    return threading.Event()


def read_after(body: Any, comments: int, go: threading.Event) -> bytes:
    """All of a body, of which so many comments came before anybody answered."""
    pieces = iter(body)
    told = [next(pieces) for _ in range(comments)]
    assert told == [COMMENT] * comments
    go.set()
    rest = b"".join(pieces)
    body.close()
    while rest.startswith(COMMENT):
        rest = rest.removeprefix(COMMENT)
    return rest


def test_comments_come_until_a_good_answer_does(tell: Tell, go: threading.Event) -> None:
    """Status 200 and a stream, whoever is tried meanwhile; then the answer as it came."""
    story = tell({"a": {"k1": [late(fails(500), go)]}, "b": {"k2": [streams(TEXT, STOP)]}}, settings=PATIENT)
    served = story.ask(stream=True)
    assert (served.reply.status, served.attempts) == (200, None)
    assert ("Content-Type", "text/event-stream") in served.reply.headers
    assert read_after(served.reply.body, 2, go) == TEXT + STOP
    assert story.noted == [("a", "server_error"), ("b", "ok")]


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "responses"])
def test_what_fails_then_is_told_within_the_stream(tell: Tell, go: threading.Event, dialect: str) -> None:
    """By an event of the dialect, with what the upstream said."""
    story = tell({"a": {"k1": [late(fails(400, "no such option"), go)]}}, dialect=dialect, settings=PATIENT)
    told = read_after(story.ask(stream=True).reply.body, 1, go)
    data = json.loads(told.split(b"data: ", 1)[1].split(b"\n")[0])
    assert "no such option" in json.dumps(data)
    assert data.get("type", "error") == "error"


def test_who_answers_in_time_is_answered_as_ever(tell: Tell) -> None:
    """With the upstream's own fields, and an error with its own status."""
    settings = replace(PATIENT, keepalive_comment_s=10.0)
    story = tell({"a": {"k1": [streams(TEXT, STOP)]}}, settings=settings)
    served = story.ask(stream=True)
    assert (served.channel, served.attempts) == ("a", 1)
    assert content(served.reply) == TEXT + STOP


def test_a_refusal_that_comes_in_time_keeps_its_status(tell: Tell) -> None:
    """Nobody could be tried: 503 at once, not within a stream."""
    story = tell({}, settings=PATIENT)
    with pytest.raises(ApiError) as refused:
        story.ask(stream=True)
    assert refused.value.status == 503


def test_a_client_that_leaves_meanwhile_ends_the_attempt(tell: Tell, go: threading.Event) -> None:
    """Its connection to the upstream is closed, and nobody is blamed."""
    closed = threading.Event()

    def waits(peer: Any) -> None:
        peer.wait_closed(30)
        closed.set()

    story = tell({"a": {"k1": [waits]}}, settings=PATIENT)
    body = story.ask(stream=True).reply.body
    assert next(iter(body)) == COMMENT
    body.close()
    wait_until(closed.is_set, "the attempt has ended", sleep=gevent.sleep)
    assert story.noted in ([], [("a", "client_gone")])


def test_an_answer_that_nobody_reads_is_closed(tell: Tell, go: threading.Event) -> None:
    """It came just as its client was given up."""
    story = tell({"a": {"k1": [late(streams(TEXT, STOP), go)]}}, settings=PATIENT)
    body = story.ask(stream=True).reply.body
    go.set()
    wait_until(lambda: body._asking.is_over, "it is answered", sleep=gevent.sleep)
    body.close()
    assert story.room.engine.calls.active == 0


def test_calls_that_are_no_streams_wait_in_silence(tell: Tell, go: threading.Event) -> None:
    """Nothing can be said before JSON."""
    story = tell({"a": {"k1": [late(fails(400), go)]}}, settings=PATIENT)
    gevent.spawn_later(0.2, go.set)
    assert story.ask().reply.status == 400
