"""How the operator's changes reach a process, whatever becomes of its connections to Redis."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from app.core.settings import Limits
from app.storage.catalog import POLL_S, Catalog
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.own_redis import poll

TARGET = "https://one.example"


class Wire:
    """Carries bytes between clients and a Redis, until those of a connection that has subscribed are to get lost."""

    def __init__(self, redis_path: str) -> None:
        self.subscriptions = 0
        self._redis_path = redis_path
        self._sockets: list[socket.socket] = []
        self._cut: set[int] = set()
        self._subscribed: set[int] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_subscribers(self) -> None:
        """From now on nothing passes on their connections, and neither end is told."""
        self._cut |= self._subscribed

    def close(self) -> None:
        self._listener.close()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._redis_path)
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(source, sink, number), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, number: int) -> None:
        try:
            while data := source.recv(65_536):
                if number in self._cut:
                    continue
                sink.sendall(data)
                if b"SUBSCRIBE" in data:
                    self._subscribed.add(number)
                    self.subscriptions += 1
        except OSError:
            pass
        if number not in self._cut:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire(own_server: EmbeddedRedis) -> Iterator[Wire]:
    wire = Wire(own_server.url.removeprefix("unix://"))
    yield wire
    wire.close()


def test_a_change_arrives_although_the_channel_died_in_silence(wire: Wire, own_redis: Redis) -> None:
    """A connection that a firewall forgot tells nobody: it is missed within a second, long before the poll's turn."""
    there, here = Catalog(own_redis, Limits()), Catalog(open_redis(wire.url), Limits())
    here.start()
    try:
        poll(lambda: wire.subscriptions == 1)
        there.add_mapping("/before", TARGET)
        poll(lambda: "/before" in here.snapshot.mappings)
        wire.lose_subscribers()
        there.add_mapping("/lost", TARGET)
        assert poll(lambda: "/lost" in here.snapshot.mappings) < POLL_S / 2
        poll(lambda: wire.subscriptions == 2)
        there.add_mapping("/heard", TARGET)
        assert poll(lambda: "/heard" in here.snapshot.mappings) < 0.4
    finally:
        here.stop()


def test_a_channel_that_lives_is_kept(wire: Wire, own_redis: Redis) -> None:
    """Silence alone is no reason to leave: one subscription lasts, and what comes on it is heard at once."""
    there, here = Catalog(own_redis, Limits()), Catalog(open_redis(wire.url), Limits())
    here.start()
    try:
        with pytest.raises(AssertionError, match="in vain"):
            poll(lambda: wire.subscriptions > 1, timeout_s=1.5)
        there.add_mapping("/heard", TARGET)
        assert poll(lambda: "/heard" in here.snapshot.mappings) < 0.4
    finally:
        here.stop()
