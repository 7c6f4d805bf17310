"""A request's body that is read once and can be begun as often as needed.

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

MEMORY_BYTES = 1024 * 1024
SPOOL_BYTES = 1024 * 1024
"""So much is written to the file at once."""
MAX_THREADS = 8


class HeldBody:
    """To be closed when nobody will begin it any more."""

    def __init__(self) -> None:
        self.length = 0
        self._memory = b""
        self._spool: _Spool | None = None

    @property
    def in_memory(self) -> bytes:
        """Its beginning, or all of it."""
        return self._memory

    def begin(self) -> RequestBody:
        """The body from its start."""
        if self._spool is None:
            return RequestBody(self.length, self._memory)
        return RequestBody(self.length, self._memory, self._spool.reader(), self.begin)

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

    def fill(self, reader: BodyReader, max_bytes: int, memory_bytes: int) -> None:
        """Reads all of the body. Raises ClientFault when it is too long, and what the reader raises."""
        pieces: list[bytes] = []
        waiting_bytes = 0
        while piece := reader.read1(READ_BYTES):
            self.length += len(piece)
            if self.length > max_bytes:
                raise too_large(max_bytes)
            pieces.append(piece)
            waiting_bytes += len(piece)
            if waiting_bytes >= SPOOL_BYTES and self.length > memory_bytes:
                self._put(b"".join(pieces), memory_bytes)
                pieces, waiting_bytes = [], 0
        self._put(b"".join(pieces), memory_bytes)

    def _put(self, data: bytes, memory_bytes: int) -> None:
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


def hold(reader: BodyReader, max_bytes: int, memory_bytes: int = MEMORY_BYTES) -> HeldBody:
    """Reads a body whole. Raises ClientFault when it is longer than `max_bytes`, and what the reader raises."""
    held = HeldBody()
    try:
        held.fill(reader, max_bytes, memory_bytes)
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
