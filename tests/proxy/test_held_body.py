"""A body is read once and begun as often as needed."""

from __future__ import annotations

import gc
import os
import random
import threading
from pathlib import Path

import gevent
import pytest

from app.core.errors import ClientFault
from app.core.network.egress import EgressPolicy, parse_entries
from app.core.routing import parse_mapping
from app.proxy import held_body
from app.proxy.held_body import MEMORY_BYTES, hold
from app.proxy.messages import RequestBody
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.wire.http.http1 import CHUNKED
from tests.support.upstream import Peer, Upstream, echo

MIB = 1024 * 1024


class Source:
    """A body that comes in pieces of all sizes, or breaks off."""

    def __init__(self, data: bytes, *, breaks_at: int | None = None) -> None:
        self.length = CHUNKED
        self._data = data
        self._breaks_at = breaks_at
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._position >= len(self._data)

    def read1(self, size: int) -> bytes:
        if self._breaks_at is not None and self._position >= self._breaks_at:
            raise ConnectionResetError("gone")
        piece = self._data[self._position : self._position + random.randint(1, size)]
        self._position += len(piece)
        return piece


def read(body: RequestBody, size: int = 64 * 1024) -> bytes:
    pieces = [body.at_hand]
    while body.read_more is not None and (piece := body.read_more(size)):
        pieces.append(piece)
    return b"".join(pieces)


def open_files() -> int:
    return sum("deleted" in os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())


@pytest.mark.parametrize("length", [0, 1, MEMORY_BYTES, MEMORY_BYTES + 1, 3 * MIB + 17])
def test_a_body_begins_again_and_again(length: int) -> None:
    """Every beginning gives the same bytes from the start, and several may be under way at once."""
    data = random.randbytes(length)
    held = hold(Source(data), 8 * MIB)
    try:
        first, second = held.begin(), held.begin()
        assert (first.length, held.length) == (length, length)
        assert read(first, 1000 if length < 2 * MIB else 64 * 1024) == read(second) == held.content() == data
        again = first.again()
        assert again is not None
        assert read(again) == data
    finally:
        held.close()


def test_memory_is_bounded() -> None:
    """What is beyond the first MiB lies in a file, which nobody else sees and which ends with the body."""
    before = open_files()
    held = hold(Source(random.randbytes(4 * MIB)), 8 * MIB)
    assert (len(held.begin().at_hand), open_files()) == (MEMORY_BYTES, before + 1)
    held.close()
    assert open_files() == before


def test_a_body_that_is_too_long_is_refused_and_leaves_nothing() -> None:
    """The bound holds for what comes, not for what was announced; no file stays behind, nor when the client leaves."""
    before = open_files()
    with pytest.raises(ClientFault) as refusal:
        hold(Source(bytes(3 * MIB)), 2 * MIB)
    assert (refusal.value.status, refusal.value.code) == (413, "body_too_large")
    with pytest.raises(ConnectionResetError):
        hold(Source(bytes(4 * MIB), breaks_at=3 * MIB), 8 * MIB)
    gc.collect()
    assert open_files() == before


def test_a_disk_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others run while a file is written, and a call that ends meanwhile does not close the file under the thread."""
    writing, may_write = threading.Event(), threading.Event()
    wrote: list[int] = []
    write_all = held_body._write_all

    def slow(fd: int, data: bytes, position: int) -> None:
        writing.set()
        assert may_write.wait(10)
        write_all(fd, data, position)  # fails where the file is closed
        wrote.append(len(data))

    monkeypatch.setattr(held_body, "_write_all", slow)
    before = open_files()
    greenlet = gevent.spawn(hold, Source(bytes(3 * MIB)), 8 * MIB)
    while not writing.is_set():
        gevent.sleep(0.001)
    greenlet.kill()
    assert (wrote, open_files()) == ([], before + 1)
    may_write.set()
    with gevent.Timeout(10):
        while open_files() > before:
            gevent.sleep(0.001)
    assert len(wrote) == 1


def test_a_held_body_is_sent_again_where_a_kept_connection_had_ended() -> None:
    """However long: a request that may be repeated is, with its whole body, though some of it had been taken."""

    def handler(peer: Peer) -> None:
        if peer.number == 1:
            peer.read_request()
            peer.answer(b"first")
            peer.read_head()
            return
        echo(peer)

    upstream = Upstream(handler=handler)
    transport = Transport(Dialer(EgressPolicy(parse_entries("127.0.0.1")), OwnAddress("127.0.0.1", 0)))
    address = parse_mapping("/up", upstream.url).upstream
    data = random.randbytes(3 * MIB)
    held = hold(Source(data), 8 * MIB)
    try:
        for body in (RequestBody(0), held.begin()):
            fields = [("Host", "a"), ("Idempotency-Key", "1")]
            exchange = transport.send(OutboundRequest(address, "POST", "/x", fields, body))
            while exchange.read1():
                pass
        assert [(seen.connection, seen.body == data) for seen in upstream.seen[-1:]] == [(2, True)]
    finally:
        held.close()
        transport.close()
        upstream.close()
