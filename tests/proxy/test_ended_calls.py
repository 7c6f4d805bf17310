"""The operator ends a call, wherever it stands: its client is told, its upstream let go, and nobody is blamed."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from app.core.errors import EndedByOperator
from app.core.request_log.making import rows_of
from app.core.settings import Settings
from app.proxy.running import RunningCalls
from app.wire.dialects.mapped import mapped
from tests.support.channel_story import TEXT, Tell
from tests.support.in_process import Client, EngineRoom, client, content, room, upstream
from tests.support.upstream import Peer, Upstream, leaving_times
from tests.support.waiting import wait_until

__all__ = ["client", "room", "upstream"]

PATIENT = Settings(keepalive_comment_s=0.05, keepalive_before_commit=True)


def end(room: EngineRoom) -> None:
    """Ends the one call that goes on."""
    wait_until(lambda: room.engine.calls.active == 1, "it goes on", sleep=gevent.sleep)
    assert RunningCalls(room.engine.calls).end("id")


def told_of(room: EngineRoom) -> tuple[int, str, str]:
    """Status and code of the one event, and the outcome of its final row; nothing is left of the call."""
    [event] = room.events
    assert not event.is_error
    assert room.engine.calls.active == 0
    assert room.slots.in_use("/up") == 0
    return event.status, event.error_code, rows_of(event, event.ended_at_ms)[-1].outcome


def read_until_ended(room: EngineRoom, ask: Callable[[], Any], got: list[bytes]) -> Any:
    """A greenlet that reads an answer, which is ended behind its first piece."""

    def read() -> None:
        reply = ask()
        try:
            got.extend(piece for piece in reply.body if piece)
        finally:
            reply.body.close()

    reading = gevent.spawn(read)
    wait_until(lambda: got, "the first piece is out", sleep=gevent.sleep)
    end(room)
    return reading


def waits_for_its_head(room: EngineRoom, upstream: Upstream, client: Client) -> Any:
    return room.call(upstream, client, max_concurrency=1)


def uploads(room: EngineRoom, upstream: Upstream, client: Client) -> Any:
    client.buffer = b"half"
    return room.call(upstream, client, "POST", length=1000, max_concurrency=1)


@pytest.mark.parametrize("phase", [waits_for_its_head, uploads])
def test_before_the_commit_it_is_503(
    room: EngineRoom, upstream: Upstream, client: Client, phase: Callable[..., Any]
) -> None:
    closed_at = leaving_times(upstream, lambda peer: peer.read_head() and None)
    calling = gevent.spawn(phase, room, upstream, client)
    wait_until(lambda: upstream.seen, "it is under way", sleep=gevent.sleep)
    end(room)
    with pytest.raises(EndedByOperator) as ended:
        calling.get(timeout=5)
    assert (ended.value.status, ended.value.code, ended.value.is_final) == (503, "ended_by_operator", True)
    wait_until(lambda: closed_at, "the upstream sees it", sleep=gevent.sleep)
    assert told_of(room) == (503, "ended_by_operator", "ended")


def test_while_its_client_sends_nothing_it_is_503(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Nobody was asked yet."""
    calling = gevent.spawn(room.call, upstream, client, "POST", length=1000)
    end(room)
    with pytest.raises(EndedByOperator):
        calling.get(timeout=5)
    assert told_of(room) == (503, "ended_by_operator", "ended")
    assert upstream.connections == 0


def test_an_answer_that_nobody_reads_the_meaning_of_breaks(
    room: EngineRoom, upstream: Upstream, client: Client
) -> None:
    """What came stays; behind it the body breaks visibly. The status is what the client was told."""
    closed_at = leaving_times(
        upstream, lambda peer: (peer.read_request(), peer.begin_stream(), peer.send_chunk(b"data"))[0] and None
    )
    got: list[bytes] = []
    reading = read_until_ended(room, lambda: room.call(upstream, client, max_concurrency=1), got)
    with pytest.raises(ConnectionResetError):
        reading.get(timeout=5)
    wait_until(lambda: closed_at, "the upstream sees it", sleep=gevent.sleep)
    assert got == [b"data"]
    assert told_of(room) == (200, "ended_by_operator", "ended")


@pytest.mark.parametrize("coding", ["", "Content-Encoding: gzip\r\n"])
def test_a_metered_stream_of_a_mapping_is_ended_in_band(
    room: EngineRoom, upstream: Upstream, client: Client, coding: str
) -> None:
    """Unless it is compressed: nothing can be put into that, and it breaks."""
    piece = gzip.compress(TEXT) if coding else TEXT

    def answer(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream(f"Content-Type: text/event-stream\r\n{coding}")
        peer.send_chunk(piece)
        peer.wait_closed()

    upstream.handler = answer
    asked = mapped("POST", "/v1/chat/completions", False)
    got: list[bytes] = []
    reading = read_until_ended(room, lambda: room.call(upstream, client, "POST", metered=asked), got)
    if coding:
        with pytest.raises(ConnectionResetError):
            reading.get(timeout=5)
        assert got == [piece]
    else:
        reading.get(timeout=5)
        assert got[0] == TEXT
        assert error_in(got[1])["error"]["code"] == "ended_by_operator"
    assert told_of(room) == (200, "ended_by_operator", "ended")


def test_a_call_that_has_ended_is_none(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Also one that ends by itself before its turn to be ended comes: its connection serves others."""
    go = threading.Event()
    upstream.handler = lambda peer: (peer.read_request(), go.wait(5), peer.answer())[0] and None
    calling = gevent.spawn(lambda: content(room.call(upstream, client)))
    wait_until(lambda: room.engine.calls.active, "it goes on", sleep=gevent.sleep)
    [call] = room.engine.calls.running
    go.set()
    calling.get(timeout=5)
    call.break_in()
    assert not RunningCalls(room.engine.calls).end("id")
    assert [event.error_code for event in room.events] == [""]


# --- calls to channels ---


def holds(peer: Peer) -> None:
    peer.wait_closed()
    peer.is_over = True  # type: ignore[attr-defined]


def begins(peer: Peer) -> None:
    peer.begin_stream()
    peer.send_chunk(TEXT)
    holds(peer)


def error_in(event: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(event.split(b"data: ", 1)[1].split(b"\n")[0])
    return data


def test_an_attempt_is_ended_and_no_other_is_made(tell: Tell) -> None:
    """The attempt is noted as ended, which keeps nobody from being chosen."""
    story = tell({"a": {"k1": [holds]}, "b": {"k2": [holds]}})
    calling = gevent.spawn(story.ask)
    wait_until(lambda: story.tried, "it is under way", sleep=gevent.sleep)
    end(story.room)
    with pytest.raises(EndedByOperator):
        calling.get(timeout=5)
    assert story.noted == [("a", "ended")]
    assert told_of(story.room) == (503, "ended_by_operator", "ended")


@pytest.mark.parametrize(
    ("dialect", "kind"), [("openai", "server_error"), ("anthropic", "api_error"), ("responses", "server_error")]
)
def test_a_stream_that_was_begun_with_comments_is_ended_in_band(tell: Tell, dialect: str, kind: str) -> None:
    """Nobody has answered yet. Of the types that Anthropic's has the one that is not tried again."""
    story = tell({"a": {"k1": [holds]}}, dialect=dialect, settings=PATIENT)
    body = story.ask(stream=True).reply.body
    pieces = iter(body)
    assert next(pieces).startswith(b":")
    end(story.room)
    rest = b"".join(pieces)
    body.close()  # type: ignore[attr-defined]
    assert kind in json.dumps(error_in(rest))
    assert told_of(story.room) == (503, "ended_by_operator", "ended")


def test_a_stream_is_ended_in_band(tell: Tell) -> None:
    story = tell({"a": {"k1": [begins]}})
    got: list[bytes] = []
    read_until_ended(story.room, lambda: story.ask(stream=True).reply, got).get(timeout=5)
    assert got[0] == TEXT
    assert error_in(got[1])["error"]["code"] == "ended_by_operator"
    assert story.noted == [("a", "ended")]
    assert told_of(story.room) == (200, "ended_by_operator", "ended")


# --- what is told of those that go on ---


def test_who_is_asked_now_is_told(tell: Tell) -> None:
    """With how many were tried, before anybody has answered; nothing of it stays in the way of the end."""
    story = tell({"a": {"k1": [lambda peer: peer.answer(b"{}", "500 No")]}, "b": {"k2": [holds]}})
    running = RunningCalls(story.room.engine.calls)
    calling = gevent.spawn(story.ask)
    wait_until(lambda: len(story.tried) == 2, "the second is asked", sleep=gevent.sleep)
    [call] = running.older_than(0.0, set())
    event = json.loads(running.entry(call) or b"")
    assert (event[0], event[4], event[9], event[13]) == ("id", 0, None, 2)
    assert event[16][0] == "b"
    end(story.room)
    calling.join(timeout=5)
    assert [one.channel for one in rows_of(story.room.events[0], 0)] == ["a", "b"]
    assert running.entry(call) is None


def test_looking_for_calls_begins_where_the_last_look_ended(
    room: EngineRoom, upstream: Upstream, client: Client
) -> None:
    """Of very many that go on, those that are known are not looked at again."""
    running, calls = RunningCalls(room.engine.calls), room.engine.calls
    others = [Client() for _ in range(3)]
    for other in others:
        gevent.spawn(room.call, upstream, other, "POST", length=9)
        gevent.sleep(0.02)
    wait_until(lambda: calls.active == 3, "they go on", sleep=gevent.sleep)
    first, second, third = calls.running
    assert running.older_than(0.0, set()) == [first, second, third]
    third.started_s = time.monotonic() + 100
    assert running.older_than(0.0, set()) == [first, second]
    assert running.before(running.place_of(third), 1) == [second]
    for other in others:
        other.leave()
    wait_until(lambda: calls.active == 0, "they have ended", sleep=gevent.sleep)
    for other in others:
        other.close()
