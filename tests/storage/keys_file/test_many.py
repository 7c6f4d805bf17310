"""A file of very many lines: no call waits for it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from threading import get_ident

import pytest

from app import waiting
from tests.support.keys_file import Machine

LINES = 8_000
STEP_S = 0.015
"""CPU time of one step, where a machine is three times slower than one that takes 5 ms."""


@pytest.mark.timing
def test_it_is_taken_in_short_steps(new_machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether all its keys are new, one of them is, or half of them go. What a process does once is not judged."""
    one = new_machine()
    one.write("sk-first")
    one.look()
    steps: list[float] = []
    ours, began_s = get_ident(), 0.0

    def give_way() -> None:
        nonlocal began_s
        if get_ident() == ours:
            steps.append(time.thread_time() - began_s)
            began_s = time.thread_time()

    monkeypatch.setattr(waiting, "give_way", give_way)
    lines = [f"sk-proj-{number:044}" for number in range(LINES)]
    gc.collect()
    gc.disable()
    try:
        for said in (lines, [*lines, "sk-one-more"], lines[::2]):
            one.write(*said)
            steps.clear()
            began_s = time.thread_time()
            one.look()
            give_way()
            assert max(steps) < STEP_S
            assert one.pools.counts().total == len(said)
    finally:
        gc.enable()
