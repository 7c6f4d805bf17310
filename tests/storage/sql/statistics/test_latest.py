"""The sums that anybody may ask for cost one reading of the database in a few seconds, whoever asks how often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import pytest

from app.core.statistics.ranges import Range
from app.core.statistics.sums.question import Question
from app.core.statistics.sums.spans import DAY_MS
from app.storage.sql.database import Database, WorkerDatabase
from app.storage.sql.errors import DatabaseAway
from app.storage.sql.statistics import reading
from app.storage.sql.statistics.latest import KEPT_MS, PAUSE_MS, LatestSums
from tests.support.databases import add_rows, row
from tests.support.log_rows import NOON_MS

DAY = Range(NOON_MS - NOON_MS % DAY_MS, NOON_MS - NOON_MS % DAY_MS + DAY_MS)


class Counted:
    """Tells how often it was read; may be away."""

    readings = 0
    is_away = False

    def __init__(self, database: WorkerDatabase) -> None:
        self.real = database

    def run(self, act: Callable[[Any], Any]) -> Any:
        self.readings += 1
        if self.is_away:
            raise DatabaseAway("away")
        return self.real.run(act, writes=False)


@pytest.fixture
def counted(file_database: WorkerDatabase) -> Counted:
    return Counted(file_database)


def asked(now_ms: int = NOON_MS, span: Range = DAY) -> Question:
    return Question(span, now_ms, ("dialect",), of_channels=True)


def latest(counted: Counted) -> LatestSums:
    return LatestSums(cast("Database", counted))


def test_all_who_ask_at_once_are_told_what_one_found(counted: Counted) -> None:
    """And for a few seconds after that; then it is read anew. Another span is another question."""
    counted.real.run(partial(add_rows, rows=[row(1)]))
    sums = latest(counted)
    gate = threading.Barrier(8)

    def ask(_: int) -> int:
        gate.wait()
        return sums.read(asked()).totals.numbers[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [1] * 8
    assert counted.readings == 1
    counted.real.run(partial(add_rows, rows=[row(2)]))
    assert sums.read(asked(NOON_MS + KEPT_MS - 1)).totals.numbers[0] == 1
    assert sums.read(asked(NOON_MS + KEPT_MS)).totals.numbers[0] == 2
    assert sums.read(asked(NOON_MS, DAY._replace(to_ms=DAY.from_ms + 1))).totals.numbers[0] == 0
    assert counted.readings == 3


def test_while_the_database_is_away_it_is_asked_once_a_second(counted: Counted) -> None:
    """The others are told so at once."""
    counted.is_away = True
    sums = latest(counted)
    for later_ms in (0, 1, PAUSE_MS - 1):
        with pytest.raises(DatabaseAway):
            sums.read(asked(NOON_MS + later_ms))
    assert counted.readings == 1
    counted.is_away = False
    assert sums.read(asked(NOON_MS + PAUSE_MS)).by_group == {}


def test_only_calls_for_which_a_channel_was_tried_are_counted(counted: Counted) -> None:
    counted.real.run(partial(add_rows, rows=[row(1), row(2, channel_id=""), row(3, dialect="gemini")]))
    sums = latest(counted).read(asked())
    assert {group: sum.numbers[0] for group, sum in sums.by_group.items()} == {("",): 1, ("gemini",): 1}
    assert sums.totals.numbers[0] == 2


def test_what_is_too_much_is_told_as_an_error(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 0)
    counted.real.run(partial(add_rows, rows=[row(1)]))
    with pytest.raises(DatabaseAway, match="sums"):
        latest(counted).read(asked())
