"""The worker as a process: starts, rolls up within two seconds, outlives Redis, ends when told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import orjson
import pytest
from redis._parsers.base import BaseParser
from rq.exceptions import StopRequested

from app.core.statistics.events import RequestEvent
from app.storage.connections import STATS_BACKLOG, STATS_LEASE, STATS_ROLLED_AT, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.statistics.stats import Stats
from tests.support.envelopes import send_events
from tests.support.environ import clean_environ
from tests.support.own_redis import kill, revive
from tests.support.waiting import Waits, wait_until
from tests.support.worker_process import ROOT, StartWorker
from worker.__main__ import RollUpWorker, _work
from worker.ticker import Ticker


@pytest.fixture
def stats(own_server: EmbeddedRedis) -> Iterator[Stats]:
    with open_redis(own_server.url, socket_timeout_s=1) as client:
        yield Stats(client)


def send(client: Redis, seq: int, process: str = "p") -> None:
    event = RequestEvent("id", time.time_ns() // 1_000_000, "/a", "GET", 200, "", 1, 2, 10.0, 5.0)
    send_events(client, process, seq, [event])


def total(stats: Stats) -> int:
    return int(orjson.loads(stats.read([], time.time_ns() // 1_000_000))["total"])


def ready(client: Redis) -> bool:
    return client.exists(STATS_ROLLED_AT) == 1 and client.exists(STATS_LEASE) == 1


def test_what_waited_is_rolled_up_at_the_start(own_redis: Redis, stats: Stats, start_worker: StartWorker) -> None:
    """A worker that starts takes at once what was recorded before."""
    send(own_redis, 1)
    start_worker()
    wait_until(lambda: total(stats) == 1, "the event is counted", timeout_s=15)


def test_figures_are_fresh_within_two_seconds(own_redis: Redis, stats: Stats, start_worker: StartWorker) -> None:
    """An event on the list is in the figures two seconds later, whenever it comes."""
    start_worker()
    wait_until(lambda: ready(own_redis), "the worker is ready")
    began_s = time.monotonic()
    sent_s: list[float] = []
    seen = 0
    while seen < 5:
        if len(sent_s) < 5 and time.monotonic() >= began_s + 0.33 * len(sent_s):  # five moments of the ticker's 0.8 s
            sent_s.append(time.monotonic())
            send(own_redis, len(sent_s))
        now_seen = total(stats)
        assert all(time.monotonic() - at_s < 2 for at_s in sent_s[seen:])
        seen = now_seen
        time.sleep(0.01)


@pytest.mark.timing
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(own_redis: Redis, start_worker: StartWorker, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the worker promptly, with code 0, and it gives its lease back."""
    worker = start_worker()
    wait_until(lambda: ready(own_redis), "the worker is ready")
    began = time.monotonic()
    worker.send_signal(number)
    assert worker.wait(5) == 0
    assert time.monotonic() - began < 2
    assert not own_redis.exists(STATS_LEASE)
    assert "Worker stopped" in worker.communicate()[1]


def test_it_ends_when_told_while_it_waits_for_redis(start_worker: StartWorker) -> None:
    """A worker that waits for Redis at its start says so, without the password, and can be ended."""
    worker = start_worker(API_PROXY_REDIS_URL="redis://:hush@127.0.0.1:1/0")
    assert worker.stderr is not None
    line = worker.stderr.readline()
    assert "does not answer" in line
    assert "***@127.0.0.1" in line
    assert "hush" not in line
    worker.terminate()
    assert worker.wait(15) == 0


@pytest.mark.parametrize("url", ["", "http://localhost"])
def test_it_says_what_is_missing(url: str) -> None:
    """Without a usable URL the worker ends with code 1 and one line that names the variable."""
    done = subprocess.run(
        [sys.executable, "-m", "worker"],
        cwd=ROOT,
        env=clean_environ(API_PROXY_REDIS_URL=url),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1
    assert "API_PROXY_REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_outlives_redis(
    own_server: EmbeddedRedis, own_redis: Redis, stats: Stats, start_worker: StartWorker
) -> None:
    """A worker goes on by itself after Redis was killed and came back, and after its connections were cut."""
    worker = start_worker()
    wait_until(lambda: ready(own_redis), "the worker is ready")
    send(own_redis, 1)
    wait_until(lambda: total(stats) == 1, "the event is counted")
    for seq in (2, 3):
        kill(own_server)
        time.sleep(0.6)
        revive(own_server)
        with open_redis(own_server.url) as client:
            send(client, seq)
            wait_until(lambda seq=seq: total(stats) == seq, "the event is counted", timeout_s=20)
            client.client_kill_filter(_type="normal", skipme=True)
            client.client_kill_filter(_type="pubsub", skipme=True)
    assert worker.poll() is None
    worker.terminate()
    assert worker.wait(15) == 0
    assert "Traceback" not in worker.communicate()[1]


def test_it_ends_when_told_while_redis_is_away(
    own_server: EmbeddedRedis, own_redis: Redis, start_worker: StartWorker
) -> None:
    """SIGTERM in the middle of an outage ends the worker as well."""
    worker = start_worker()
    wait_until(lambda: ready(own_redis), "the worker is ready")
    kill(own_server)
    try:
        time.sleep(0.5)
        worker.terminate()
        assert worker.wait(5) == 0
    finally:
        revive(own_server)


def test_standing_by_it_ends_when_told(own_redis: Redis, start_worker: StartWorker) -> None:
    """A worker without the lease ends as promptly as one with it, and leaves the lease alone."""
    start_worker()
    wait_until(lambda: ready(own_redis), "the worker is ready")
    lease = own_redis.get(STATS_LEASE)
    second = start_worker()
    assert second.stderr is not None
    assert "Worker ready" in second.stderr.readline()
    second.terminate()
    assert second.wait(3) == 0
    assert own_redis.get(STATS_LEASE) == lease


def test_one_works_and_one_stands_by(own_redis: Redis, stats: Stats, start_worker: StartWorker) -> None:
    """Of two workers one holds the lease; when it is killed the other takes over."""
    workers = {}
    for _ in range(2):
        worker = start_worker()
        wait_until(lambda: ready(own_redis), "the worker is ready")
        workers[own_redis.get(STATS_LEASE)] = worker
    assert len(workers) == 1
    send(own_redis, 1)
    wait_until(lambda: total(stats) == 1, "the event is counted")
    first = next(iter(workers.values()))
    own_redis.delete(STATS_LEASE)
    first.kill()
    send(own_redis, 2)
    wait_until(lambda: total(stats) == 2, "the other event is counted", timeout_s=20)


@pytest.fixture
def ticker(own_redis: Redis) -> Iterator[Ticker]:
    """One that holds the lease, for a worker in this process, which takes signals."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ticker = Ticker(own_redis, "a worker")
    ticker.holds_lease = True
    yield ticker
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_stop_that_rq_does_not_catch_is_a_stop(
    own_redis: Redis, ticker: Ticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that comes outside RQ's own loop, as while it connects anew, ends the worker in order."""
    monkeypatch.setattr(RollUpWorker, "register_birth", lambda self: self.request_stop(signal.SIGTERM, None))
    assert _work(own_redis, ticker) is False


def swallow_a_stop(worker: RollUpWorker, *_: object, **__: object) -> None:
    with suppress(StopRequested):
        worker.request_stop(signal.SIGTERM, None)


@pytest.mark.parametrize("where", ["run_maintenance_tasks", "procline", "reorder_queues"])
@pytest.mark.timeout(20)
def test_a_stop_that_somebody_swallows_is_a_stop(
    own_redis: Redis, ticker: Ticker, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """RQ's exception may come where it is swallowed: before the wait for a job, right at it, or after it."""
    monkeypatch.setattr(RollUpWorker, "should_run_maintenance_tasks", True)
    monkeypatch.setattr(RollUpWorker, where, swallow_a_stop)
    if where == "reorder_queues":
        ticker.tick()  # which orders a job
    assert _work(own_redis, ticker) is False


def test_where_many_events_come_they_are_rolled_up_less_often(
    own_redis: Redis, ticker: Ticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a hundred a second on; whatever somebody wrote where their number stands."""
    backlogs = iter([b"79", b"80", b"140", b"139", b"many"])
    waits = Waits(6, lambda: own_redis.set(STATS_BACKLOG, next(backlogs)))
    monkeypatch.setattr(ticker, "_stopping", waits)
    monkeypatch.setattr(ticker, "_is_due", lambda: True)
    monkeypatch.setattr(type(ticker._queue), "count", 0)
    ticker.run()
    assert waits.asked_s == [0.8, 0.8, 1.4, 1.4, 0.8, 0.8]


def test_an_outage_that_two_find_out_is_said_once(ticker: Ticker, caplog: pytest.LogCaptureFixture) -> None:
    """RQ's loop and the ticker speak with one voice."""
    for _ in range(2):
        ticker.tell_of(BaseParser.parse_error("READONLY You can't write against a read only replica."))
    assert [record.getMessage() for record in caplog.records] == [
        "Redis refuses: it is read only, so it is a replica (READONLY); no roll-ups until it does what it is asked"
    ]
