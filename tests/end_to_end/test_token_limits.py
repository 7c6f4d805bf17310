"""Limits of access tokens over four web processes: exact, also when processes are killed; changes reach all at once."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from tests.support import provider as of
from tests.support.said_answers import body_for, path_of, plain
from tests.support.tokens import Issued, add_token, change_token, delete_tokens
from tests.support.upstream import Peer
from tests.support.waiting import wait_until
from tests.support.world import World, open_world

PROCESSES = 4
CLIENTS = 16
SOON = object()
KNOWN_S = 1.0
"""Within so long a change is in force in all processes."""
BODY = body_for("openai", False, "hi")
PATH = path_of("openai", False)

pytestmark = [pytest.mark.own_server, pytest.mark.soak]


@pytest.fixture(scope="module")
def whole_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("redis"), WEB_CONCURRENCY=str(PROCESSES)) as world:
        yield world


@pytest.fixture
def world(whole_world: World) -> Iterator[World]:
    """One account, which answers at once, and which all processes know."""
    whole_world.open("one")
    whole_world.provider.scripts["one"] = [short]
    time.sleep(KNOWN_S)
    yield whole_world
    delete_tokens(whole_world.gateway)
    whole_world.clear()


def short(peer: Peer, asked: of.Asked) -> None:
    peer.answer(plain(asked.dialect, "hi"))


def status(world: World, token: Issued) -> int:
    """Of a call on a connection of its own, so of whichever process takes that."""
    return world.gateway.request("POST", PATH, BODY, token.bearer).status


def at_once(world: World, token: Issued, count: int) -> Counter[int]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(pool.map(lambda _: status(world, token), range(count)))


def test_a_change_is_in_force_in_every_process_within_a_second(world: World) -> None:
    """A new token, one that is disabled, limited, rotated, deleted."""
    token = add_token(world.gateway)
    time.sleep(KNOWN_S)
    assert at_once(world, token, 40) == {200: 40}
    for said, expected in [
        ({"enabled": False}, 401),
        ({"enabled": True}, 200),
        ({"models": ["other"]}, 403),
        ({"models": []}, 200),
        ({"expires_at_ms": SOON}, 401),
        ({"expires_at_ms": None}, 200),
    ]:
        if said.get("expires_at_ms") is SOON:
            said = {"expires_at_ms": int(time.time() * 1000) + 900}
        change_token(world.gateway, token, **said)
        time.sleep(KNOWN_S)
        assert at_once(world, token, 40) == {expected: 40}, said
    world.gateway.admin("POST", f"/api/tokens/{token.id}/rotate")
    time.sleep(KNOWN_S)
    assert at_once(world, token, 40) == {401: 40}


def test_a_minute_holds_just_so_many_calls(world: World) -> None:
    """No more, and all of them, whichever processes the calls come to."""
    token = add_token(world.gateway, requests_per_minute=50)
    time.sleep(KNOWN_S)
    found = Counter[int]()

    def is_full() -> bool:
        found.update(at_once(world, token, 75))
        return found[200] >= 50

    wait_until(is_full, "the minute is full", timeout_s=20)
    found += at_once(world, token, 75)
    assert found.keys() == {200, 429}
    assert found[200] == 50


@pytest.mark.timing
def test_no_call_is_refused_while_the_minute_has_room(world: World) -> None:
    """Processes that have it free give it up within the 25 ms for which one that lacks it asks."""
    token = add_token(world.gateway, requests_per_minute=50)
    time.sleep(KNOWN_S)
    assert at_once(world, token, 150) == {200: 50, 429: 100}


def test_a_kill_makes_no_room_in_the_minute(world: World) -> None:
    """What a killed process let in counts on."""
    token = add_token(world.gateway, requests_per_minute=30)
    time.sleep(KNOWN_S)
    let_in = at_once(world, token, 20)[200]
    assert let_in > 10
    kill_workers(world, 2)
    found = Counter[int]()
    for _ in range(4):
        found += at_once(world, token, 20)
    assert found[200] <= 30 - let_in
    assert found[200] + found[429] == 80


def kill_workers(world: World, count: int) -> None:
    pids = world.gateway.worker_pids()
    for pid in pids[:count]:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: (
            len(world.gateway.worker_pids()) == PROCESSES and not set(pids[:count]) & set(world.gateway.worker_pids())
        ),
        "others have taken their places",
        timeout_s=20,
    )
    time.sleep(KNOWN_S)


class Waiting:
    """An account whose answers wait, and calls to it."""

    def __init__(self, world: World) -> None:
        self.arrived = threading.Semaphore(0)
        self.release = threading.Event()
        world.provider.scripts["one"] = [self._answer]
        self._world = world

    def _answer(self, peer: Peer, asked: of.Asked) -> None:
        self.arrived.release()
        self.release.wait(40)
        short(peer, asked)

    def begin(self, token: Issued, count: int) -> list[http.client.HTTPConnection]:
        """So many calls that wait for their answer."""
        begun = []
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", self._world.gateway.port, timeout=60)
            connection.request("POST", PATH, BODY, token.bearer)
            assert self.arrived.acquire(timeout=5)
            begun.append(connection)
        return begun


def test_so_many_calls_at_once_over_all_processes(world: World) -> None:
    token = add_token(world.gateway, max_concurrency=6)
    time.sleep(KNOWN_S)
    waiting = Waiting(world)
    begun = waiting.begin(token, 6)
    assert at_once(world, token, 20) == {429: 20}
    waiting.release.set()
    for connection in begun:
        with closing(connection):
            assert connection.getresponse().status == 200
    wait_until(lambda: status(world, token) == 200, "there is room again")


def test_what_a_killed_process_held_is_free_within_twenty_seconds(world: World) -> None:
    """And until then nobody gets more than the rest."""
    token = add_token(world.gateway, max_concurrency=8)
    time.sleep(KNOWN_S)
    waiting = Waiting(world)
    begun = waiting.begin(token, 8)
    killed_s = time.monotonic()
    for pid in world.gateway.worker_pids():
        os.kill(pid, signal.SIGKILL)
    waiting.release.set()
    world.provider.scripts["one"] = [short]
    wait_until(lambda: answered(lambda: status(world, token) == 200), "a call is let in", timeout_s=20)
    assert time.monotonic() - killed_s < 20
    for connection in begun:
        connection.close()
    again = Waiting(world)
    begun = again.begin(token, 8)
    assert at_once(world, token, 8) == {429: 8}
    again.release.set()
    for connection in begun:
        with closing(connection):
            assert connection.getresponse().status == 200


def answered(act: Callable[[], bool]) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return act()
    return False
