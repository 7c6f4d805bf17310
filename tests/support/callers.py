"""Clients that call without a pause, each in a thread of its own, for as long as a block of a test goes on."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Callers(ABC):
    """`count` of them begin where the block does, and have ended where it ends."""

    def __init__(self, count: int) -> None:
        self.stopping = threading.Event()
        self._threads = [threading.Thread(target=self.call, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def call(self, number: int) -> None:
        """What one of them does, until `stopping` is set."""
