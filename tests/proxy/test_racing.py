"""Of a name's addresses the first that answers is used, and a silent one costs a moment only."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import gevent
import pytest

from app.proxy.upstream.racing import ATTEMPT_DELAY_S, AddressInfo, alternated, connect_first
from tests.support.open_sockets import dialling

pytestmark = pytest.mark.timing


def at(listener: socket.socket) -> AddressInfo:
    return (listener.family, socket.SOCK_STREAM, 6, "", listener.getsockname())


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


@contextmanager
def black_hole() -> Iterator[socket.socket]:
    """A listener whose queue is full: the kernel throws away what else knocks."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full


def refusing() -> AddressInfo:
    with listening() as listener:
        return at(listener)


def knocking_at(*listeners: socket.socket) -> int:
    """How many connections this process has or wants there, the ones that fill a queue included."""
    gevent.sleep(0.001)  # the loop closes what it is done with, and its clock is right
    return sum(dialling(os.getpid(), listener.getsockname()[1]) for listener in listeners)


def test_a_silent_address_costs_a_moment() -> None:
    """The next address is tried after 250 ms, and nothing of the silent one is left behind."""
    with black_hole() as silent, listening() as good:
        before = knocking_at(silent)
        started = time.monotonic()
        with connect_first([at(silent), at(good)]) as sock:
            assert sock.getpeername() == good.getsockname()
            assert ATTEMPT_DELAY_S / 2 < time.monotonic() - started < 4 * ATTEMPT_DELAY_S
        assert knocking_at(silent) == before


def test_a_slow_address_goes_on_trying() -> None:
    """An address that is late is not given up for the next one, which may be worse."""
    with black_hole() as slow, black_hole() as silent:
        attempt = gevent.spawn(connect_first, [at(slow), at(silent)])
        gevent.sleep(2 * ATTEMPT_DELAY_S)
        slow.settimeout(0)
        while not attempt.ready():  # makes room: the kernel's next knock, a second after the first, is heard
            with suppress(BlockingIOError):
                slow.accept()[0].close()
            gevent.sleep(0.01)
        with attempt.get() as sock:
            assert sock.getpeername() == slow.getsockname()


def test_a_refusal_costs_nothing() -> None:
    """An address that refuses makes room for the next at once."""
    with listening() as good:
        started = time.monotonic()
        with connect_first([refusing(), refusing(), at(good)]) as sock:
            assert sock.getpeername() == good.getsockname()
        assert time.monotonic() - started < ATTEMPT_DELAY_S


@pytest.mark.parametrize("count", [1, 3])
def test_all_that_refuse_are_an_error(count: int) -> None:
    """When no address takes the connection the last one's error is raised."""
    with pytest.raises(ConnectionRefusedError):
        connect_first([refusing() for _ in range(count)])


def test_who_gives_up_leaves_nothing_behind() -> None:
    """A timeout, or a client that leaves, ends every attempt."""
    with black_hole() as one, black_hole() as two:
        before = knocking_at(one, two)
        with pytest.raises(gevent.Timeout), gevent.Timeout(2 * ATTEMPT_DELAY_S):
            connect_first([at(one), at(two)])
        assert knocking_at(one, two) == before


def test_the_families_take_turns() -> None:
    """With IPv6 broken, the second attempt is an IPv4 one; within a family the resolver's order stays."""
    six, four = socket.AF_INET6, socket.AF_INET
    given = [(family, number) for family, number in ((six, 1), (six, 2), (six, 3), (four, 4), (four, 5))]
    assert [number for _, number in alternated(given)] == [1, 4, 2, 5, 3]
