"""Killing everything in a loop: what was recorded is what is counted."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import closing, suppress
from typing import Any

import orjson
import pytest
import redis
from sqlalchemy import distinct, func, select

from app.certificate_files import CertificateFiles
from app.core.statistics.problems import MOST_OF_A_KIND
from app.core.statistics.windows import PANEL_SPANS
from app.storage.connections import LOG_DROPPED, LOG_WAITING, STATS_BACKLOG, STATS_EVENTS, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.request_log.waiting import MOST_WAITING
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.statistics.tables import hours
from app.storage.sql.tables import logs
from app.storage.statistics.panels import PanelReader
from app.storage.statistics.stats import Stats
from app.wire.database_url import sqlite_file
from tests.support.environ import database_of
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until
from tests.support.worker_process import ROOT, StartWorker

KILLS = {"worker": 6, "connections": 6, "server": 4}
pytestmark = [pytest.mark.timeout(150), pytest.mark.soak]
PRODUCERS = 3

PRODUCER = """
import signal, sys, time
from app.core.statistics.events import RequestEvent
from app.storage.connections import open_redis
from app.telemetry.recorder import Recorder
url, endpoint = sys.argv[1:]
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append("to stop"))
recorder = Recorder(open_redis(url, socket_timeout_s=1), queue_size=1_000_000)
recorder.start()
count = errors = 0
print("begins", flush=True)
while not told:
    for _ in range(25):
        count += 1
        status = 500 if count % 7 == 0 else 200
        errors += status == 500
        now_ms = time.time_ns() // 1_000_000
        recorder.record(RequestEvent(f"{count}-{endpoint[1:]}", now_ms, endpoint, "GET", status, "", 3, 9, 5.0, 1.0))
    time.sleep(0.005)
recorder.stop(20)
print(count, errors, recorder.dropped, recorder.waiting)
"""


def test_nothing_is_lost_and_nothing_counted_twice(
    own_server: EmbeddedRedis, own_redis: Redis, start_worker: StartWorker
) -> None:
    """Worker, server and connections are killed again and again; the sums equal what was sent, endpoint by endpoint."""
    dice = random.Random(2)
    producers = [produce(own_server.url, f"/p{number}") for number in range(PRODUCERS)]
    workers = [start_worker(), start_worker()]
    for what in dice.sample(list(KILLS), sum(KILLS.values()), counts=KILLS.values()):
        time.sleep(dice.uniform(0.1, 0.5))
        if what == "worker":
            victim = dice.randrange(2)
            workers[victim].kill()
            workers[victim] = start_worker()
        elif what == "connections":
            cut(own_server.url)
        else:
            kill_between_syncs(own_server)
            time.sleep(dice.uniform(0, 0.3))
            revive(own_server)
    for producer in producers:
        producer.terminate()
    sent = {f"/p{number}": counts(producer) for number, producer in enumerate(producers)}
    with open_redis(own_server.url) as client:
        wait_until(lambda: client.llen(STATS_EVENTS) == 0, "all are rolled up", timeout_s=60)
        assert int(client.get(STATS_BACKLOG) or 0) == 0
        check(client, sent)
        check_log(client, own_server.url, sent)


def produce(url: str, endpoint: str) -> subprocess.Popen[str]:
    """Records for the endpoint, as soon as this returns and until it is told to end."""
    producer = subprocess.Popen(
        [sys.executable, "-c", PRODUCER, url, endpoint],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert producer.stdout is not None
    assert producer.stdout.readline() == "begins\n"
    return producer


def kill_between_syncs(server: EmbeddedRedis) -> None:
    """While its file is being synced the server answers writes before it writes them: then a kill would cost them."""
    with open_redis(server.url) as client:
        wait_until(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0, "all is on the disk")
        kill(server)


def cut(url: str) -> None:
    with suppress(redis.RedisError), open_redis(url) as client:
        client.client_kill_filter(_type="normal", skipme=True)


def counts(producer: subprocess.Popen[str]) -> tuple[int, int]:
    said, complaints = producer.communicate()
    assert producer.returncode == 0, complaints
    count, errors, dropped, left = map(int, said.split())
    assert (dropped, left) == (0, 0)
    return count, errors


def check(client: Redis, sent: dict[str, tuple[int, int]]) -> None:
    """The published figures: total, and every window, which all cover the test's few seconds."""
    expected = sum(count for count, _ in sent.values())
    assert expected > 10_000
    stats = Stats(client)
    answer = {}

    def settled() -> bool:
        answer.update(orjson.loads(stats.read(sent, time.time_ns() // 1_000_000)))
        return answer["total"] == expected and not answer["stale"]

    with suppress(AssertionError):
        wait_until(
            settled, "all are counted", timeout_s=60
        )  # at worst a lease expires, and a worker finds nothing to do for a while
    assert answer["total"] == expected
    assert answer["dropped_events"] == 0
    assert answer["errors"] == sum(errors for _, errors in sent.values())
    for endpoint, (count, errors) in sent.items():
        assert answer["endpoints"][endpoint]["count"] == count
        for window in answer["windows"].values():
            figures = window["endpoints"][endpoint]
            assert (figures["requests"], figures["errors"]) == (count, errors)
            assert figures["request_bytes"] == 3 * count
            assert sum(figures["series"]["requests"]) == count
    for endpoint, (count, errors) in sent.items():
        check_panels(PanelReader(stats), endpoint, count, errors)


def check_panels(reader: PanelReader, endpoint: str, count: int, errors: int) -> None:
    """How they ended, in every window and in its chart; and each of the latest problems once."""
    told: dict[str, Any] = {}

    def settled() -> bool:
        for window in PANEL_SPANS:
            told[window] = orjson.loads(reader.read(window, endpoint, [endpoint], time.time_ns() // 1_000_000))
        return all(one["traffic"]["figures"]["requests"] == count for one in told.values())

    wait_until(settled, "the panels tell all", timeout_s=60)  # parts of endpoints are put off for some seconds
    for panel in told.values():
        outcomes = {name: ended for name, ended in panel["traffic"]["figures"]["outcomes"].items() if ended}
        assert outcomes == {"ok": count - errors, "server_errors": errors}
        assert {name: sum(line) for name, line in panel["traffic"]["chart"]["outcomes"].items()} == outcomes
        problems = [one["request_id"] for one in panel["problems"] if one["endpoint"] == endpoint]
        numbers = sorted(int(one.partition("-")[0]) for one in problems)
        assert numbers == [7 * (errors - age) for age in reversed(range(MOST_OF_A_KIND))]


def check_log(client: Redis, url: str, sent: dict[str, tuple[int, int]]) -> None:
    """Each call has one row in the SQL database, and is counted once in the sums that stand beside."""
    wait_until(lambda: client.llen(LOG_WAITING) == 0, "all are written", timeout_s=60)
    dropped = int(client.get(LOG_DROPPED) or 0)
    with closing(WorkerDatabase(sqlite_file(str(database_of(url))), CertificateFiles())) as database:
        asked = select(func.count(), func.count(distinct(logs.c.request_id)))
        rows, calls = database.run(lambda one: one.execute(asked).one(), writes=False)
        summed = database.run(lambda one: one.scalar(select(func.sum(hours.c.requests))), writes=False)
    assert rows == calls == summed == sum(count for count, _ in sent.values()) - dropped
    assert not dropped or rows >= MOST_WAITING, "only what finds no room is dropped"
