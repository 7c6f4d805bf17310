"""Ten days of a busy gateway: the log stays within its bound the whole time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.core.request_log.making import rows_of
from app.core.request_log.rows import LogRow
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.pruning import DAY_MS, Limits, Pruner
from app.storage.sql.statistics.writing import Sums
from app.storage.sql.tables import logs
from app.storage.sql.writing import write
from benchmarks.log_writing import call
from tests.support.databases import count
from tests.support.log_rows import NOON_MS

DAYS = 10
REQUESTS_A_DAY = 200_000
BATCH = 5_000
MAX_BYTES = 256 * 1024 * 1024
"""Less than seven of these days take, so both bounds are met: days at first, then bytes."""


def batches() -> Iterator[tuple[int, list[KeptRow]]]:
    """What comes, and when: always the same calls, each with an id and a time of its own."""
    same = [row for _ in range(BATCH) for row in rows_of(call(0, few=True), 0)]
    for at in range(0, DAYS * REQUESTS_A_DAY, BATCH):
        times = [NOON_MS + (at + number) * DAY_MS // REQUESTS_A_DAY for number in range(BATCH)]
        rows = [
            KeptRow(at + number + 1, LogRow(*chain((times[number], f"{at + number:032x}"), row[2:])))
            for number, row in enumerate(same)
        ]
        yield times[-1], rows


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_ten_days_of_200_000_requests_stay_within_the_bound(file_database: WorkerDatabase) -> None:
    """File and journal, looked at after each batch; what is kept is the latest, and statistics are there, too."""
    pruner, path = Pruner(file_database), Path(file_database.url.name)
    longest_bytes = 0
    limits = Limits(2, MAX_BYTES)
    for now_ms, rows in batches():
        file_database.run(partial(write, parts=[rows], adders=[Sums]))
        if now_ms > NOON_MS + 3 * DAY_MS:
            limits = Limits(7, MAX_BYTES)
        if pruner.is_urgent(MAX_BYTES) or rows[0].id % (10 * BATCH) == 1:
            for _ in pruner.prune(limits, now_ms):
                longest_bytes = max(longest_bytes, size(path))
        longest_bytes = max(longest_bytes, size(path))
    assert longest_bytes <= MAX_BYTES
    kept = count(file_database)
    assert kept > 2 * REQUESTS_A_DAY
    oldest, latest = file_database.run(
        lambda one: one.execute(select(func.min(logs.c.id), func.max(logs.c.id))).one(), writes=False
    )
    assert (latest, latest - oldest + 1) == (DAYS * REQUESTS_A_DAY, kept)


def size(path: Path) -> int:
    return sum(one.stat().st_size for one in (path, path.with_name(f"{path.name}-wal")) if one.exists())
