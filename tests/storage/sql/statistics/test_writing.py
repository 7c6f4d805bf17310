"""Sums are bounded, whoever chooses the names; what is too old goes."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.statistics.ranges import Range
from app.core.statistics.sums import rooms
from app.core.statistics.sums.cells import COST, HOUR_MS, REQUESTS, USAGE
from app.core.statistics.sums.question import Question
from app.core.statistics.sums.rooms import OTHER
from app.core.statistics.sums.spans import HOURS_KEPT_MS, QUARTERS_KEPT_MS
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.statistics import reading, tables, writing
from app.storage.sql.statistics.pruning import prune
from tests.support.databases import add_rows, row
from tests.support.log_rows import NOON_MS

HOUR_OF_NOON_MS = NOON_MS - NOON_MS % HOUR_MS


def held(database: WorkerDatabase, *names: str) -> list[int]:
    """How many rows these tables have."""
    counts = [select(func.count()).select_from(getattr(tables, name)) for name in names]
    return [database.run(lambda one, asked=asked: one.scalar(asked), writes=False) for asked in counts]


def test_made_up_models_fill_neither_the_disk_nor_the_room_of_others(
    database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All calls are counted; the log says once an hour what happens."""
    monkeypatch.setattr(rooms, "ROOMS", (20, 30, 40))
    monkeypatch.setattr(rooms, "ROOM_OF_REFUSED", 5)
    monkeypatch.setattr(writing, "_told_of", set())
    refused = {"attempt": 0, "outcome": "refused", "channel_id": ""}
    made_up = [row(id, model=f"made-up-{id}", at_ms=NOON_MS, **refused) for id in range(1, 301)]
    sent = [row(id, model=f"real-{id % 10}", at_ms=NOON_MS) for id in range(301, 401)]
    with caplog.at_level(logging.WARNING):
        for at in range(0, 300, 50):
            database.run(partial(add_rows, rows=made_up[at : at + 50]))
        database.run(partial(add_rows, rows=sent))
    assert held(database, "hours", "quarters", "cells") == [16, 16, 16]
    asked = Question(Range(HOUR_OF_NOON_MS, HOUR_OF_NOON_MS + HOUR_MS), NOON_MS, ("model",))
    found = database.run(lambda one: reading.sums(one, asked), writes=False)
    counts = {group[0]: sum.numbers[0] for group, _, sum in found.groups}
    assert (counts[OTHER], counts["real-3"], sum(counts.values())) == (295, 10, 400)
    assert caplog.text.count("are full") == 1


@pytest.mark.parametrize(
    "nonsense",
    ["requests = 'many'", "requests = -5", "cost_nano = 9223372036854775807", "bins = 'text'"],
)
def test_a_sum_that_makes_no_sense_begins_anew_and_is_told(
    file_database: WorkerDatabase, caplog: pytest.LogCaptureFixture, nonsense: str
) -> None:
    """Else none of its cell's rows could be written, and each would look as if it were to blame."""
    rows = [row(1, cost_nano=5)]
    file_database.run(partial(add_rows, rows=rows))
    file_database.run(lambda one: one.exec_driver_sql(f"UPDATE gateway_stat_hours SET {nonsense}"))
    file_database.run(partial(add_rows, rows=rows))
    assert caplog.text.count("made no sense, and begins anew") == 1
    file_database.run(partial(add_rows, rows=rows))
    asked = Question(Range(HOUR_OF_NOON_MS, HOUR_OF_NOON_MS + HOUR_MS), NOON_MS)
    assert file_database.run(lambda one: reading.sums(one, asked), writes=False).totals.numbers[0] == 2


@pytest.mark.parametrize(
    ("odd", "input"),
    [({"usage": [-(10**9), 0, 0, 0, 5, None, "reported", {}]}, 110), ({"cost_nano": -(1 << 62)}, 120)],
    ids=["usage", "cost"],
)
def test_an_odd_row_takes_nothing_from_what_is_stored(
    file_database: WorkerDatabase, caplog: pytest.LogCaptureFixture, odd: dict[str, Any], input: int
) -> None:
    """What is less than nothing counts as nothing."""
    for number in range(10):
        file_database.run(partial(add_rows, rows=[row(number, cost_nano=5)]))
    file_database.run(partial(add_rows, rows=[row(11, **odd)]))
    file_database.run(partial(add_rows, rows=[row(12, cost_nano=5)]))
    asked = Question(Range(HOUR_OF_NOON_MS, HOUR_OF_NOON_MS + HOUR_MS), NOON_MS)
    numbers = file_database.run(lambda one: reading.sums(one, asked), writes=False).totals.numbers
    assert (numbers[REQUESTS], numbers[USAGE], numbers[COST]) == (12, input, 55)
    assert "made no sense" not in caplog.text


def test_what_is_older_than_it_is_kept_goes_step_by_step(database: WorkerDatabase) -> None:
    """And the names of what nothing counts any more; an hour with quarters in it stays whole."""
    now_ms = NOON_MS
    ages = {"a": HOURS_KEPT_MS + 30 * HOUR_MS, "b": QUARTERS_KEPT_MS + 30 * HOUR_MS, "c": HOUR_MS}
    for id, (model, age_ms) in enumerate(ages.items()):
        database.run(partial(add_rows, rows=[row(id, model=model, at_ms=now_ms - age_ms)]))
    steps = 0
    while database.run(lambda one: prune(one, now_ms)):
        steps += 1
    assert 2 <= steps < 5
    assert held(database, "quarters", "hours", "cells") == [1, 2, 2]


def test_a_batch_of_many_hours_is_added_to_each(database: WorkerDatabase) -> None:
    """Rows may have waited while the database was away."""
    rows = [row(id, at_ms=NOON_MS - id * HOUR_MS) for id in range(50)]
    database.run(partial(add_rows, rows=rows))
    database.run(partial(add_rows, rows=rows))
    assert held(database, "hours", "quarters", "cells") == [50, 50, 1]
    asked = Question(Range(HOUR_OF_NOON_MS - 100 * HOUR_MS, HOUR_OF_NOON_MS + HOUR_MS), NOON_MS)
    assert database.run(lambda one: reading.sums(one, asked), writes=False).totals.numbers[0] == 100
