"""A request's body that is read once and can be begun as often as needed; one that is too long for that, once.

Its first MiB stays in memory, the rest goes to a file without a name that ends with us. Files are read and written by
threads: a disk that is slow, or hangs, must hold up the one call and no other.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from app.core.errors import ClientFault
from app.core.wording import counted
from app.proxy.messages import BodyReader, RequestBody
from app.proxy.upstream.incoming import READ_BYTES
from app.wire.http.http1 import CHUNKED

MEMORY_BYTES = 1024 * 1024
SPOOL_BYTES = 1024 * 1024
"""So much is written to the file at once."""
MAX_THREADS = 8


class HeldBody:
    """To be closed when nobody will begin it any more."""

    def __init__(self) -> None:
        self.length = 0
        """Bytes, or CHUNKED where there is a rest whose end nobody knows."""
        self.held_bytes = 0
        self.rest: BodyReader | None = None
        """Where what was not held comes from, once."""
        self._memory = b""
        self._spool: _Spool | None = None

    @property
    def in_memory(self) -> bytes:
        """Its beginning, or all of it."""
        return self._memory

    def begin(self) -> RequestBody:
        """The body from its start; where there is a rest only once."""
        read = self._spool.reader() if self._spool is not None else None
        if self.rest is not None:
            return RequestBody(self.length, self._memory, _reader_of(read, self.rest))
        if read is None:
            return RequestBody(self.length, self._memory)
        return RequestBody(self.length, self._memory, read, self.begin)

    def bound(self, max_bytes: int) -> None:
        """Raises ClientFault when it is longer, and where nobody knows yet lets its rest raise that."""
        if self.length > max_bytes or self.held_bytes > max_bytes:
            raise too_large(max_bytes)
        if self.rest is not None and self.length == CHUNKED:
            self.rest = BoundedReader(self.rest, max_bytes - self.held_bytes)

    def content(self) -> bytes:
        """All of it."""
        body = self.begin()
        pieces = [body.at_hand]
        while body.read_more is not None and (piece := body.read_more(SPOOL_BYTES)):
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def fill(self, reader: BodyReader, max_bytes: int, memory_bytes: int, *, has_rest: bool) -> None:
        """Reads all of the body; of one that is too long `max_bytes` or little more, where it may have a rest.

        Raises ClientFault when it may not, and what the reader raises.
        """
        pieces: list[bytes] = []
        waiting_bytes = 0
        while piece := reader.read1(READ_BYTES):
            self.held_bytes += len(piece)
            pieces.append(piece)
            if self.held_bytes > max_bytes:
                if not has_rest:
                    raise too_large(max_bytes)
                if not reader.at_end:
                    self.rest = reader
                break
            waiting_bytes += len(piece)
            if waiting_bytes >= SPOOL_BYTES and self.held_bytes > memory_bytes:
                self._put(b"".join(pieces), memory_bytes)
                pieces, waiting_bytes = [], 0
            if reader.at_end:
                break
        self._put(pieces[0] if len(pieces) == 1 else b"".join(pieces), memory_bytes)
        self.length = self.held_bytes if self.rest is None else reader.length

    def _put(self, data: bytes, memory_bytes: int) -> None:
        if not self._memory and len(data) <= memory_bytes:
            self._memory = data
            return
        room = max(0, memory_bytes - len(self._memory))
        self._memory += data[:room]
        if len(data) > room:
            self._spool = self._spool or _Spool()
            self._spool.write(data[room:])


class _Spool:
    """The part of a body that lies in a file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        self._length = 0
        self._at_work: Any = None
        """The thread's latest task: a greenlet that is ended does not end it."""

    def write(self, data: bytes) -> None:
        self._await(_write_all, self._file.fileno(), data, self._length)
        self._length += len(data)

    def reader(self) -> Callable[[int], bytes]:
        """Reads from the start, at most so many bytes a call, b"" at the end."""
        position = 0

        def read(size: int) -> bytes:
            nonlocal position
            if position >= self._length:
                return b""
            data: bytes = self._await(os.pread, self._file.fileno(), size, position)
            position += len(data)
            return data

        return read

    def _await(self, act: Callable[..., Any], *arguments: Any) -> Any:
        self._at_work = _threads().spawn(act, *arguments)
        return self._at_work.get()

    def close(self) -> None:
        """Not under a thread that is at work: the file's number might be another file's by then."""
        if self._at_work is not None and not self._at_work.ready():
            self._at_work.rawlink(lambda _: self._file.close())
        else:
            self._file.close()


class HeldReader:
    """A held body from its start, once, as it would come from the client."""

    def __init__(self, held: HeldBody) -> None:
        self.length = held.length
        body = held.begin()
        self._at_hand = body.at_hand
        self._read_more = body.read_more

    @property
    def at_end(self) -> bool:
        return not self._at_hand and self._read_more is None

    def read1(self, size: int) -> bytes:
        """As BodyReader.read1."""
        data = self._at_hand[:size]
        if data:
            self._at_hand = self._at_hand[size:] if len(data) < len(self._at_hand) else b""
            return data
        if self._read_more is None:
            return b""
        data = self._read_more(size)
        if not data:
            self._read_more = None
        return data


def hold(reader: BodyReader, max_bytes: int, memory_bytes: int = MEMORY_BYTES, *, has_rest: bool = False) -> HeldBody:
    """Reads a body whole; with `has_rest` the beginning of one that is longer than `max_bytes`.

    Else raises ClientFault then; and what the reader raises.
    """
    held = HeldBody()
    try:
        held.fill(reader, max_bytes, memory_bytes, has_rest=has_rest)
    except BaseException:
        held.close()
        raise
    return held


def too_large(max_bytes: int) -> ClientFault:
    text = f"the request's body is longer than the {counted(max_bytes, 'byte')} allowed here"
    return ClientFault(413, "body_too_large", text)


class BoundedReader:
    """A body of unknown length that must not become longer than `max_bytes`."""

    def __init__(self, reader: BodyReader, max_bytes: int) -> None:
        self.length = reader.length
        self._reader = reader
        self._max_bytes = max_bytes
        self._left = max_bytes

    @property
    def at_end(self) -> bool:
        return self._reader.at_end

    def read1(self, size: int) -> bytes:
        """As BodyReader.read1. Raises ClientFault when more comes."""
        data = self._reader.read1(size)
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._max_bytes)
        return data


def _reader_of(read: Callable[[int], bytes] | None, rest: BodyReader) -> Callable[[int], bytes]:
    """Reads what is held in a file, where there is any, and then the rest."""
    held = read

    def read_more(size: int) -> bytes:
        nonlocal held
        if held is not None:
            data = held(size)
            if data:
                return data
            held = None
        return rest.read1(size)

    return read_more


def _write_all(fd: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        view, position = view[written:], position + written


@lru_cache(maxsize=1)
def _threads() -> Any:
    """Of this process; made when first asked for, as no thread outlives a fork."""
    from gevent.threadpool import ThreadPool  # 0.3 MB that most processes never need

    return ThreadPool(MAX_THREADS)
