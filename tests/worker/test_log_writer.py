"""The worker's thread that writes the request log: what it does while the database is away, and when it prunes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.core.usage import Usage
from app.storage.connections import LOG_DATABASE, LOG_DROPPED, LOG_LAST_ID, LOG_TROUBLE, LOG_WAITING, Redis
from app.storage.request_log import waiting
from app.storage.request_log.pruning_orders import PruningOrders
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseAway
from app.storage.sql.pruning import FOR_EVER
from app.storage.statistics.envelopes import encode, pack, push
from tests.support.databases import count, sqlite_database, written
from tests.support.log_rows import NOON_MS, book, called, kept, mapped, wait_in_redis
from tests.support.waiting import Waits, wait_until
from worker.log_writer import LogWriter


@pytest.fixture
def database(tmp_path: Path) -> Iterator[WorkerDatabase]:
    with closing(sqlite_database(tmp_path)) as database:
        yield database


@pytest.fixture
def writer(own_redis: Redis, database: WorkerDatabase) -> LogWriter:
    """Not started: a test calls `work`."""
    return new_writer(own_redis, database)


def new_writer(client: Redis, database: WorkerDatabase, days: int = FOR_EVER) -> LogWriter:
    return LogWriter(client, database, lambda: True, lambda: Settings(log_retention_days=days))


def test_what_is_booked_is_written_and_leaves_redis(
    own_redis: Redis, database: WorkerDatabase, writer: LogWriter
) -> None:
    """And web processes are told which database holds it."""
    book(own_redis, mapped("one"), mapped("two"))
    assert writer.work() == 2
    assert [request_id for _, request_id in written(database)] == ["one", "two"]
    assert own_redis.llen(LOG_WAITING) == 0
    assert own_redis.exists(LOG_DATABASE)


def test_rows_wait_while_the_database_is_away_and_those_beyond_are_counted(
    own_redis: Redis, database: WorkerDatabase, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls and figures go on; what waits is written when it is back, in order."""
    monkeypatch.setattr(waiting, "MOST_WAITING", 3)
    Path(database.url.name).mkdir()
    book(own_redis, mapped("one"), mapped("two"))
    with pytest.raises(DatabaseAway, match="SQLite"):
        writer.work()
    book(own_redis, mapped("three"), mapped("four"), seq=2)
    assert (len(kept(own_redis)), own_redis.get(LOG_DROPPED)) == (3, b"1")
    Path(database.url.name).rmdir()
    writer.work()
    assert [request_id for _, request_id in written(database)] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("rows", "pauses_s"),
    [
        ([0, 49, 50], [0.5, 0.5, 0.5, 2.0]),
        ([50, 199, 0], [0.5, 2.0, 0.5, 0.5]),
        ([200, 20_000], [0.5, 2.0, 0.5]),
    ],
)
def test_where_many_rows_come_they_are_written_less_often(
    writer: LogWriter, monkeypatch: pytest.MonkeyPatch, rows: list[int], pauses_s: list[float]
) -> None:
    """From a hundred a second on, as long as there is room for those that wait."""
    waits = Waits(len(pauses_s))
    monkeypatch.setattr(writer, "_stopping", waits)
    found = iter(rows)
    monkeypatch.setattr(writer, "work", lambda: next(found))
    writer.run()
    assert waits.asked_s == pauses_s


def test_trouble_is_told_once_and_again_when_it_is_over(
    own_redis: Redis, database: WorkerDatabase, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log, and in Redis for as long as it lasts."""
    monkeypatch.setattr("worker.log_writer.AWAY_S", 0.01)
    monkeypatch.setattr("worker.log_writer.BEGIN_S", 0.01)
    monkeypatch.setattr("worker.log_writer.TICK_S", 0.01)
    Path(database.url.name).mkdir()
    wait_in_redis(own_redis, [1])
    writer = new_writer(own_redis, database)
    writer.start()
    try:
        wait_until(lambda: own_redis.exists(LOG_TROUBLE), "it is told")
        Path(database.url.name).rmdir()
        wait_until(lambda: own_redis.llen(LOG_WAITING) == 0, "it is written")
        wait_until(lambda: not own_redis.exists(LOG_TROUBLE), "it is over")
    finally:
        writer.stop()
    said = [one.getMessage() for one in caplog.records if one.name == "worker.log_writer"]
    assert [line.partition(":")[0] for line in said] == [
        "The request log waits in Redis",
        "The request log is written again",
    ]


def test_a_redis_that_was_emptied_gives_no_id_twice(
    own_redis: Redis, database: WorkerDatabase, writer: LogWriter
) -> None:
    """Also where the clock went back meanwhile: later ids are above all that the database has."""
    wait_in_redis(own_redis, [2_000_000_000_000_000_000])
    writer.work()
    book(own_redis, mapped("later"), now_ms=NOON_MS)
    writer.work()
    assert [request_id for _, request_id in written(database)][-1] == "later"
    assert int(own_redis.get(LOG_LAST_ID) or 0) == 2_000_000_000_000_000_001


def test_two_writers_write_each_row_once(
    own_redis: Redis, database: WorkerDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease may go from one worker to another while the first still writes."""
    monkeypatch.setattr(waiting, "READ_BUNDLES", 5)
    for first in range(1, 2_001, 50):
        wait_in_redis(own_redis, range(first, first + 50))
    databases = [sqlite_database(tmp_path) for _ in range(3)]
    writers = [new_writer(own_redis, one) for one in databases]
    threads = [threading.Thread(target=writer.work) for writer in writers]
    for thread in threads:
        thread.start()
    for first in range(2_001, 3_001, 50):
        wait_in_redis(own_redis, range(first, first + 50))
    for thread in threads:
        thread.join()
    writers[0].work()
    assert [id for id, _ in written(database)] == list(range(1, 3_001))
    for one in databases:
        one.close()


def test_the_log_is_pruned_by_order(own_redis: Redis, database: WorkerDatabase) -> None:
    """Who orders it is told how many rows went, and what the log takes now."""
    writer = new_writer(own_redis, database, days=1)
    wait_in_redis(own_redis, [1, 2, 3])
    writer.work()
    assert count(database) == 0, "at the start of a worker, too"
    wait_in_redis(own_redis, [4, 5])
    writer.work()
    assert count(database) == 2
    ordered: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: ordered.append(tuple(PruningOrders(own_redis).order())))
    thread.start()
    wait_until(lambda: (writer.work(), ordered)[1], "it is done")
    thread.join()
    assert ordered[0][0] == 2
    assert ordered[0][1] > 0
    assert count(database) == 0


@pytest.mark.parametrize(
    "change",
    [
        (b"500.0", b"1e19"),
        (b"500.0", b"2e12"),
        (b"[10,0,0,0,5,null,", b'["x",0,0,0,5,null,'),
        (b'"reported",{}', b'"reported",{"x":' + b"[" * 300 + b"]" * 300 + b"}"),
        (b",5000,false", b",-9223372036854775808,false"),
    ],
    ids=["later than any time", "earlier than any time", "usage that is none", "deep usage", "a cost beyond all"],
)
def test_what_no_database_takes_stops_no_other(
    own_redis: Redis, database: WorkerDatabase, writer: LogWriter, change: tuple[bytes, bytes]
) -> None:
    """In whichever way it fails: in the log, or in the sums beside it. What is left out is counted."""
    usage = Usage(10, 0, 0, 0, 5, None, "reported", {})
    good = [encode(called(f"good{n}", use={"usage": usage, "cost_nano": 5000})) for n in range(9)]
    odd = [encode(called(f"odd{n}", use={"usage": usage, "cost_nano": 5000})).replace(*change) for n in range(2)]
    assert odd[0] not in good, "there is something to change"
    push(own_redis, pack("p", 1, 0, [*good[:4], odd[0], *good[4:6], odd[1], *good[6:]]), 11)
    book(own_redis, mapped("behind"), seq=2)
    writer.work()
    found = [request_id for _, request_id in written(database)]
    assert [id for id in found if not id.startswith("odd")] == [*(f"good{n}" for n in range(9)), "behind"]
    assert len(found) + int(own_redis.get(LOG_DROPPED) or 0) == 12
    assert own_redis.llen(LOG_WAITING) == 0
    book(own_redis, mapped("later"), seq=3)
    writer.work()
    assert [request_id for _, request_id in written(database)] == [*found, "later"]
