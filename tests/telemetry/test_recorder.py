"""The recorder: never in the way of a request, never loses what it took, says what it dropped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from app.core.statistics.events import RequestEvent
from app.storage.connections import STATS_BACKLOG, STATS_EVENTS, STATS_PROCESSES, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.journal_files import create
from app.storage.statistics.envelopes import Envelope, encode, pack, unpack
from app.storage.statistics.ledger import Account, Ledger
from app.storage.statistics.stats import Heartbeat
from app.telemetry import recorder as recorder_module
from app.telemetry.recorder import Recorder
from tests.support.dying_process import die
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until
from tests.support.wire import Wire

NOW_MS = 1_790_000_000_000
Make = Callable[..., Recorder]


def event(number: int = 0, endpoint: str = "/a") -> RequestEvent:
    return RequestEvent(str(number), NOW_MS, endpoint, "GET", 200, "", 1, 2, 10.0, 5.0)


@pytest.fixture
def make(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Make]:
    """Makes recorders with a client of their own and stops them in the end."""
    made: list[tuple[Recorder, Redis]] = []

    def make_one(url: str = own_server.url, **options: object) -> Recorder:
        client = open_redis(url, socket_timeout_s=1)
        made.append((Recorder(client, **{"queue_size": 10_000, **options}), client))  # type: ignore[arg-type]
        return made[-1][0]

    yield make_one
    for one, client in made:
        one.stop(2)
        client.close()


def envelopes(client: Redis) -> list[Envelope]:
    found = [unpack(packed) for packed in client.lrange(STATS_EVENTS, 0, -1)]  # type: ignore[union-attr]
    return [envelope for envelope in found if envelope]


def sent(client: Redis) -> list[str]:
    return [one.request_id for envelope in envelopes(client) for one in envelope.events]


def booked(client: Redis) -> tuple[int, int]:
    """How many requests and how many dropped events a ledger finds."""
    accounts: list[Account] = []
    ledger = Ledger(client)
    while ledger.roll_up(NOW_MS):
        pass
    ledger.publish(NOW_MS, lambda account: accounts.append(account))  # type: ignore[func-returns-value]
    return accounts[0].windows.total.tallies[None].requests, accounts[0].dropped


@pytest.mark.timing
def test_events_arrive_in_order_and_numbered(make: Make, own_redis: Redis) -> None:
    """What is recorded is on the list within a fraction of a second, as it was, in envelopes 1, 2, 3, ..."""
    recorder = make(process_id="me")
    recorder.start()
    for number in range(1200):
        recorder.record(event(number))
    wait_until(lambda: len(sent(own_redis)) == 1200, "all are sent", timeout_s=1)
    found = envelopes(own_redis)
    assert sent(own_redis) == [str(number) for number in range(1200)]
    assert [(one.process_id, one.seq) for one in found] == [("me", seq + 1) for seq in range(len(found))]
    assert found[0].events[0] == event(0)
    assert own_redis.get(STATS_BACKLOG) == b"1200"


def test_a_steady_stream_goes_off_once_a_period(make: Make, own_redis: Redis) -> None:
    """Events that come while others are sent wait for the next turn: they do not go off a few at a time."""
    recorder = make()
    recorder.start()
    ends = time.monotonic() + 0.5
    while time.monotonic() < ends:
        recorder.record(event())
        time.sleep(0.0002)
    recorder.stop(2)
    assert 1 <= len(envelopes(own_redis)) <= 0.5 / recorder_module.PERIOD_S + 2


def test_a_full_queue_drops_and_counts(make: Make, own_redis: Redis) -> None:
    """Events that find the queue full are gone, and their number arrives with the others."""
    recorder = make(queue_size=10)
    for number in range(25):
        recorder.record(event(number))
    assert recorder.dropped == 15
    recorder.start()
    wait_until(lambda: len(sent(own_redis)) == 10, "all are sent")
    assert booked(own_redis) == (10, 15)


def test_dropped_events_arrive_even_alone(make: Make, own_redis: Redis) -> None:
    """A count of dropped events is sent when no event is there to go with it."""
    recorder = make(queue_size=0)
    recorder.record(event())
    recorder.start()
    wait_until(lambda: own_redis.llen(STATS_EVENTS), "something is sent")
    assert booked(own_redis) == (0, 1)


def test_stop_sends_what_waits(make: Make, own_redis: Redis) -> None:
    """The end of the process flushes the queue once more."""
    recorder = make()
    recorder.start()
    for number in range(3000):
        recorder.record(event(number))
    recorder.stop(2)
    assert len(sent(own_redis)) == 3000
    assert own_redis.hgetall(STATS_PROCESSES) == {}


@pytest.mark.timing
def test_stop_ends_in_time_without_redis(
    make: Make, own_server: EmbeddedRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """Without Redis the end comes within its time and says what is lost."""
    recorder = make()
    kill(own_server)
    try:
        recorder.start()
        recorder.record(event())
        began = time.monotonic()
        recorder.stop(0.3)
        assert time.monotonic() - began < 1
    finally:
        revive(own_server)
    assert "Redis did not take 1 event before the end" in caplog.text


def test_events_wait_for_redis(make: Make, own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """While Redis is away events wait in the bounded queue; when it is back they arrive, each once."""
    recorder = make(queue_size=100)
    recorder.start()
    recorder.record(event())
    wait_until(lambda: len(sent(own_redis)) == 1, "the first is sent")
    kill(own_server)
    try:
        for number in range(50):
            recorder.record(event(number))
        wait_until(lambda: recorder._away, "Redis is found away")
    finally:
        revive(own_server)
    wait_until(lambda: len(sent(open_redis(own_server.url))) == 51, "all are sent")
    assert booked(open_redis(own_server.url)) == (51, 0)


def test_cut_connections_lose_and_double_nothing(make: Make, own_redis: Redis) -> None:
    """However often the connection is cut, the ledger counts each event once."""
    recorder = make()
    recorder.start()
    for number in range(60):
        for _ in range(50):
            recorder.record(event(number))
        own_redis.client_kill_filter(_type="normal", skipme=True)
        time.sleep(0.02)
    recorder.stop(5)
    assert booked(own_redis) == (3000, 0)


def test_a_lost_reply_is_sent_again_under_the_same_number(
    make: Make, own_server: EmbeddedRedis, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Redis did the push and the answer was lost, the repetition is recognised."""
    wire = Wire(str(own_server.socket))
    wire.lose_replies(b"RPUSH", 2)
    monkeypatch.setattr(recorder_module, "RETRY_PAUSE_S", 0.01)
    recorder = make(wire.url, process_id="me")
    recorder.start()
    recorder.record(event())
    wait_until(lambda: own_redis.llen(STATS_EVENTS) == 3, "three are sent")
    recorder.stop(2)
    wire.close()
    assert {one.seq for one in envelopes(own_redis)} == {1}
    assert booked(own_redis) == (1, 0)


def test_a_long_backlog_is_not_made_longer(make: Make, own_redis: Redis) -> None:
    """When too much waits for a worker, events are dropped here, until the worker has caught up."""
    recorder = make(queue_size=20, backlog_events=10)
    recorder.start()
    for number in range(11):
        recorder.record(event(number))
    wait_until(lambda: recorder._redis_full, "Redis is found full")
    for number in range(50):
        recorder.record(event(number))
    assert recorder.dropped == 30
    assert own_redis.get(STATS_BACKLOG) == b"11"
    assert booked(own_redis) in ((11, 0), (31, 30))  # what waited may be sent as soon as there is room
    wait_until(lambda: booked(own_redis) == (31, 30), "the rest is sent")


def test_an_event_that_cannot_be_sent_holds_up_nobody(make: Make, own_redis: Redis) -> None:
    """A text that is not Unicode costs its own event, and the thread goes on."""
    recorder = make()
    recorder.start()
    recorder.record(event(endpoint="\udcff"))
    recorder.record(event())
    recorder.record(event()._replace(status=2**64))
    wait_until(lambda: own_redis.llen(STATS_EVENTS), "something is sent")
    assert booked(own_redis) == (1, 2)


def test_a_process_says_how_it_does(make: Make, own_redis: Redis) -> None:
    """The heartbeat bears memory, tasks, calls in flight and the requests of the last minute of its process."""
    recorder = make(process_id="me", task_count=lambda: 42, in_flight=lambda: 6)
    for number in range(30):
        recorder.record(event(number))
    recorder.start()
    wait_until(lambda: own_redis.hget(STATS_PROCESSES, "me"), "the heartbeat")
    beat = Heartbeat.decode(own_redis.hget(STATS_PROCESSES, "me"))  # type: ignore[arg-type]
    assert (beat.tasks, beat.requests, beat.in_flight) == (42, 30, 6)
    assert 5 < beat.memory_mb < 5000
    seconds, _ = own_redis.time()  # type: ignore[misc]
    assert abs(beat.beat_ms / 1000 - seconds) < 5


def test_only_the_last_minute_counts_for_the_rate(make: Make) -> None:
    """Requests older than 60 s leave the rate, those of a young process count whole."""
    recorder = make()
    for now_s, requests in ((0.0, 10), (20.0, 5), (59.0, 0), (62.0, 4), (81.0, 0), (200.0, 0)):
        for number in range(requests):
            recorder.record(event(number))
        in_the_last_minute = recorder._recent_requests(now_s)
        assert in_the_last_minute == {0.0: 10, 20.0: 15, 59.0: 15, 62.0: 9, 81.0: 4, 200.0: 0}[now_s]


def test_each_start_has_its_own_id(make: Make) -> None:
    """Recorders that were made without an id, even before a fork, send under different ones."""
    one, two = make(), make()
    one.start()
    two.start()
    assert len(one.process_id) == len(two.process_id) == 32
    assert one.process_id != two.process_id


def test_recording_from_many_threads_loses_nothing(make: Make, own_redis: Redis) -> None:
    """record() may be called from anywhere at once."""
    recorder = make(queue_size=100_000)
    recorder.start()
    threads = [
        threading.Thread(target=lambda: [recorder.record(event(number)) for number in range(2000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.stop(5)
    assert booked(own_redis) == (8000, 0)


def test_greenlets_carry_too(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """In a process that gevent has patched the recorder is a greenlet and lets the others run."""
    script = """
from gevent import monkey; monkey.patch_all()
import sys, threading, time, gevent
from app.core.statistics.events import RequestEvent
from app.storage.connections import open_redis
from app.telemetry.recorder import Recorder
recorder = Recorder(open_redis(sys.argv[1]), queue_size=10000)
recorder.start()
ticks = []
ticker = gevent.spawn(lambda: [(ticks.append(1), gevent.sleep(0.01)) for _ in range(30)])
for number in range(1000):
    recorder.record(RequestEvent(str(number), 1790000000000, "/a", "GET", 200, "", 1, 2, 3.0, None))
ticker.join()
recorder.stop(5)
assert len(ticks) == 30
"""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script, own_server.url], check=True, timeout=20, env=os.environ
    )
    assert booked(own_redis) == (1000, 0)


def test_an_envelope_is_plain_json(make: Make, own_redis: Redis) -> None:
    """The list holds versioned JSON: [version, process id, seq, dropped, [event fields]]."""
    recorder = make(process_id="me")
    recorder.start()
    recorder.record(event(5))
    wait_until(lambda: own_redis.llen(STATS_EVENTS), "something is sent")
    raw = own_redis.lindex(STATS_EVENTS, 0)
    assert orjson.loads(raw) == [1, "me", 1, 0, [list(event(5))]]  # type: ignore[arg-type]


def test_events_that_json_cannot_hold_are_left_out(make: Make, own_redis: Redis) -> None:
    """A text that is not Unicode drops its own event and none of its neighbours."""
    recorder = make()
    for one in (event(), event(endpoint="\udcff"), event()._replace(response_bytes=1 << 70), event()):
        recorder.record(one)
    recorder.start()
    wait_until(lambda: len(sent(own_redis)) == 2, "both are sent")
    assert booked(own_redis) == (2, 2)


def test_what_a_killed_process_left_is_sent_by_another(make: Make, own_redis: Redis, tmp_path: Path) -> None:
    """A recorder sends what it finds of the dead under their names and numbers, and removes it."""
    dead = create(tmp_path / "j", "dead", 1000)
    for number in range(700):
        dead.append(encode(event(number)))
    batch = dead.next_batch(500)
    assert batch is not None
    recorder_module.push(own_redis, pack("dead", batch.seq, batch.dropped, batch.rows), 500)  # and dies before it knows
    die(dead)
    heir = make(process_id="heir", journal_folder=tmp_path / "j")
    heir.start()
    heir.record(event(1000))
    wait_until(lambda: len(sent(own_redis)) >= 1201, "all are sent")
    found = envelopes(own_redis)
    assert {(one.process_id, one.seq, len(one.events)) for one in found} == {
        ("dead", 1, 500),
        ("dead", 2, 200),
        ("heir", 1, 1),
    }
    assert booked(own_redis) == (701, 0)
    wait_until(lambda: [path.stem for path in (tmp_path / "j").iterdir()] == ["heir"], "only the heir's is left")
    heir.stop(2)
    assert not (tmp_path / "j").exists()


def test_what_may_have_arrived_long_ago_is_not_sent_again(
    make: Make, own_redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the worker may have forgotten the number of the open envelope, only the rest is sent."""
    monkeypatch.setattr(recorder_module, "DOUBT_MS", -1)
    dead = create(tmp_path / "j", "dead", 1000)
    for number in range(3):
        dead.append(encode(event(number)))
    dead.next_batch(2)
    die(dead)
    heir = make(journal_folder=tmp_path / "j")
    heir.start()
    wait_until(lambda: sent(own_redis) == ["2"], "the second is sent")


def test_a_stop_without_redis_leaves_all_for_the_next_start(
    make: Make, own_server: EmbeddedRedis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What Redis did not take stays in the journal, and the log says where."""
    recorder = make(journal_folder=tmp_path)
    kill(own_server)
    try:
        recorder.start()
        recorder.record(event())
        recorder.stop(0.3)
    finally:
        revive(own_server)
    assert f"left in {tmp_path}" in caplog.text
    assert len(list(tmp_path.glob("*.journal"))) == 1
