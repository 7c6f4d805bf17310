"""How fast rows go into SQLite, by the CPU that they cost."""

from __future__ import annotations

import pytest

from app.storage.sql.database import WorkerDatabase
from app.storage.sql.statistics.writing import Sums
from benchmarks.log_writing import bundles, call, put
from tests.support.log_rows import NOON_MS

ROWS = 10_000
LEAST_ROWS_A_S = 7_000
"""Of one core. The promise is 20,000 of a log alone (docs/benchmarks.md); here a machine may be slow and busy."""


@pytest.mark.timing
def test_rows_go_in_as_fast_as_they_may_come(file_database: WorkerDatabase) -> None:
    """With all indexes and with statistics, made of the calls that wait in Redis."""
    calls = [call(NOON_MS + number // 20, few=True) for number in range(ROWS)]
    cpu_s, _ = put(file_database, bundles(calls, 1, NOON_MS), [Sums])
    assert ROWS / cpu_s > LEAST_ROWS_A_S
