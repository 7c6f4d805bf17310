"""A file that others write, read by a thread of the system's: a disk may take its time, and calls wait for no disk."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from app.unpatched import unpatched

MAX_BYTES = 32 * 1024 * 1024
PATIENCE_S = 10.0
"""How long a disk may take."""
LOOK_S = 0.002

T = TypeVar("T")


class CannotRead(Exception):
    """Its text says why, as the end of a sentence that begins with the file's name."""


class NotThere(CannotRead):
    """There is no such file."""


class Mark(NamedTuple):
    """By which a change is noticed without reading."""

    inode: int
    size: int
    changed_at_ns: int


class Reading(NamedTuple):
    mark: Mark
    data: bytes
    digest: str


class WatchedFile:
    """Nothing here makes the caller's thread wait for the disk; under gevent its greenlet waits alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_busy = False

    def mark(self) -> Mark:
        """Raises CannotRead."""
        return self._in_a_thread(lambda: _mark_of(os.stat(self.path)))

    def read(self) -> Reading:
        """All that stands there now. Raises CannotRead, also where somebody writes it at this moment."""
        return self._in_a_thread(self._read)

    def _read(self) -> Reading:
        # A path that leads to a pipe would wait here for its writer.
        with open(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            before = _mark_of(os.fstat(file.fileno()))
            data = file.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise CannotRead(f"is larger than {MAX_BYTES >> 20} MiB")
            if _mark_of(os.fstat(file.fileno())) != before or before.size != len(data):
                raise CannotRead("is being written")
        return Reading(before, data, hashlib.sha256(data).hexdigest())

    def _in_a_thread(self, act: Callable[[], T]) -> T:
        """At most one thread at a time: of a disk that does not answer no more than one thread is lost."""
        if self._is_busy:
            raise CannotRead("cannot be read: the disk has not answered yet")
        done: list[T] = []
        failed: list[Exception] = []

        def run() -> None:
            try:
                done.append(act())
            except Exception as error:  # told by the thread that waits
                failed.append(error)
            finally:
                self._is_busy = False

        self._is_busy = True
        unpatched("_thread", "start_new_thread")(run, ())
        deadline_s = time.monotonic() + PATIENCE_S
        while not (done or failed):
            if time.monotonic() > deadline_s:
                raise CannotRead("cannot be read: the disk does not answer")
            time.sleep(LOOK_S)
        if done:
            return done[0]
        raise _told(failed[0]) from None


def _mark_of(found: os.stat_result) -> Mark:
    if not stat.S_ISREG(found.st_mode):
        raise CannotRead("is no file")
    return Mark(found.st_ino, found.st_size, found.st_mtime_ns)


def _told(error: Exception) -> Exception:
    if isinstance(error, FileNotFoundError):
        return NotThere("is not there")
    if isinstance(error, OSError):
        return CannotRead(f"cannot be read: {error.strerror}")
    return error
