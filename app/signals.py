"""The signals that reach `python -m app`, as things to wait for and to take in their order."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterator
from types import FrameType


class Interrupted(BaseException):
    """A signal came while we were waiting for something during the start."""


class Signals:
    """The signals that reached us, in order. Waits for more, or for the death of a child."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        for end_ in (self._reader, self._writer):
            end_.setblocking(False)
        self._came: list[int] = []
        self._interrupts = False
        self._at_terminal = os.isatty(0)

    def install(self) -> None:
        """From here on signals are ours."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, self._take)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(signal.SIGHUP, self._take)

    def wait(self, seconds: float) -> None:
        """Returns when something happened, at the latest after `seconds`."""
        ready, _, _ = select.select([self._reader], [], [], max(0.0, seconds))
        if ready:
            with contextlib.suppress(BlockingIOError):
                self._reader.recv(4096)

    def taken(self) -> list[int]:
        """The signals since the last call."""
        came, self._came = self._came, []
        return came

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Lets a stop signal break off what runs in the block, by Interrupted."""
        self._interrupts = True
        try:
            if self._came:
                raise Interrupted
            yield
        finally:
            self._interrupts = False

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return  # to be woken up is all we want of it
        if number == signal.SIGHUP and self._at_terminal and not os.isatty(0):
            number = signal.SIGTERM
        self._came.append(number)
        if self._interrupts and number != signal.SIGHUP:
            raise Interrupted
