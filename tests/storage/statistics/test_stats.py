"""What /stats says: every field of the contract, at once, whatever Redis does."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import DAY_MS, MINUTE_MS, WINDOW_NAMES
from app.storage.connections import STATS_PROCESSES, STATS_ROLLED_AT, STATS_SUMMARY, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.statistics import stats as stats_module
from app.storage.statistics.stats import Heartbeat, Stats, Summary
from tests.support.envelopes import send_events
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until
from worker.roll_up import RollUp

NOW_MS = 1_790_000_000_000
NO_TIMES = {"avg": None, "p50": None, "p95": None, "p99": None}


@pytest.fixture
def stats(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Stats]:
    with open_redis(own_server.url, socket_timeout_s=0.3) as client:
        yield Stats(client)


def event(ended_at_ms: int = NOW_MS, endpoint: str = "/openai", status: int = 200) -> RequestEvent:
    return RequestEvent("id", ended_at_ms, endpoint, "POST", status, "", 100, 2000, 120.0, 40.0)


def roll_up(client: Redis, *events: RequestEvent, dropped: int = 0, now_ms: int = NOW_MS) -> None:
    send_events(client, os.urandom(4).hex(), 1, events, dropped)
    RollUp(client).run(now_ms)


def read(stats: Stats, *prefixes: str, now_ms: int = NOW_MS) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(stats.read(prefixes, now_ms))
    return answer


def beat(client: Redis, process_id: str, age_ms: int = 0) -> None:
    seconds, microseconds = client.time()  # type: ignore[misc]
    beat_ms = seconds * 1000 + microseconds // 1000 - age_ms
    client.hset(STATS_PROCESSES, process_id, Heartbeat(50.25, 7, 30, beat_ms).encode())


def test_the_answer_has_every_field(own_redis: Redis, stats: Stats) -> None:
    """The fields of both old versions and the windows stand where the dashboard looks for them."""
    beat(own_redis, "one")
    beat(own_redis, "two")
    beat(own_redis, "gone", age_ms=11_000)
    yesterday = event(NOW_MS - DAY_MS - MINUTE_MS, status=502)
    roll_up(own_redis, event(), yesterday, event(NOW_MS - 40 * DAY_MS), event(endpoint="/deleted"), dropped=2)
    answer = read(stats, "/openai", "/claude")
    windows = answer.pop("windows")
    assert answer == {
        "enabled": True,
        "total": 4,
        "errors": 1,
        "dropped_events": 2,
        "avg_response": "120ms",
        "stale": False,
        "generated_at_ms": NOW_MS,
        "endpoints": {
            "/openai": {
                "count": 3,
                "error_count": 1,
                "last_request": NOW_MS // 1000,
                "total": 3,
                "today": 1,
                "week": 2,
                "month": 2,
            },
            "/claude": dict.fromkeys(("count", "error_count", "last_request", "total", "today", "week", "month"), 0),
        },
        "requests": [
            {"endpoint": "/openai", "timestamp": (NOW_MS - 40 * DAY_MS) // 1000},
            {"endpoint": "/openai", "timestamp": (NOW_MS - DAY_MS - MINUTE_MS) // 1000},
            {"endpoint": "/openai", "timestamp": NOW_MS // 1000},
            {"endpoint": "/deleted", "timestamp": NOW_MS // 1000},
        ],
        "performance": {
            "requests_per_sec": 1.0,
            "avg_response_time_ms": 120,
            "error_rate": 0.0,
            "memory_usage_mb": 100.5,
            "goroutine_count": 14,
            "last_updated": NOW_MS,
            "processes": 2,
        },
    }
    assert {name: window["all"]["requests"] for name, window in windows.items()} == {
        "24h": 2,
        "7d": 3,
        "30d": 3,
        "total": 4,
    }
    assert set(windows["24h"]["endpoints"]) == {"/openai", "/deleted"}


def test_a_window_has_every_field(own_redis: Redis, stats: Stats) -> None:
    """Frame, figures and chart of a window are complete, and the chart adds up."""
    roll_up(own_redis, event(), event(status=500))
    windows = read(stats)["windows"]
    points = {"24h": (96, 900), "7d": (168, 3600), "30d": (120, 21_600), "total": (1, 86_400)}
    assert set(windows) == set(points)
    for name, window in windows.items():
        assert set(window) == {"from_ms", "to_ms", "step_s", "all", "endpoints"}
        assert window["step_s"] == points[name][1]
        assert window["to_ms"] - window["from_ms"] == points[name][0] * points[name][1] * 1000
        assert window["from_ms"] <= NOW_MS < window["to_ms"]
        assert window["endpoints"] == {"/openai": window["all"]}
        figures = window["all"]
        assert (figures["requests"], figures["errors"]) == (2, 1)
        assert (figures["request_bytes"], figures["response_bytes"]) == (200, 4000)
        assert figures["duration_ms"]["avg"] == 120
        assert figures["first_byte_ms"]["p99"] == pytest.approx(40, rel=0.05)
        assert len(figures["series"]["requests"]) == len(figures["series"]["errors"]) == points[name][0]
        assert (sum(figures["series"]["requests"]), sum(figures["series"]["errors"])) == (2, 1)


@pytest.mark.parametrize("name", WINDOW_NAMES)
def test_one_window_is_given_alone(own_redis: Redis, stats: Stats, name: str) -> None:
    """What was asked for a window holds that one as the whole holds it, the sums of all, and the rest unchanged."""
    whole = read(stats, "/openai")
    assert (whole["windows"][name]["all"]["requests"], "totals" in whole) == (0, False)
    roll_up(own_redis, event(), event(NOW_MS - 3 * DAY_MS), event(NOW_MS - 20 * DAY_MS, status=500))
    whole = read(stats, "/openai")
    alone = orjson.loads(stats.read(["/openai"], NOW_MS, name))
    assert alone.pop("totals") == {
        "24h": {"requests": 1, "errors": 0},
        "7d": {"requests": 2, "errors": 0},
        "30d": {"requests": 3, "errors": 1},
        "total": {"requests": 3, "errors": 1},
    }
    assert alone == {**whole, "windows": {name: whole["windows"][name]}}


def test_the_same_bytes_come_until_there_is_something_new(own_redis: Redis, stats: Stats) -> None:
    """The clock alone changes nothing; a heartbeat or a roll-up that says something new does."""
    beat(own_redis, "one")
    roll_up(own_redis, event())
    before = stats.read(["/openai"], NOW_MS)
    beat(own_redis, "one")
    assert stats.read(["/openai"], NOW_MS + 5000) == before
    beat(own_redis, "two")
    assert stats.read(["/openai"], NOW_MS + 5000) != before


def test_before_the_first_roll_up_all_is_zero(stats: Stats) -> None:
    """Without any worker there are rows and windows of zeros, marked stale."""
    answer = read(stats, "/openai")
    assert (answer["total"], answer["stale"], answer["generated_at_ms"]) == (0, True, None)
    assert answer["endpoints"]["/openai"]["count"] == 0
    assert answer["requests"] == []
    assert {name: len(window["all"]["series"]["errors"]) for name, window in answer["windows"].items()} == {
        "24h": 96,
        "7d": 168,
        "30d": 120,
        "total": 1,
    }
    assert answer["windows"]["24h"]["all"]["duration_ms"] == NO_TIMES
    assert stats.worker_age_s() is None


def test_only_the_latest_requests_are_listed(own_redis: Redis, stats: Stats) -> None:
    """The list holds the latest 500 requests, oldest first, late arrivals in their place."""
    roll_up(own_redis, *(event(NOW_MS + number * 1000) for number in range(700)), now_ms=NOW_MS + DAY_MS)
    roll_up(own_redis, event(NOW_MS + 650_500), now_ms=NOW_MS + DAY_MS)
    times = [request["timestamp"] for request in read(stats)["requests"]]
    assert len(times) == 500
    assert times == sorted(times)
    assert times[-1] == NOW_MS // 1000 + 699
    assert times.count(NOW_MS // 1000 + 650) == 2


def test_figures_are_stale_when_the_worker_is_silent(own_redis: Redis, stats: Stats) -> None:
    """Without a roll-up for more than ten seconds the figures are marked, and /health can say since when."""
    roll_up(own_redis, event())
    assert stats.worker_age_s() == pytest.approx(0, abs=2)
    own_redis.decrby(STATS_ROLLED_AT, 11_000)
    assert read(stats)["stale"] is True
    assert stats.worker_age_s() == pytest.approx(11, abs=2)
    assert read(stats)["total"] == 1


@pytest.mark.timing
def test_last_figures_while_redis_is_away(own_server: EmbeddedRedis, own_redis: Redis, stats: Stats) -> None:
    """When Redis is gone the last known figures come at once, marked stale; when it is back so are fresh ones."""
    roll_up(own_redis, event())
    assert read(stats)["stale"] is False
    kill(own_server)
    try:
        began = time.monotonic()
        for _ in range(100):
            answer = read(stats, "/openai")
            assert (answer["stale"], answer["total"], answer["endpoints"]["/openai"]["count"]) == (True, 1, 1)
        assert stats.worker_age_s() is None
        assert time.monotonic() - began < 1
    finally:
        revive(own_server)
    wait_until(lambda: not read(stats)["stale"], "the figures are fresh")


@pytest.mark.timing
def test_a_hanging_redis_holds_up_one_reader_at_most(own_server: EmbeddedRedis, own_redis: Redis, stats: Stats) -> None:
    """While Redis accepts and says nothing, one reader a second waits for its timeout, the others do not."""
    roll_up(own_redis, event())
    read(stats)
    assert own_server.process is not None
    own_server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        read(stats)
        assert time.monotonic() - began < 1
        took: list[float] = []
        threads = [threading.Thread(target=lambda: took.append(timed(stats))) for _ in range(20)]
        time.sleep(stats_module.PROBE_PAUSE_S)  # the next one may try again
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(seconds > 0.2 for seconds in took) <= 1
    finally:
        own_server.process.send_signal(signal.SIGCONT)


def timed(stats: Stats) -> float:
    began = time.monotonic()
    assert read(stats)["stale"] is True
    return time.monotonic() - began


def test_an_outage_is_said_once(
    own_server: EmbeddedRedis, stats: Stats, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log says once that Redis is away, not with each call."""
    monkeypatch.setattr(stats_module, "PROBE_PAUSE_S", 0.0)
    kill(own_server)
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(5):
                read(stats)
    finally:
        revive(own_server)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("stored", [b"rubbish", b""])
def test_a_summary_that_is_none_is_stale(own_redis: Redis, stats: Stats, stored: bytes) -> None:
    """What is stored but cannot be read, by a newer worker or by accident, leaves the last known figures."""
    roll_up(own_redis, event())
    assert read(stats)["total"] == 1
    own_redis.set(STATS_SUMMARY, stored)
    own_redis.hset(STATS_PROCESSES, "x", b"rubbish")
    answer = read(stats)
    assert (answer["total"], answer["stale"]) == (1, True)


def test_a_name_is_only_text(own_redis: Redis, stats: Stats) -> None:
    """Hostile names come through as JSON text, in rows and in windows."""
    name = '</script><script>alert("1")\n\x00'
    roll_up(own_redis, event(endpoint=name))
    answer = read(stats, name)
    assert answer["endpoints"][name]["count"] == 1
    assert set(answer["windows"]["24h"]["endpoints"]) == {name}
    assert answer["requests"][0]["endpoint"] == name


def test_a_gateway_without_statistics_says_so(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """Switched off, the answer keeps its shape and says `enabled: false`."""
    with open_redis(own_server.url) as client:
        answer = read(Stats(client, enabled=False), "/openai")
    assert (answer["enabled"], answer["stale"]) == (False, False)
    assert answer["endpoints"]["/openai"]["count"] == 0


def test_a_summary_survives_packing() -> None:
    """unpack() gives back what pack() was given."""
    windows = {name: b'{"from_ms":%d}' % number for number, name in enumerate(WINDOW_NAMES)}
    summary = Summary({"total": 1}, b'[{"endpoint":"a\\nb"}]', windows)
    assert Summary.unpack(summary.pack()) == summary
