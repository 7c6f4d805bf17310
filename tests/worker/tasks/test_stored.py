"""A task has not ended before what was observed of keys is stored."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from worker.tasks import key_batches
from worker.tasks.key_batches import wait_until_stored


def running(dirty: dict[int, None]) -> Any:
    return SimpleNamespace(gateway=SimpleNamespace(choosing=SimpleNamespace(health=SimpleNamespace(dirty=dirty))))


def test_it_is_waited_for_as_long_as_it_becomes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes in all: on a busy machine 100,000 keys take minutes."""
    monkeypatch.setattr(key_batches, "STORED_S", 30.0)
    began_s = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: began_s + 100 * (time.monotonic() - began_s), sleep=time.sleep)
    monkeypatch.setattr(key_batches, "time", clock)
    dirty = dict.fromkeys(range(12))

    def store() -> None:
        while dirty:
            time.sleep(0.1)
            dirty.popitem()

    thread = threading.Thread(target=store)
    thread.start()
    wait_until_stored(running(dirty))
    assert not dirty
    thread.join()


def test_while_redis_is_away_it_is_not_waited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing becomes less then."""
    monkeypatch.setattr(key_batches, "STORED_S", 0.2)
    wait_until_stored(running(dict.fromkeys(range(3))))
