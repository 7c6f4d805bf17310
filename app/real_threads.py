"""Threads that gevent does not see, for blocking C (a database, a disk): the loop goes on while they wait."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

SWITCH_S: Final = 0.0005
"""How long a thread may keep Python's lock once the loop wants it back. Streams would feel Python's usual 5 ms."""


class TooLate(Exception):
    """What a thread does has taken too long; it goes on, and nobody waits for it any more."""


class RealThreads:
    """So many, made when they are first needed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: Any = None

    def run(self, act: Callable[[], T], patience_s: float) -> T:
        """What `act` returns or raises, in one of the threads; this greenlet waits. Raises TooLate.

        A greenlet that is thrown something while it waits leaves the thread to itself.
        """
        import gevent  # here, because the worker knows its database by this module, too, and has no gevent
        from gevent.threadpool import ThreadPool

        if self._pool is None:
            sys.setswitchinterval(SWITCH_S)
            self._pool = ThreadPool(self._count)
        found = self._pool.apply_async(_caught, (act,))
        with gevent.Timeout(patience_s, TooLate()):
            result, error = found.get()
        if error is not None:
            raise error
        done: T = result
        return done


def _caught(act: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """An error is a value: gevent would print what a thread raises."""
    try:
        return act(), None
    except Exception as error:
        return None, error
