"""Slots: never more than the limit in flight over all processes, hardly less when there is demand, and none is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.storage.connections import SLOTS, SLOTS_NEWS, Redis, RedisError, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.limits import leases as leases_module
from app.storage.limits import slots as slots_module
from app.storage.limits.leases import FULL_S
from app.storage.limits.slots import Slot, Slots
from tests.support.crowd import Crowd
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until
from tests.support.wire import Wire

UP = "/up"
ROOT = Path(__file__).resolve().parents[3]
TOLD_S = 0.05
"""More than `FULL_S`, with what a busy machine adds."""

# The witness: how many are in flight, the most there ever were, and the slot-seconds used. It knows nothing of slots.
ENTER = "local n = redis.call('INCR', KEYS[1]) if n > tonumber(redis.call('GET', KEYS[2]) or 0) then "
ENTER += "redis.call('SET', KEYS[2], n) end"


@pytest.fixture
def new_slots(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Callable[..., Slots]]:
    """Starts what one process would have, with a client of its own."""
    started: list[tuple[Slots, Redis]] = []

    def start(**options: Any) -> Slots:
        client = open_redis(own_server.url, socket_timeout_s=0.3)
        slots = Slots(client, **options)
        started.append((slots, client))
        slots.start()
        return slots

    yield start
    for slots, client in started:
        slots.stop()
        client.close()


def take(slots: Slots, count: int, limit: int) -> list[Slot]:
    held = [slots.acquire(UP, limit) for _ in range(count)]
    assert None not in held
    return [slot for slot in held if slot is not None]


def told(client: Redis) -> int:
    """How many slots are leased, as Redis sees it."""
    records = client.hgetall(SLOTS + UP)
    return sum(int(record.split()[0]) for record in records.values())


# Processes that hammer. ---------------------------------------------------------------------------------------------


def hammer(
    client: Redis, together: Callable[[], None], name: str, limit: int, wait_s: float, span_s: float, seed: int
) -> None:
    """What a process does: six threads that take and hold, as fast as they are let."""
    slots = Slots(client)
    slots.start()
    together()
    threads = [
        threading.Thread(target=hold, args=(client, slots, name, limit, wait_s, span_s, seed * 10 + number))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slots.stop()


def hold(client: Redis, slots: Slots, name: str, limit: int, wait_s: float, span_s: float, seed: int) -> None:
    dice = random.Random(seed)
    enter = client.register_script(ENTER)
    end_s = time.monotonic() + span_s
    while time.monotonic() < end_s:
        slot = slots.acquire(name, limit, wait_s)
        if slot is None:
            client.incr(f"{name}:full")
            continue
        began_s = time.monotonic()
        enter(keys=[f"{name}:flying", f"{name}:most"])
        time.sleep(dice.uniform(0.02, 0.1))
        client.decr(f"{name}:flying")
        used_s = max(0.0, min(time.monotonic(), end_s) - began_s)
        slot.release()
        client.hincrbyfloat(f"{name}:used", slots.id, used_s)


@pytest.mark.timing
@pytest.mark.parametrize(("limit", "wait_s"), [(5, 0.0), (5, 2.0), (3, 2.0)], ids=["full", "waiting", "few"])
def test_never_more_than_the_limit_and_hardly_less(
    own_server: EmbeddedRedis, own_redis: Redis, crowd: Crowd, limit: int, wait_s: float
) -> None:
    """Four processes with 24 threads want more than there is: the witness sees the limit, and seldom less."""
    span_s = 1.6
    each = [(UP, limit, wait_s, span_s, seed) for seed in range(4)]
    crowd.act(own_redis, own_server.url, hammer, each)
    assert int(own_redis.get(f"{UP}:most") or 0) == limit
    used = [float(seconds) for seconds in own_redis.hvals(f"{UP}:used")]
    assert sum(used) >= 0.9 * limit * span_s
    assert min(used) >= 0.1 * sum(used) / len(used)  # nobody starves; how fair it is depends on the machine
    assert told(own_redis) == 0


CLUTCH = """
import sys, time
from app.storage.connections import open_redis
from app.storage.limits.slots import Slots
url, name = sys.argv[1:]
slots = Slots(open_redis(url, socket_timeout_s=1), ttl_s=0.6)
slots.start()
assert all(slots.acquire(name, 4) for _ in range(4))
print("all are taken", flush=True)
time.sleep(60)
"""


@pytest.mark.timing
def test_the_slots_of_a_killed_process_come_back(
    own_server: EmbeddedRedis, own_redis: Redis, new_slots: Callable[..., Slots]
) -> None:
    """They are missing until its lease expires, however long it had been renewed, and no longer."""
    slots = new_slots(ttl_s=0.6)
    command = [sys.executable, "-c", CLUTCH, own_server.url, UP]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        try:
            assert victim.stdout is not None
            assert victim.stdout.readline() == "all are taken\n"
            time.sleep(0.8)  # a lease that is not renewed would have expired by now
            assert slots.acquire(UP, 4) is None
        finally:
            victim.kill()
    died_s = time.monotonic()
    slot = slots.acquire(UP, 4, wait_s=5)
    assert slot is not None
    assert 0.3 < time.monotonic() - died_s < 0.9
    slot.release()


GREENLETS = """
import sys
from gevent import monkey
monkey.patch_all()
import gevent, random
from app.storage.connections import open_redis
from app.storage.limits.slots import Slots
url, name, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
dice, most = random.Random(7), 0
both = [Slots(open_redis(url, socket_timeout_s=1)) for _ in range(2)]
flying = [0]
def call(slots):
    global most
    slot = slots.acquire(name, limit, 5)
    if slot is None:
        return
    try:
        flying[0] += 1
        most = max(most, flying[0])
        gevent.sleep(dice.uniform(0, 0.01))
    finally:
        flying[0] -= 1
        slot.release()
for slots in both:
    slots.start()
calls = [gevent.spawn(call, dice.choice(both)) for _ in range(600)]
gevent.sleep(0.1)
for victim in dice.sample(calls, 300):
    victim.kill(block=False)
gevent.joinall(calls)
print(most, flying[0], sum(slots.in_use(name) for slots in both))
for slots in both:
    slots.stop()
"""


def test_killed_greenlets_leave_nothing_behind(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """As in the web process: 600 greenlets, half of them killed as they wait or hold."""
    said = subprocess.run(
        [sys.executable, "-c", GREENLETS, own_server.url, UP, "7"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert said.stdout.split() == ["7", "0", "0"], said.stderr
    assert told(own_redis) == 0


# Between processes. -------------------------------------------------------------------------------------------------


@pytest.mark.timing
def test_full_is_said_at_once(new_slots: Callable[..., Slots]) -> None:
    """To the holder of all slots without any delay, to another process after a short search."""
    holder, other = new_slots(), new_slots()
    take(holder, 3, 3)
    for slots, patience_s in ((holder, 0.002), (other, FULL_S + 0.01)):
        took_s = []
        for _ in range(5):
            began_s = time.monotonic()
            assert slots.acquire(UP, 3) is None
            took_s.append(time.monotonic() - began_s)
        assert min(took_s) < patience_s


def test_an_unused_slot_is_found_wherever_it_is(
    new_slots: Callable[..., Slots], own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies unused in one process is given to another that lacks it, by the word between them and not by polls."""
    holder, other = new_slots(), new_slots()
    wait_until(lambda: own_redis.pubsub_numsub(SLOTS_NEWS)[0][1] >= 2, "both listen")
    for nonsense in ("nonsense", "want of words", f"want a b {UP}"):
        own_redis.publish(SLOTS_NEWS, nonsense)
    for slot in take(holder, 4, 4)[:3]:
        slot.release()
    for module in (slots_module, leases_module):
        monkeypatch.setattr(module, "POLL_S", 60)
    assert other.acquire(UP, 4, wait_s=5) is not None  # long before any poll
    assert told(own_redis) <= 4


@pytest.mark.timing
def test_a_waiting_process_gets_the_slot_that_another_frees(new_slots: Callable[..., Slots]) -> None:
    """Although the other has calls of its own that wait: who has nothing does not come last."""
    holder, other = new_slots(), new_slots()
    slots = take(holder, 4, 4)
    own: list[float] = []
    waiting = [threading.Thread(target=queue, args=(holder, 4, 5, own)) for _ in range(3)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: len(holder._leases[UP].waiters) == 3, "three wait")
    threading.Timer(0.2, slots[0].release).start()
    slot = other.acquire(UP, 4, wait_s=5)
    assert slot is not None
    assert len(own) < 3  # on an idle machine 0
    slot.release()
    for held in slots[1:]:
        held.release()
    for thread in waiting:
        thread.join(5)
    assert len(own) == 3


def queue(slots: Slots, limit: int, wait_s: float, got: list[float]) -> None:
    slot = slots.acquire(UP, limit, wait_s)
    if slot is not None:
        got.append(time.monotonic())
        slot.release()


def test_news_that_died_in_silence_are_missed(wire: Wire) -> None:
    """A listener whose connection lost everything, and was told nothing, soon listens on another."""
    with open_redis(wire.url, socket_timeout_s=1) as client:
        slots = Slots(client)
        slots.start()
        try:
            wait_until(lambda: wire.subscriptions == 1, "it listens")
            wire.lose_subscribers()
            wait_until(lambda: wire.subscriptions == 2, "it listens again")
        finally:
            slots.stop()


def test_idle_slots_go_back_by_themselves(new_slots: Callable[..., Slots], own_redis: Redis) -> None:
    """What was not used for a second or two is nobody's any more; the record goes with the last."""
    slots = new_slots()
    for slot in take(slots, 20, 100):
        slot.release()
    assert told(own_redis) >= 20
    began_s = time.monotonic()
    wait_until(lambda: told(own_redis) == 0, "nothing is counted any more")
    assert time.monotonic() - began_s > 0.5


def test_stop_hands_everything_back(new_slots: Callable[..., Slots], own_redis: Redis) -> None:
    """The slots of a process that ends are free at once."""
    ending = new_slots()
    take(ending, 2, 2)
    ending.stop()
    assert told(own_redis) == 0
    take(new_slots(), 2, 2)


def test_a_second_release_does_nothing(new_slots: Callable[..., Slots]) -> None:
    slots = new_slots()
    first, _ = take(slots, 2, 2)
    first.release()
    first.release()
    assert slots.in_use(UP) == 1
    assert slots.in_use("/unknown") == 0


def test_the_common_path_asks_nobody(new_slots: Callable[..., Slots], own_redis: Redis) -> None:
    """Ten thousand calls, ten at a time: Redis sees the first ones and the renewals."""
    slots = new_slots()
    take(slots, 10, 100)
    before = int(own_redis.info("commandstats")["cmdstat_eval"]["calls"])
    for _ in range(1000):
        for slot in take(slots, 10, 100):
            slot.release()
    assert int(own_redis.info("commandstats")["cmdstat_eval"]["calls"]) - before <= 3


# Waiting. -----------------------------------------------------------------------------------------------------------


def test_who_came_first_goes_first(new_slots: Callable[..., Slots]) -> None:
    """Those who wait are served in the order in which they came, and a newcomer does not pass them."""
    slots = new_slots()
    (slot,) = take(slots, 1, 1)
    order: list[int] = []

    def wait(number: int) -> None:
        got = slots.acquire(UP, 1, 5)
        assert got is not None
        order.append(number)
        got.release()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_until(lambda: len(slots._leases[UP].waiters) == number + 1, "one more waits")  # noqa: B023
    assert slots.acquire(UP, 1) is None
    slot.release()
    for thread in threads:
        thread.join(5)
    assert order == list(range(8))


@pytest.mark.timing
def test_waiting_ends_in_time(new_slots: Callable[..., Slots]) -> None:
    """Whether the slots are held here or in another process."""
    holder, other = new_slots(), new_slots()
    take(holder, 2, 2)
    for slots in (holder, other):
        began_s = time.monotonic()
        assert slots.acquire(UP, 2, wait_s=0.2) is None
        assert 0.2 <= time.monotonic() - began_s < 0.2 + TOLD_S


# The limit changes. -------------------------------------------------------------------------------------------------


def test_a_lowered_limit_holds_at_once_for_what_is_new(new_slots: Callable[..., Slots], own_redis: Redis) -> None:
    """What is in flight stays so; nothing is added before the sum over both processes is under the new limit."""
    one, two = new_slots(), new_slots()
    held = take(one, 4, 10) + take(two, 4, 10)
    assert one.acquire(UP, 6) is None
    assert two.acquire(UP, 6) is None
    for slot in held[:2] + held[4:5]:
        slot.release()
    assert one.in_use(UP) + two.in_use(UP) == 5
    assert one.acquire(UP, 6) is not None
    assert two.acquire(UP, 6) is None
    assert one.acquire(UP, 6) is None
    assert told(own_redis) <= 6


def test_a_raised_limit_holds_at_once(new_slots: Callable[..., Slots]) -> None:
    one, two = new_slots(), new_slots()
    take(one, 2, 2)
    assert two.acquire(UP, 2) is None
    take(two, 3, 5)
    assert one.acquire(UP, 5) is None


# Redis goes away. ---------------------------------------------------------------------------------------------------


def test_without_redis_each_process_keeps_the_limit(
    own_server: EmbeddedRedis, new_slots: Callable[..., Slots], own_redis: Redis
) -> None:
    """Killed in the middle: no call waits or fails for it. Back again: what is in flight is counted over all."""
    one, two = new_slots(), new_slots()
    slots = take(one, 3, 4)
    kill(own_server)
    try:
        own = take(two, 4, 4)
        assert two.acquire(UP, 4) is None
        slots.append(*take(one, 1, 4))
        assert one.acquire(UP, 4) is None
    finally:
        revive(own_server)
    wait_until(lambda: not one.alone and not two.alone, "both have Redis again")
    wait_until(lambda: told(own_redis) == 8, "all are told again")  # over the limit, as it is
    own[0].release()
    slots[0].release()
    assert [one.acquire(UP, 4), two.acquire(UP, 4)].count(None) >= 1  # whoever came back last gives none out again
    for slot in own:
        slot.release()
    wait_until(lambda: told(own_redis) <= 4, "it is within the limit again")


def test_a_redis_that_forgot_is_told_again(new_slots: Callable[..., Slots], own_redis: Redis) -> None:
    """Emptied and its connections cut, as a restart without a disk is: what is in flight is on record in a moment."""
    one, two = new_slots(ttl_s=60.0), new_slots(ttl_s=60.0)  # by itself it would tell it again after 18 s
    take(one, 3, 3)
    wait_until(lambda: own_redis.pubsub_numsub(SLOTS_NEWS)[0][1] >= 2, "both listen")
    own_redis.flushall()
    own_redis.client_kill_filter(_type="pubsub")
    wait_until(lambda: told(own_redis) == 3, "three are counted")
    assert two.acquire(UP, 3) is None


@pytest.mark.timing
def test_a_redis_that_hangs_costs_its_timeout_once(new_slots: Callable[..., Slots], own_redis: Redis) -> None:
    """The first call waits for the client's timeout and is served; the next ones do not wait."""
    slots = new_slots()
    own_redis.execute_command("CLIENT", "PAUSE", "500", "ALL")
    began_s = time.monotonic()
    assert slots.acquire(UP, 3) is not None
    assert time.monotonic() - began_s < 0.45
    began_s = time.monotonic()
    take(slots, 2, 3)
    assert slots.acquire(UP, 3) is None
    assert time.monotonic() - began_s < 0.01
    wait_until(lambda: not slots.alone, "it has Redis again")


def test_a_lost_answer_leaves_nothing_behind(
    new_slots: Callable[..., Slots], own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis leased, its answer was lost: the process goes on alone, and later takes the lease up or gives it back."""
    slots = new_slots()
    tell = slots._tell

    def tell_and_lose(plans: Any) -> Any:
        tell(plans)
        raise RedisError("the answer is lost")

    monkeypatch.setattr(slots, "_tell", tell_and_lose)
    (slot,) = take(slots, 1, 4)
    assert slots.alone
    assert told(own_redis) > 0
    slot.release()
    monkeypatch.undo()
    wait_until(lambda: told(own_redis) == 0 and not slots.alone, "Redis is there, nothing is counted")


def test_it_limits_before_it_starts_and_after_it_stopped(own_redis: Redis) -> None:
    """Then this process is alone, and Redis is not asked."""
    slots = Slots(own_redis)
    held = take(slots, 2, 2)
    assert slots.acquire(UP, 2, wait_s=0.01) is None
    held[0].release()
    take(slots, 1, 2)
    assert told(own_redis) == 0


def test_a_late_command_changes_nothing(new_slots: Callable[..., Slots], own_redis: Redis) -> None:
    """One that a later one has overtaken, as can be after a timeout, does not take slots away from their holder."""

    def tell(number: int, kept: int, wanted: int) -> Any:
        return own_redis.eval(slots_module._LEASE, 2, SLOTS + UP, "news", "me", 1000, number, 4, kept, wanted, UP)

    assert tell(2, 0, 4) == [4, 4]
    assert tell(1, 0, 0)[0] == -1
    assert told(own_redis) == 4
    assert tell(3, 1, 1) == [1, 4]
