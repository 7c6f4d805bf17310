"""A month of statistics of a busy gateway: told in seconds, and no stream waits for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.statistics.ranges import range_of
from app.core.statistics.sums.cells import HOUR_MS
from app.core.statistics.sums.question import Question
from app.core.statistics.sums.spans import points
from app.storage.connections import LOG_DATABASE, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.statistics.reading import series, sums
from tests.support.clock_streams import check_streams
from tests.support.databases import sqlite_database
from tests.support.gateway import GatewayProcess
from tests.support.many_cells import fill

pytestmark = [pytest.mark.soak, pytest.mark.timing, pytest.mark.own_server, pytest.mark.timeout(600)]

HOURS, CELLS_AN_HOUR = 30 * 24, 500
"""Of 50 channels, 20 models and 20 tokens: 360,000 sums."""
SUMS_S, SERIES_S = 4.0, 8.0
"""CPU time of an answer, in a thread; on a slower machine in proportion."""
READ_S = 1.4
"""What reading all of these sums takes, and no more, on a machine for which the above are meant."""


@pytest.fixture(scope="module")
def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory, now_ms: int) -> Iterator[WorkerDatabase]:
    database = sqlite_database(tmp_path_factory.mktemp("month"))
    bring_up_to_date(database)
    fill(database, now_ms - now_ms % HOUR_MS - (HOURS - 1) * HOUR_MS, HOURS, CELLS_AN_HOUR)
    yield database
    database.close()


def took_s(database: WorkerDatabase, act: Callable[..., Any]) -> float:
    """CPU time of the better of two tries."""
    taken = []
    for _ in range(2):
        began_s = time.thread_time()
        database.run(act, writes=False)
        taken.append(time.thread_time() - began_s)
    return min(taken)


@pytest.mark.parametrize("by", [(), ("channel",), ("model", "token"), ("channel", "model", "token", "dialect")])
def test_thirty_days_are_told_in_seconds(month: WorkerDatabase, now_ms: int, by: tuple[str, ...]) -> None:
    """Their sums, and their course by days of a zone that is off by half an hour."""
    span = range_of("30d", now_ms, "UTC")
    asked = Question(span, now_ms, by, limit=50)
    took = took_s(month, lambda one: sums(one, asked))
    course = Question(span, now_ms, by, limit=10)
    begins = points(span, "day", "Asia/Kolkata", 100)
    by_days = took_s(month, lambda one: series(one, course, begins))
    read_s = took_s(month, lambda one: len(one.exec_driver_sql("SELECT * FROM gateway_stat_hours").fetchall()))
    slowness = max(1.0, read_s / READ_S)
    print(f"by {by}: sums {took:.2f} s, days {by_days:.2f} s, reading all {read_s:.2f} s")
    assert took < SUMS_S * slowness
    assert by_days < SERIES_S * slowness


def test_no_stream_is_late_while_a_month_is_told(
    month: WorkerDatabase, own_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """Through the same web process."""
    with open_redis(own_server.url) as client:
        client.set(LOG_DATABASE, bring_up_to_date(month))
    gateway = GatewayProcess(own_server.url, {"SQLITE_PATH": month.url.name, "WEB_CONCURRENCY": "1"}).start()
    try:
        asks = ["stats?by=channel,model,token&limit=500", "stats?by=channel", "series?by=channel&bucket=hour&limit=20"]
        check_streams(gateway, [f"/api/{path}&range=30d" for path in asks])
    finally:
        gateway.stop()
