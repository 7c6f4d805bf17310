"""The case of a channel with 100,000 keys: what they cost a web process, and how long it takes to bring them in."""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.core.judging.troubles import NONE, Rested, apply
from app.storage.connections import open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.health.observed import Health
from app.storage.health.stored import StoredHealth
from app.storage.keys.edits import KeyEdits
from app.storage.keys.pools import KeyPools
from app.storage.secrets import Secrets
from benchmarks.bench import Bench, absolute
from benchmarks.contenders import GATEWAY, Contender, add_channel, ask, gateway
from benchmarks.processes import free_port, peak_rss_kib, reset_peak, rss_kib
from benchmarks.table import Row, Section

MANY = 100_000
FEW = 10
IN_PROCESS = 20_000
"""Keys of the larger pool of which choosing and following are measured beside a small one: what is the same among
these is the same among more."""
CHANGES = 100
CHOICES = 5_000
ENCRYPTION_KEY = "of the benchmark"
IMPORT_S = 60.0


def many_keys(bench: Bench) -> Section:
    """Encrypted, and as long as those of OpenAI's projects."""
    section = Section("many_keys", f"A channel with {MANY:,} encrypted keys of 164 characters")
    with gateway(free_port(), bench.cores, more_settings={"ENCRYPTION_KEY": ENCRYPTION_KEY}) as server:
        section.rows += _imported(server)
    section.rows += _in_process()
    return section


def keys_of(count: int) -> list[str]:
    return [f"sk-proj-{number:0156}" for number in range(count)]


def _imported(server: Contender) -> list[Row]:
    [web] = server.pids
    number = add_channel(server, "many", "http://127.0.0.1:9", keys_of(FEW))  # who opens a key needs 7 MB, once
    time.sleep(1.0)
    before_kib = rss_kib(web)
    reset_peak(web)
    body = {"text": "\n".join(keys_of(MANY + FEW))}
    began = time.monotonic()
    status, said = ask(server.port, "POST", f"/api/channels/{number}/keys", body)
    if status != 202:
        raise RuntimeError(f"the gateway orders no import: {said[:200]!r}")
    while _active(server, number) < MANY + FEW:
        if time.monotonic() - began > IMPORT_S:
            raise RuntimeError(f"the import is not done within {IMPORT_S:.0f} s")
        time.sleep(0.1)
    seconds = time.monotonic() - began
    time.sleep(1.0)
    return [
        Row("import until the web process has them", "s", {GATEWAY: seconds}, absolute(10.0)),
        Row("memory of the web process for them", "MB", {GATEWAY: (rss_kib(web) - before_kib) / 1000}, absolute(25.0)),
        Row("the same at most, in between", "MB", {GATEWAY: (peak_rss_kib(web) - before_kib) / 1000}),
    ]


def _active(server: Contender, number: str) -> int:
    status, said = ask(server.port, "GET", f"/api/channels/{number}")
    return int(json.loads(said)["channel"]["keys"]["active"]) if status == 200 else 0


def _in_process() -> list[Row]:
    with _processes() as (edits, other):
        for channel_id, count in (("few", FEW), ("many", IN_PROCESS)):
            edits.add(channel_id, keys_of(count))
        other.load()
        ids = {channel_id: edits.ids(channel_id) for channel_id in ("few", "many")}
        heard = {name: _cost_us(CHANGES, _changes(edits, name, ids[name][5]), other.load) for name in ids}
        chosen = {}
        for name in ids:
            pool, now_ms = other.of(name), time.time_ns() // 1_000_000
            for key_id in ids[name][:-2]:
                pool.set_trouble(int(key_id), apply(NONE, Rested(now_ms, now_ms + 60_000)), now_ms)
            chosen[name] = _cost_us(20, lambda: None, lambda pool=pool: _choose(pool)) / CHOICES
    return [
        Row(f"CPU of hearing of one changed key among {FEW}", "µs", {GATEWAY: heard["few"]}),
        Row("the same among many over among few", "×", {GATEWAY: heard["many"] / heard["few"]}, absolute(1.25)),
        Row(f"CPU of choosing a key where 2 of {FEW} are fit", "µs", {GATEWAY: chosen["few"]}),
        Row("where 2 of many are, over that", "×", {GATEWAY: chosen["many"] / chosen["few"]}, absolute(1.5)),
    ]


def _choose(pool: object) -> None:
    for _ in range(CHOICES):
        pool.turn("round_robin").next()  # type: ignore[attr-defined]


def _changes(edits: KeyEdits, channel_id: str, key_id: str) -> Callable[[], None]:
    numbers = iter(range(CHANGES))
    return lambda: edits.change(channel_id, key_id, note=f"note {next(numbers)}")


def _cost_us(times: int, before: Callable[[], None], act: Callable[[], object]) -> float:
    """CPU time of `act`, the median."""
    took = []
    for _ in range(times):
        before()
        began_s = time.thread_time()
        act()
        took.append(time.thread_time() - began_s)
    return statistics.median(took) * 1e6


@contextlib.contextmanager
def _processes() -> Iterator[tuple[KeyEdits, KeyPools]]:
    """What one process edits with, and the pools of another."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        server = EmbeddedRedis(Path(directory))
        server.start()
        server.wait_until_ready()
        try:
            with open_redis(server.url) as ours, open_redis(server.url) as theirs:
                secrets = Secrets([ENCRYPTION_KEY])
                pools = KeyPools(ours, secrets)
                yield KeyEdits(pools, Health(pools), StoredHealth(ours, "")), KeyPools(theirs, secrets)
        finally:
            server.stop()
