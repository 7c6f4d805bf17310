"""What statistics cost: `python -m benchmarks.stats_read [endpoints]`.

Fills a private Redis with 62 days of history of 100 busy endpoints (every minute of the last day, every hour
of all days), then measures each step of an event's way, and the reading of `/stats`.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from app.core.statistics.events import RequestEvent
from app.core.statistics.tallies import Tally
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS, fold
from app.storage.connections import STATS_DAYS, STATS_HOUR, STATS_MINUTE, STATS_SUMMARY, STATS_TOTAL, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.statistics.envelopes import encode, pack, push
from app.storage.statistics.stats import Stats
from app.telemetry.recorder import Recorder, memory_mb
from worker.roll_up import RollUp

DAYS = 62


def main() -> None:
    endpoints = [f"/endpoint-{number}" for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 100)]
    now_ms = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedRedis(Path(directory))
        server.start()
        server.wait_until_ready()
        try:
            with open_redis(server.url) as client:
                measure(client, endpoints, now_ms)
        finally:
            server.stop()


def measure(client: Redis, endpoints: list[str], now_ms: int) -> None:
    fill(client, endpoints, now_ms)
    used_mb = client.info("memory")["used_memory"] / 1e6
    say(f"Redis holds {DAYS} days of {len(endpoints)} endpoints in", used_mb, "MB")
    say("record(), one event", record_us(), "us")
    batch = [event(endpoint, now_ms) for endpoint in endpoints] * max(1, 10_000 // len(endpoints))
    say("pack, one event", best(lambda: pack("p", 1, 0, [encode(one) for one in batch]), 5) / len(batch) * 1e6, "us")
    say("fold, one event", best(lambda: fold(batch, now_ms), 5) / len(batch) * 1e6, "us")

    roll_up = RollUp(client)
    before_mb = memory_mb()
    say("worker: first roll-up, reads all history", once(lambda: roll_up.run(now_ms)) * 1000, "ms")
    say("worker: memory of the sums", memory_mb() - before_mb, "MB")
    say("worker: a second without events", best(lambda: roll_up.run(now_ms), 20) * 1000, "ms")
    for busy in (1, 10, len(endpoints)):
        say(
            f"worker: a second with events on {busy} endpoints", second(client, roll_up, endpoints[:busy], now_ms), "ms"
        )
    turns = iter(range(1, 10))
    say("worker: the minute turns", best(lambda: roll_up.run(now_ms + next(turns) * MINUTE_MS), 5) * 1000, "ms")
    say("worker: the hour turns", once(lambda: roll_up.run(now_ms + HOUR_MS // 2)) * 1000, "ms")

    stats = Stats(client)
    answer = stats.read(endpoints, now_ms)
    say("the stored summary", client.strlen(STATS_SUMMARY) / 1000, "kB")
    say("the answer of /stats", len(answer) / 1000, "kB")
    say("read /stats, summary unchanged: median", median(lambda: stats.read(endpoints, now_ms)), "ms")
    say("read /stats, summary new: median", median(lambda: Stats(client).read(endpoints, now_ms)), "ms")
    assert len(orjson.loads(answer)["windows"]["30d"]["endpoints"]) == len(endpoints)


def fill(client: Redis, endpoints: list[str], now_ms: int) -> None:
    """Writes buckets as the ledger would have left them."""
    dice = random.Random(1)
    pool = [busy_tally(dice, now_ms, 40).encode() for _ in range(50)]
    hourly = [busy_tally(dice, now_ms, 1000).encode() for _ in range(50)]
    keys = [f"{STATS_MINUTE}{now_ms // MINUTE_MS - back}" for back in range(24 * 60)]
    for key in keys:
        client.hset(key, mapping={endpoint: dice.choice(pool) for endpoint in endpoints})
    for back in range(DAYS * 24):
        mapping = {endpoint: dice.choice(hourly) for endpoint in endpoints}
        client.hset(f"{STATS_HOUR}{now_ms // HOUR_MS - back}", mapping=mapping)
    for back in range(DAYS):
        day = now_ms // DAY_MS - back
        client.hset(STATS_DAYS, mapping={f"{day} r {endpoint}": 24_000 for endpoint in endpoints})
    client.hset(STATS_TOTAL, mapping={endpoint: dice.choice(hourly) for endpoint in endpoints})


def busy_tally(dice: random.Random, now_ms: int, requests: int) -> Tally:
    tally = Tally()
    for _ in range(requests):
        tally.add(event("/", now_ms, dice))
    return tally


def event(endpoint: str, now_ms: int, dice: random.Random | None = None) -> RequestEvent:
    dice = dice or random.Random()
    duration_ms, first_byte_ms = dice.lognormvariate(7, 1), dice.lognormvariate(5.5, 0.7)
    status = 500 if dice.random() < 0.03 else 200
    return RequestEvent("0" * 32, now_ms, endpoint, "POST", status, "", 900, 12_345, duration_ms, first_byte_ms)


def record_us() -> float:
    one = event("/a", 0)

    def run() -> None:
        recorder = Recorder(open_redis("redis://127.0.0.1:1"), queue_size=200_000)
        record = recorder.record
        for _ in range(100_000):
            record(one)
        recorder.stop(0)

    return best(run, 5) / 100_000 * 1e6


def second(client: Redis, roll_up: RollUp, endpoints: list[str], now_ms: int) -> float:
    """One roll-up of five events for each of the endpoints, in ms."""
    spent = []
    for _ in range(10):
        events = [encode(event(name, now_ms)) for name in endpoints] * 5
        push(client, pack(str(random.random()), 1, 0, events), len(events))
        spent.append(once(lambda: roll_up.run(now_ms)))
    return min(spent) * 1000


def once(act: Callable[[], object]) -> float:
    """Seconds of CPU: what Redis takes meanwhile is its own."""
    began = time.process_time()
    act()
    return time.process_time() - began


def best(act: Callable[[], object], times: int) -> float:
    return min(once(act) for _ in range(times))


def median(act: Callable[[], object]) -> float:
    return statistics.median(once(act) for _ in range(100)) * 1000


def say(what: str, figure: float, unit: str) -> None:
    print(f"{what:.<60} {figure:10.2f} {unit}")


if __name__ == "__main__":
    main()
