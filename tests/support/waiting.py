"""How tests wait: for a condition, never for luck."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(
    condition: Callable[[], Any],
    what: str,
    timeout_s: float = 10.0,
    pause_s: float = 0.01,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """The condition's first true value. Fails when there is none in time; it is looked at once more at the end.

    Greenlets of this process run meanwhile where `sleep` is gevent's.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        is_over = time.monotonic() >= deadline
        if value := condition():
            return value
        if is_over:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        sleep(pause_s)


class Waits:
    """In place of the event that ends a thread's loop: how long it was asked to wait each time; the last is the end."""

    def __init__(self, count: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.asked_s: list[float] = []
        self._count = count
        self._meanwhile = meanwhile

    def wait(self, seconds: float) -> bool:
        self.asked_s.append(seconds)
        if len(self.asked_s) == self._count:
            return True
        self._meanwhile()
        return False
