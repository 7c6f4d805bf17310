"""Bodies of calls to channels that are too long to be held: what is beyond that streams, once."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import pytest

from app.core.callers.access import ANONYMOUS
from app.core.errors import ApiError, ClientFault
from app.core.settings import Settings
from app.proxy.api import calls as api_calls
from app.proxy.api.calls import Served
from app.proxy.messages import Inbound
from app.servers.body import RequestInput
from app.wire.dialects.asked import dialect_of
from app.wire.http.http1 import CHUNKED
from tests.support.channel_story import GOOD, Story, Tell, answers
from tests.support.in_process import content

HELD = 4096
SETTINGS = Settings(replay_max_bytes=HELD)
BUSY = answers(503, b'{"error": {"message": "busy"}}')
LONG = json.dumps({"model": "m", "text": "x" * 300_000}).encode()


@pytest.fixture
def tell(tell: Tell) -> Tell:
    return partial(tell, settings=SETTINGS)


def ask(story: Story, body: bytes, *, chunked: bool = False, path: str = "/v1/chat/completions") -> Served:
    """The client sends its head, and then its body as fast as it is taken."""
    wire = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    threading.Thread(target=send, args=(story.client.end, wire), daemon=True).start()
    fields = [("Host", "g"), ("Content-Type", "application/json")]
    asked = dialect_of("POST", path, {})
    assert asked is not None
    reader = RequestInput(story.client, CHUNKED if chunked else len(body), expects_continue=False)
    inbound = Inbound("id", "POST", fields, "", reader, False, "192.0.2.1", None, "", None, story.client.sock)
    everybody = None, None
    return api_calls.ask(story.room.engine, inbound, asked, "", fields, story.snapshot, story, everybody, ANONYMOUS)


def send(end: Any, data: bytes) -> None:
    try:
        end.sendall(data)
    except OSError:
        pass  # the call was refused


@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_beyond_streams_on_with_the_channels_model(tell: Tell, chunked: bool) -> None:
    """Byte for byte, but for the model, and framed as it came."""
    story = tell({"a": {"k1": [GOOD]}})
    assert b"hi" in content(ask(story, LONG, chunked=chunked).reply)
    assert story.bodies == [LONG.replace(b'"m"', b'"m-of-a"')]
    [seen] = story.upstream.seen
    framing = (seen.field("content-length"), seen.field("transfer-encoding"))
    assert framing == ((None, "chunked") if chunked else (str(len(LONG) + 5), None))


def test_it_is_tried_once(tell: Tell) -> None:
    """Where what went out is gone there is nothing to try another with; a body that is held is tried again."""
    story = tell({"a": {"k1": [BUSY]}, "b": {"k2": [GOOD]}})
    assert ask(story, LONG).reply.status == 503
    assert story.tried == ["a k1"]
    story = tell({"a": {"k1": [BUSY]}, "b": {"k2": [GOOD]}})
    assert b"hi" in content(ask(story, b'{"model": "m"}').reply)


def test_a_model_that_has_not_come_by_then_is_refused(tell: Tell) -> None:
    """So is a channel that would have all of it edited; a file that is stored needs no model."""
    late = json.dumps({"text": "x" * 300_000, "model": "m"}).encode()
    story = tell({"a": {"k1": [GOOD]}})
    with pytest.raises(ClientFault) as refused:
        ask(story, late)
    assert (refused.value.status, refused.value.code, story.tried) == (413, "body_too_large", [])
    story = tell({"a": {"k1": [GOOD]}}, said={"body_rules": [{"action": "set", "path": "a", "value": 1}]})
    with pytest.raises(ClientFault) as refused:
        ask(story, LONG)
    assert (refused.value.status, refused.value.code, story.tried) == (413, "body_too_large", [])
    story = tell({"a": {"k1": [GOOD]}})
    content(ask(story, late, path="/v1/files").reply)
    assert story.bodies == [late]


def test_a_second_model_in_what_streams_ends_the_call(tell: Tell) -> None:
    """Nobody gets another model by naming one behind what is held."""
    twice = LONG[:-1] + b', "model": "other", "end": "' + b"y" * 300_000 + b'"}'
    story = tell({"a": {"k1": [GOOD]}})
    with pytest.raises(ApiError) as refused:
        ask(story, twice)
    assert (refused.value.status, refused.value.code, story.bodies) == (400, "invalid_json", [])
    assert story.room.engine.calls.active == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_the_longest_body_is_the_operators_to_say(tell: Tell, chunked: bool) -> None:
    """Of a channel; another that takes it may serve the call."""
    story = tell({"a": {"k1": [GOOD]}}, said={"options": {"max_body_bytes": 100_000}})
    with pytest.raises(ClientFault) as refused:
        ask(story, LONG, chunked=chunked)
    assert (refused.value.status, refused.value.code, story.bodies) == (413, "body_too_large", [])
