"""The log stays within its days and its bytes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from app.storage.sql import pruning
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.pruning import FOR_EVER, Limits, Pruner
from app.storage.sql.writing import write
from tests.support.databases import count, row, written
from tests.support.log_rows import NOON_MS

DAY_MS = 86_400_000
MUCH = 2**40


def put(database: WorkerDatabase, first: int, last: int, **changes: object) -> None:
    rows = [row(id, user_agent="x" * 200, **changes) for id in range(first, last + 1)]
    database.run(partial(write, parts=[rows]))


def test_rows_that_are_too_old_go(database: WorkerDatabase) -> None:
    """By the days that they are kept, in steps; -1 keeps them for ever."""
    put(database, 1, 3, at_ms=NOON_MS - 2 * DAY_MS)
    put(database, 4, 5, at_ms=NOON_MS - DAY_MS)
    put(database, 6, 6, at_ms=NOON_MS)
    pruner = Pruner(database)
    assert list(pruner.prune(Limits(FOR_EVER, MUCH), NOON_MS)) == []
    assert list(pruner.prune(Limits(1, MUCH), NOON_MS)) == [3]
    assert [id for id, _ in written(database)] == [4, 5, 6]
    assert pruner.bytes() > 0


def test_the_oldest_go_when_there_are_too_many(database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until what is left is within its bytes; and then the log stays as it is."""
    monkeypatch.setattr(pruning, "STEP_ROWS", 100)
    put(database, 1, 3_000)
    pruner = Pruner(database)
    limits = Limits(FOR_EVER, pruner.bytes() // 2)
    removed = list(pruner.prune(limits, NOON_MS))
    assert 1_000 < sum(removed) < 3_000
    assert max(removed) == 100
    assert [id for id, _ in written(database)] == list(range(sum(removed) + 1, 3_001))
    assert list(pruner.prune(limits, NOON_MS)) == []


def test_a_file_that_is_longer_than_it_may_be_gets_shorter(
    tmp_path: Path, file_database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its journal; and what was freed is used again, so it does not grow beyond."""
    monkeypatch.setattr(pruning, "STEP_ROWS", 100)
    database, pruner = file_database, Pruner(file_database)
    put(database, 1, 6_000)
    limits = Limits(FOR_EVER, pruner.bytes() // 2)
    list(pruner.prune(limits, NOON_MS))
    sizes = []
    for first in range(6_001, 12_001, 500):
        put(database, first, first + 499)
        if pruner.is_urgent(limits.max_bytes):
            list(pruner.prune(limits, NOON_MS))
        sizes.append((tmp_path / "gateway.db").stat().st_size)
    assert max(sizes) <= limits.max_bytes
    assert count(database) > 1_000


def test_a_log_that_is_empty_ends_the_pruning(database: WorkerDatabase) -> None:
    """However little it may take."""
    assert sum(Pruner(database).prune(Limits(0, 1), NOON_MS)) == 0
