"""One call from its request to its event: every way in which it can end, in this process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

import gevent
import pytest

from app.client_gone import ClientGone
from app.core.errors import Busy, UpstreamFault
from app.core.failures import Failure
from app.core.statistics.events import RequestEvent
from app.proxy.messages import Reply
from tests.support.gateway import free_port
from tests.support.in_process import ENDPOINT, Client, EngineRoom, client, content, room, upstream
from tests.support.open_sockets import dialling
from tests.support.upstream import Peer, Upstream, echo, leaving_times
from tests.support.waiting import wait_until

__all__ = ["client", "room", "upstream"]


def figures(event: RequestEvent) -> tuple[int, str, int, int, int]:
    return event.status, event.error_code, event.request_bytes, event.response_bytes, event.attempts


def is_over(room: EngineRoom) -> bool:
    """Nothing is held of any call: no place, and none counts as active."""
    return room.slots.in_use(ENDPOINT) == 0 and room.engine.calls.active == 0


# --- calls that go well ---


def test_an_answer_is_told_of_once(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Status, fields and body come as they were sent; one event has the bytes of both sides."""
    client.buffer = b"hello"
    upstream.handler = lambda peer: (peer.read_request(), peer.answer(b"world!", "201 Made", "A: b\r\n"))[0] and None
    reply = room.call(upstream, client, "POST", length=5)
    assert (reply.status, reply.reason, dict(reply.headers)["A"]) == (201, "Made", "b")
    assert content(reply) == b"world!"
    reply.body.close()  # type: ignore[attr-defined]
    [event] = room.events
    assert len(event) == len(RequestEvent._fields)
    assert figures(event) == (201, "", 5, 6, 1)
    assert (event.endpoint, event.method, event.client) == (ENDPOINT, "POST", "192.0.2.1")
    assert event.upstream == f"127.0.0.1:{upstream.port}"
    assert 0 < (event.first_byte_ms or 0) <= event.duration_ms
    assert upstream.seen[0].body == b"hello"
    assert is_over(room)


def test_it_is_told_of_before_its_last_piece_leaves(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Whoever has the whole answer finds it counted."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        assert first_half_is_out.wait(5)
        peer.send(b"half")

    first_half_is_out = threading.Event()
    upstream.handler = handler
    reply = room.call(upstream, client)
    pieces = iter(reply.body)
    got = b""
    while len(got) < 4:
        got += next(pieces)
    assert not room.events
    first_half_is_out.set()
    while len(got) < 8:
        got += next(pieces)
    assert [event.response_bytes for event in room.events] == [8]
    reply.body.close()  # type: ignore[attr-defined]
    assert len(room.events) == 1


def test_ten_calls_share_a_connection(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Each that ends whole leaves its connection to the next, and has an event of its own."""
    for _ in range(10):
        content(room.call(upstream, client))
    assert [seen.connection for seen in upstream.seen] == [1] * 10
    assert [figures(event)[:2] for event in room.events] == [(200, "")] * 10
    assert dialling(os.getpid(), upstream.port) == 1


# --- calls that fail ---


def silent(peer: Peer) -> None:
    peer.read_request()
    peer.wait_closed()


def mute(peer: Peer) -> None:
    peer.read_request()


def garbage(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"SSH-2.0\r\n\r\n")
    peer.wait_closed()


def half_a_head(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (mute, Failure.NO_ANSWER),
        (half_a_head, Failure.HEAD_CUT_OFF),
        (garbage, Failure.NO_HTTP),
        (silent, Failure.FIRST_BYTE_TIMEOUT),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_an_error_before_the_head_is_raised(
    room: EngineRoom, upstream: Upstream, client: Client, handler: Callable[[Peer], None], failure: Failure
) -> None:
    """It is the row of the table; one event has its code, nothing is held, and the connection is closed."""
    upstream.handler = handler
    with pytest.raises(UpstreamFault) as fault:
        room.call(upstream, client, first_byte_timeout=0.05)
    assert fault.value.failure is failure
    assert [figures(event) for event in room.events] == [(failure.status, failure.code, 0, 0, 1)]
    assert is_over(room)
    wait_until(lambda: dialling(os.getpid(), upstream.port) == 0, "it is closed", sleep=gevent.sleep)


def test_an_upstream_that_nobody_is(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """A connection that is refused is one that should have been."""
    upstream.url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UpstreamFault) as fault:
        room.call(upstream, client)
    assert fault.value.failure is Failure.UNREACHABLE
    assert [figures(event) for event in room.events] == [(502, "upstream_unreachable", 0, 0, 1)]


def test_a_cut_in_the_body_breaks_it(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """What came goes on, then the body breaks; the event says how much that was and why."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    upstream.handler = handler
    reply = room.call(upstream, client)
    got: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        got.extend(reply.body)
    reply.body.close()  # type: ignore[attr-defined]
    assert b"".join(got) == b"half"
    assert [figures(event) for event in room.events] == [(200, "upstream_reset", 0, 4, 1)]
    assert is_over(room)


# --- clients that leave ---


def in_its_upload(room: EngineRoom, upstream: Upstream, client: Client) -> Reply:
    client.buffer = b"half"
    return room.call(upstream, client, "POST", length=1000, max_concurrency=1)


def before_the_head(room: EngineRoom, upstream: Upstream, client: Client) -> Reply:
    return room.call(upstream, client, max_concurrency=1)


@pytest.mark.parametrize("phase", [in_its_upload, before_the_head])
@pytest.mark.parametrize("leave", ["close", "half-close", "reset"])
def test_a_client_that_leaves_ends_its_call(
    room: EngineRoom, upstream: Upstream, client: Client, phase: Callable[..., Reply], leave: str
) -> None:
    """The upstream is let go, the place is free, and the one event blames nobody."""
    closed_at = leaving_times(upstream, lambda peer: peer.read_head() and None)
    calling = gevent.spawn(phase, room, upstream, client)
    wait_until(lambda: upstream.seen, "it is under way", sleep=gevent.sleep)
    assert room.slots.in_use(ENDPOINT) == 1
    if leave == "half-close":
        client.end.shutdown(socket.SHUT_WR)
    elif leave == "reset":
        client.end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    if leave != "half-close":
        client.leave()
    calling.join(timeout=5)
    assert isinstance(calling.value, ClientGone)
    [event] = room.events
    assert (event.status, event.error_code, event.response_bytes) == (499, "client_gone", 0)
    assert not event.is_error
    assert is_over(room)
    wait_until(lambda: closed_at, "the upstream sees it", sleep=gevent.sleep)


def test_a_client_that_leaves_in_the_body(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Who waits for the next piece is told; what had gone out is counted."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(b"data")
        peer.wait_closed()

    def read() -> None:
        reply = room.call(upstream, client, max_concurrency=1)
        try:
            got.extend(piece for piece in reply.body if piece)
        finally:
            reply.body.close()  # type: ignore[attr-defined]

    got: list[bytes] = []
    upstream.handler = handler
    reading = gevent.spawn(read)
    wait_until(lambda: got, "the first piece is out", sleep=gevent.sleep)
    client.leave()
    reading.join(timeout=5)
    assert isinstance(reading.value, ClientGone)
    assert [figures(event) for event in room.events] == [(200, "client_gone", 0, 4, 1)]
    assert is_over(room)


def test_a_body_that_nobody_reads_is_let_go(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """A server that could not even begin to send closes the body; that ends the call as well."""
    closed_at = leaving_times(
        upstream, lambda peer: (peer.read_request(), peer.begin_stream(), peer.send_chunk(b"data"))[0] and None
    )
    reply = room.call(upstream, client)
    reply.body.close()  # type: ignore[attr-defined]
    assert [(event.status, event.error_code) for event in room.events] == [(200, "client_gone")]
    assert is_over(room)
    wait_until(lambda: closed_at, "the upstream sees it", sleep=gevent.sleep)


# --- stale connections ---


def dying(peer: Peer) -> None:
    """The first connection answers once and closes when it is asked again; others go on."""
    if peer.number > 1:
        echo(peer)
        return
    peer.read_request()
    peer.answer()
    peer.read_request()


def test_a_stale_connection_is_replaced(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Its event counts both connections."""
    upstream.handler = dying
    content(room.call(upstream, client))
    content(room.call(upstream, client))
    assert [figures(event)[1:] for event in room.events] == [("", 0, 2, 1), ("", 0, room.events[1].response_bytes, 2)]
    assert [seen.connection for seen in upstream.seen] == [1, 1, 2]


def test_what_may_have_been_done_is_not_repeated(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """The row says that the upstream may have it; one connection was used."""
    upstream.handler = dying
    content(room.call(upstream, client))
    client.buffer = b"{}"
    with pytest.raises(UpstreamFault) as fault:
        room.call(upstream, client, "POST", length=2)
    assert fault.value.failure is Failure.STALE_WRITTEN
    assert figures(room.events[1]) == (502, "upstream_stale", 2, 0, 1)
    assert len(upstream.seen) == 2
    assert is_over(room)


# --- places, and the order of the end ---


def test_a_place_is_held_until_the_end(room: EngineRoom, upstream: Upstream, client: Client) -> None:
    """Not only until the head: another call is refused while the body goes on, and served afterwards."""

    def handler(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.begin_stream()
            peer.send_chunk(b"data")
            assert go_on.wait(5)
            peer.end_stream()

    go_on = threading.Event()
    upstream.handler = handler
    reply = room.call(upstream, client, max_concurrency=1)
    other = Client()
    with pytest.raises(Busy):
        room.call(upstream, other, max_concurrency=1)
    assert figures(room.events[0]) == (429, "upstream_busy", 0, 0, 0)
    go_on.set()
    assert content(reply) == b"data"
    assert content(room.call(upstream, other, max_concurrency=1)) == b"data"
    other.close()


@pytest.mark.parametrize("handler", [echo, mute])
def test_who_is_told_of_a_call_finds_nothing_of_it_held(
    room: EngineRoom, upstream: Upstream, client: Client, handler: Callable[[Peer], None]
) -> None:
    """The place and the connection are given back first, then the event goes out."""
    found: list[tuple[int, int]] = []

    def look(_event: RequestEvent) -> None:
        found.append((room.slots.in_use(ENDPOINT), room.engine.calls.active))

    room.engine.calls.observers.append(look)
    upstream.handler = handler
    try:
        content(room.call(upstream, client, max_concurrency=1))
    except UpstreamFault:
        assert handler is mute
    assert found == [(0, 0)]
