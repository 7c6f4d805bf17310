"""How long others wait for their turn while long work is done in steps."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest


@contextmanager
def steps_of(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> Iterator[list[float]]:
    """CPU time in seconds between two moments when the `give_way` of these modules was called, from here to the end."""
    took: list[float] = []
    gc.collect()
    gc.disable()
    began_s = time.thread_time()

    def give_way() -> None:
        nonlocal began_s
        took.append(time.thread_time() - began_s)
        began_s = time.thread_time()

    for module in modules:
        monkeypatch.setattr(module, "give_way", give_way)
    yield took
    gc.enable()
