"""What becomes of a call to channels when the time is over that its caller allows."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from app.core.errors import ApiError
from app.core.settings import Settings
from tests.support.channel_story import GOOD, TEXT, Tell, streams
from tests.support.in_process import content

END = b"data: [DONE]\n\n"


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Ends what upstreams wait for."""
    event = threading.Event()
    yield event
    event.set()


def silent(over: threading.Event) -> Callable[[Any], None]:
    def answer(peer: Any) -> None:
        over.wait(10)
        peer.is_over = True

    return answer


@pytest.fixture
def tell(tell: Tell) -> Tell:
    return partial(tell, settings=Settings())


@pytest.mark.parametrize("field", ["x-stainless-read-timeout", "X-Server-Timeout"])
def test_no_answer_in_the_callers_time_is_nobodys_fault(tell: Tell, over: threading.Event, field: str) -> None:
    """504, at the caller's time, no other channel is asked, and none rests for it."""
    story = tell({"a": {"k1": [silent(over)]}, "b": {"k2": [GOOD]}})
    began_s = time.monotonic()
    with pytest.raises(ApiError) as told:
        story.ask(fields=[(field, "0.2")])
    assert 0.15 < time.monotonic() - began_s < 3
    assert (told.value.status, told.value.code) == (504, "total_timeout")
    assert "0.2 s" in told.value.message
    assert (story.tried, story.noted) == (["a k1"], [("a", "client_gone")])


def test_an_answer_that_has_begun_may_take_longer(tell: Tell, over: threading.Event) -> None:
    """SDKs bound the silence before an answer, not the whole of it."""

    def slow(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(TEXT)
        over.wait(0.5)
        peer.send_chunk(END)
        peer.end_stream()

    story = tell({"a": {"k1": [slow]}})
    served = story.ask(stream=True, fields=[("x-stainless-timeout", "0.2")])
    assert content(served.reply) == TEXT + END
    assert story.noted == [("a", "ok")]


def test_a_whole_call_may_be_bounded(tell: Tell, over: threading.Event) -> None:
    """A stream that goes on beyond it ends with an error event, for which no channel is to blame."""

    def endless(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(TEXT)
        over.wait(10)
        peer.is_over = True

    story = tell({"a": {"k1": [endless]}})
    body = content(story.ask(stream=True, fields=[("x-timeout-ms", "300")]).reply)
    assert body.startswith(TEXT)
    assert json.loads(body[len(TEXT) :].strip().removeprefix(b"data: "))["error"]["code"] == "total_timeout"
    assert story.noted == [("a", "client_gone")]


def test_a_call_in_time_is_as_any(tell: Tell) -> None:
    story = tell({"a": {"k1": [streams(TEXT, END)]}})
    fields = [("x-stainless-timeout", "600"), ("x-timeout-ms", "600000")]
    assert content(story.ask(stream=True, fields=fields).reply) == TEXT + END
