"""A client that leaves a call to channels ends it in any phase: nothing goes on, and nothing stays taken."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from tests.support import provider as of
from tests.support.api_calls import TOKEN
from tests.support.said_answers import body_for, path_of
from tests.support.upstream import Peer
from tests.support.waiting import wait_until
from tests.support.world import World

LEFT_S = 0.1
"""Within so long the attempt's connection is closed."""

pytestmark = [
    pytest.mark.timing,
    pytest.mark.parametrize("dialect", ["openai", "anthropic"]),
]


def call(world: World, dialect: str, is_stream: bool) -> socket.socket:
    """A call's connection, on which nothing was read yet."""
    body = body_for(dialect, is_stream, "I shall leave")
    lines = [
        f"POST {path_of(dialect, is_stream)} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {TOKEN}",
        "Content-Type: application/json", f"Content-Length: {len(body)}",
    ]  # fmt: skip
    sock = world.gateway.connect()
    sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return sock


def gone(world: World) -> int:
    """How many calls ended so."""
    return world.gateway.settled_log().count("error=client_gone")


def holds(peer: Peer, asked: of.Asked) -> None:
    """Tells the moment at which all was said that comes, and then that at which the gateway left."""
    asked.answered.set()
    of.wait_closed(peer, asked)


def holds_at(peer: Peer, asked: of.Asked, begin: Callable[[Peer, of.Asked, Callable[[Peer], None]], None]) -> None:
    begin(peer, asked, partial(holds, asked=asked))


def talks_on(peer: Peer, asked: of.Asked) -> None:
    """Never stops to say tokens."""
    of.speaks(peer, asked, lambda peer: None, 1)
    asked.answered.set()
    with suppress(OSError):
        while True:
            peer.send_chunk(b": more\n\n")
            time.sleep(0.005)
    asked.closed_at = time.monotonic()


PHASES = {
    "before the head": (False, holds),
    "before the head of a stream": (True, holds),
    "in the half of a plain answer": (False, partial(holds_at, begin=of.opens)),
    "before a stream is good": (True, partial(holds_at, begin=of.opens)),
    "in a stream": (True, partial(holds_at, begin=of.speaks)),
    "in a stream that does not stop": (True, talks_on),
}


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("phase", PHASES)
def test_the_attempt_ends_at_once_and_no_other_begins(world: World, dialect: str, phase: str, attempt: int) -> None:
    """In the first attempt and in the one after a failed one. Nobody is blamed, and all places are free again."""
    is_stream, answer = PHASES[phase]
    limits = {"max_concurrency": 1, "key_max_concurrency": 1}
    gone_before = gone(world)
    ids = world.open("a", "b", "c", **limits)
    last = ["a", "b"][attempt - 1]
    world.provider.scripts["a"] = [of.fails(429, None, "Retry-After: 60")]
    world.provider.scripts[last] = [answer]
    with call(world, dialect, is_stream) as client:
        wait_until(lambda: len(world.provider.asked) == attempt, "the attempt has begun")
        asked = world.provider.asked[-1]
        assert asked.answered.wait(5)
        if phase.startswith("in a stream"):
            client.recv(100)
    left_s = time.monotonic()
    wait_until(lambda: asked.closed_at, "the attempt's connection is closed", pause_s=0.002)
    assert asked.closed_at - left_s < LEFT_S
    assert len(world.provider.asked) == attempt, "no other begins"
    assert gone(world) == gone_before + 1
    world.provider.scripts[last] = [of.good]
    id = ids[attempt - 1]
    assert not world.channel(id)["resting_until_ms"], "nobody is blamed"
    for _ in range(2):
        assert world.ask(dialect, is_stream).served_by[0] == last, "its places are free again"


def test_between_two_attempts(world: World, dialect: str) -> None:
    """Where an attempt fails just after its client has left, no other begins."""
    for _ in range(10):
        world.clear()
        world.open("a", "b")
        left = threading.Event()

        def fails_then(peer: Peer, asked: of.Asked, left: threading.Event = left) -> None:
            asked.answered.set()
            assert left.wait(5)
            of.fails(500)(peer, asked)

        world.provider.scripts["a"] = [fails_then]
        with call(world, dialect, True):
            wait_until(lambda: world.provider.asked, "the attempt has begun")
            assert world.provider.asked[0].answered.wait(5)
        left.set()
        world.gateway.settled_log()
        assert world.provider.tried == ["a sk-a-1"]
