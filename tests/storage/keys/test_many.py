"""What very many keys cost: memory, one change among them, and how long others wait while something is done to all."""

from __future__ import annotations

import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest

from app import waiting
from app.core.channels.keys import KeyState, StoredKey
from app.core.judging.troubles import Trouble, written
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.listing import out_of_pools
from app.storage.keys.pool import KeyPool
from app.storage.secrets import Secrets
from tests.support.keeping import INVALID, KeepingProcess, now_ms
from tests.support.launched import NEEDS_PROC
from tests.support.turns import least, steps_of

pytestmark = pytest.mark.xdist_group("many keys")

MANY = 8_000
STEP_S = 0.015
"""CPU time of one step, where a machine is three times slower than one that takes 5 ms."""
SEALING = Secrets(["a key"], 1)


def put_in_trouble(many: KeepingProcess) -> None:
    for key_id in many.edits.ids("1")[::2]:
        many.note(INVALID, key=key_id)
    many.health.dirty.clear()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeepingProcess]:
    """A process whose channels 1 and 2 have very many keys, and 3 has ten. Nobody else changes them."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("many"))
    server.start()
    server.wait_until_ready()
    try:
        process = KeepingProcess(server.url, secrets=SEALING)
        for channel_id, count in (("1", MANY), ("2", MANY), ("3", 10)):
            process.edits.add(channel_id, [f"sk-{channel_id}-{number:030}" for number in range(count)])
        put_in_trouble(process)
        yield process
        process.redis.close()
    finally:
        server.stop()


def copy_and_delete(many: KeepingProcess) -> None:
    many.edits.copy("2", "4")
    many.edits.delete("4", many.edits.ids("4"))


def disable_and_enable(many: KeepingProcess) -> None:
    for enabled in (False, True):
        assert many.edits.enable("2", many.edits.ids("2"), enabled=enabled) == MANY


ACTS: dict[str, Callable[[KeepingProcess], object]] = {
    "a page": lambda many: many.edits.page("1", limit=500),
    "a page of a state": lambda many: many.edits.page("1", [KeyState.BLACKLISTED], limit=500),
    "by a part of a hint": lambda many: many.edits.page("1", q="9999"),
    "by a part of a note": lambda many: many.edits.page("1", q="is in no note of any"),
    "by a whole key": lambda many: many.edits.page("1", q=f"sk-1-{77:030}"),
    "the blacklist": lambda many: sum(map(len, out_of_pools([many.pools.of("1"), many.pools.of("2")], many.health))),
    "ids": lambda many: many.edits.ids("1"),
    "ids that are checked": lambda many: many.edits.unknown("1", many.edits.ids("1")),
    "export": lambda many: sum(map(len, many.edits.export("1", many.edits.ids("1")))),
    "disable all, enable all": disable_and_enable,
    "restore all": lambda many: many.edits.restore("1", many.edits.ids("1")),
    "copy, delete all": copy_and_delete,
    "read all": lambda many: KeepingProcess(_url(many), secrets=SEALING).pools.load(),
    "write all back": lambda many: (many.redis.flushall(), many.pools.load()),
}
BEFORE: dict[str, Callable[[KeepingProcess], object]] = {"restore all": put_in_trouble}


def _url(many: KeepingProcess) -> str:
    return f"unix://{many.redis.connection_pool.connection_kwargs['path']}"


@pytest.mark.timing
@pytest.mark.parametrize("act", ACTS)
def test_whatever_is_done_to_very_many_keys_others_have_their_turns(
    many: KeepingProcess, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """No step is long. In the end the pool holds what is stored."""

    def longest_step_s() -> float:
        BEFORE.get(act, lambda many: None)(many)
        with monkeypatch.context() as patched, steps_of(patched, waiting) as steps:
            ACTS[act](many)
            waiting.give_way()
        return max(steps)

    assert least(longest_step_s, STEP_S) < STEP_S
    assert len(many.pools.of("1")) == MANY == many.redis.hlen("apiproxy:{channels}:keys:1")


@pytest.mark.timing
def test_a_change_of_one_key_costs_the_same_among_many_as_among_few(many: KeepingProcess) -> None:
    """A process that hears of it asks for that key alone."""
    other = KeepingProcess(_url(many), secrets=SEALING)
    other.pools.load()

    def cost_s(channel_id: str, number: int) -> float:
        many.edits.change(channel_id, key_ids[channel_id], note=f"note {number}")
        began_s = time.thread_time()
        other.pools.load()
        return time.thread_time() - began_s

    key_ids = {channel_id: many.edits.ids(channel_id)[5] for channel_id in ("1", "3")}
    costs = [(cost_s("1", number), cost_s("3", number)) for number in range(40)]
    among_many, among_few = (median(each) for each in zip(*costs, strict=True))
    assert among_many < 1.5 * among_few
    assert other.pools.of("1").stored_at(5).note == "note 39"
    other.redis.close()


@pytest.mark.soak
def test_keys_take_little_memory() -> None:
    """25 MB for 100,000 of them, as long as those of OpenAI's projects are, and encrypted."""
    pool = KeyPool("1", SEALING)
    sealed = [SEALING.seal(f"sk-proj-{number:0156}", "1") for number in range(MANY)]
    pool.put(StoredKey(1, sealed[0]), now_ms())
    tracemalloc.start()
    try:
        for number in range(1, MANY):
            pool.put(StoredKey(number + 1, sealed[number]), now_ms())
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / MANY < 250
    assert pool.secret_at(MANY - 1) == f"sk-proj-{MANY - 1:0156}"


@pytest.mark.soak
def test_keys_in_trouble_take_little_memory_too(many: KeepingProcess) -> None:
    """Nothing but what is stored of each is kept, and one number."""
    health, raw = many.health, written(Trouble(1, 1, 1, 0, 0, 0, 1, "invalid_key", "no such key", 1, 0))
    key_ids = many.edits.ids("2")
    tracemalloc.start()
    try:
        for key_id in key_ids:
            health.learn("2", f"k{key_id}", bytes(bytearray(raw)), now_ms())
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / MANY < 400
    assert many.edits.get("2", key_ids[5]).trouble.text == "no such key"
    assert many.edits.restore("2", key_ids) == MANY
    health.dirty.clear()


@NEEDS_PROC
def test_what_is_stored_of_a_trouble_keeps_no_more_memory_than_it_is_long() -> None:
    """What orjson gives takes 4 KB for as long as somebody keeps it."""
    kept = rss_bytes()
    texts = [written(Trouble(number)) for number in range(20_000)]
    assert rss_bytes() - kept < 20_000 * 1000
    assert len(texts) == 20_000


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
