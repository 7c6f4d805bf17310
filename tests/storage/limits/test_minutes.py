"""Attempts a minute: within any span no more than the limit, over all processes, and all while there is room.

The minute is shorter here, and all that belongs to it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.limits.leases import RENEWED
from app.storage.limits.minutes import TTL_SHARE, Counted, Minutes
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

New = Callable[..., Minutes]
ROOT = Path(__file__).resolve().parents[3]
NAME = "minute:channel:1"


@pytest.fixture
def new_minutes(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[New]:
    """Starts what one process would have, with a client of its own."""
    started: list[tuple[Minutes, Redis]] = []

    def start(span_s: float = 1.0) -> Minutes:
        client = open_redis(own_server.url, socket_timeout_s=0.2)
        started.append((Minutes(client, span_s=span_s), client))
        started[-1][0].start()
        return started[-1][0]

    yield start
    for minutes, client in started:
        minutes.stop()
        client.close()


def granted(minutes: Minutes, count: int, limit: int) -> int:
    return sum(isinstance(minutes.take(NAME, limit), Counted) for _ in range(count))


def test_no_more_than_the_limit_within_any_span_over_all_processes(new_minutes: New) -> None:
    processes, limit, span_s = [new_minutes() for _ in range(3)], 30, 1.0
    times: list[tuple[float, float]] = []
    until_s = time.monotonic() + 2.6

    def hammer(minutes: Minutes) -> None:
        while time.monotonic() < until_s:
            began_s = time.monotonic()
            if isinstance(minutes.take(NAME, limit), Counted):
                times.append((began_s, time.monotonic()))
            else:
                time.sleep(0.003)

    threads = [threading.Thread(target=hammer, args=(minutes,)) for minutes in processes for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    least_s = span_s - 0.005  # spans are told by Redis's clock, in whole milliseconds, which may be slewed meanwhile
    for place, (from_s, _) in enumerate(times):
        ends_s = sorted(end_s for _, end_s in times[place:])  # who asked first need not have been served first
        assert len(ends_s) <= limit or ends_s[limit] - from_s >= least_s, "more than the limit within a span"
    assert len(times) >= 2 * limit, "what left the window makes room"


def test_nobody_is_refused_while_there_is_room(new_minutes: New) -> None:
    ours, other = new_minutes(10.0), new_minutes(10.0)
    assert granted(ours, 7, 20) == 7
    assert granted(other, 13, 20) == 13
    assert granted(ours, 1, 20) == granted(other, 1, 20) == 0


def test_a_refusal_tells_when_the_oldest_counted_attempt_leaves_wherever_it_was_counted(new_minutes: New) -> None:
    ours, other = new_minutes(5.0), new_minutes(5.0)
    began_s = time.monotonic()
    assert granted(ours, 4, 4) == 4

    def told() -> float:
        left_s = other.take(NAME, 4)
        assert isinstance(left_s, float)
        return left_s

    wait_until(lambda: abs(time.monotonic() + told() - began_s - 5.0) < 0.3, "the other knows", 3.0)
    left_s = ours.take(NAME, 4)
    assert isinstance(left_s, float)
    assert abs(time.monotonic() + left_s - began_s - 5.0) < 0.1


def test_a_refusal_is_remembered_and_counts_for_nothing(new_minutes: New) -> None:
    ours = new_minutes(0.5)
    assert granted(ours, 2, 2) == 2
    began_s = time.monotonic()
    assert granted(ours, 200, 2) == 0
    assert time.monotonic() - began_s < 0.3, "Redis is not asked for each"
    assert ours.full_s(NAME, 2) > 0
    wait_until(lambda: granted(ours, 1, 2), "the oldest left", 2.0)


def test_an_attempt_that_did_not_begin_counts_no_more(new_minutes: New) -> None:
    ours = new_minutes(10.0)
    counted = ours.take(NAME, 1)
    assert isinstance(counted, Counted)
    assert granted(ours, 1, 1) == 0
    ours.cancel(counted)
    assert granted(ours, 1, 1) == 1


def test_a_higher_limit_holds_at_once(new_minutes: New) -> None:
    ours = new_minutes(10.0)
    assert granted(ours, 3, 2) == 2
    assert granted(ours, 3, 4) == 2


def test_what_a_process_counted_counts_on_after_its_end(new_minutes: New) -> None:
    ours, other = new_minutes(1.0), new_minutes(1.0)
    ends_s = time.monotonic() + 1.0
    assert granted(ours, 3, 3) == 3
    ours.stop()
    while time.monotonic() < ends_s - 0.1:
        assert granted(other, 1, 3) == 0
        time.sleep(0.05)
    wait_until(lambda: granted(other, 1, 3), "its lease is over", 3.0)


KILLED = """
import sys, time
from app.storage.connections import open_redis
from app.storage.limits.minutes import Counted, Minutes
url, name, span_s, pause_s = sys.argv[1:]
minutes = Minutes(open_redis(url, socket_timeout_s=1), span_s=float(span_s))
minutes.start()
assert isinstance(minutes.take(name, 3), Counted)
time.sleep(float(pause_s))
assert isinstance(minutes.take(name, 3), Counted)
print("all are counted", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_counted_counts_on(own_server: EmbeddedRedis, new_minutes: New, own_redis: Redis) -> None:
    """Its last one was of those that it had leased ahead, right before its lease would have been renewed."""
    span_s = 1.5
    arguments = [own_server.url, NAME, str(span_s), str(RENEWED * TTL_SHARE * span_s - 0.05)]
    with subprocess.Popen([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"all are counted\n"
        counted_s = time.monotonic()
        process.kill()
    other = new_minutes(span_s)
    wait_until(lambda: granted(other, 1, 3), "the third is free, though not at once", 0.5)

    def asked() -> int:
        other._refused.clear()
        return granted(other, 1, 3)

    wait_until(asked, "its lease is over", 2 * TTL_SHARE * span_s)
    assert time.monotonic() - counted_s >= span_s - 0.05, "readline may be late"


def test_without_redis_each_process_keeps_the_limit(new_minutes: New, own_server: EmbeddedRedis) -> None:
    ours = new_minutes(2.0)
    assert granted(ours, 1, 3) == 1
    kill(own_server)
    try:
        wait_until(lambda: granted(ours, 1, 3), "it goes alone", 3.0)
        assert granted(ours, 5, 3) == 1
    finally:
        revive(own_server)


def test_it_starts_nothing_until_somebody_takes(new_minutes: New) -> None:
    before = threading.active_count()
    ours = new_minutes()
    assert ours.full_s(NAME, 3) == 0
    assert threading.active_count() == before


def test_what_left_is_forgotten(new_minutes: New) -> None:
    ours = new_minutes(0.3)
    for number in range(50):
        assert isinstance(ours.take(f"minute:key:{number}", 1), Counted)
    wait_until(lambda: not (ours._counted or ours._ends_s or ours._told or ours._slots._leases), "all left", 5.0)
