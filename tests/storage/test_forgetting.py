"""What keepers remember of upstreams and keys that nobody uses any more: nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from app.storage.connections import SLOTS, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.limits import leases as leases_module
from app.storage.limits.rates import FORGET_S, Rates
from app.storage.limits.slots import Slots
from tests.support.waiting import wait_until


@pytest.fixture
def new_slots(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Callable[[], Slots]]:
    started: list[tuple[Slots, Redis]] = []

    def start() -> Slots:
        client = open_redis(own_server.url, socket_timeout_s=1)
        started.append((Slots(client), client))
        started[-1][0].start()
        return started[-1][0]

    yield start
    for slots, client in started:
        slots.stop()
        client.close()


def use(slots: Slots, upstream: str, limit: int = 3) -> None:
    slot = slots.acquire(upstream, limit, 2.0)
    assert slot is not None
    slot.release()


def turn_s(slots: Slots) -> float:
    """CPU time of one turn of the keeper in which it looks at all that it has."""
    turns = 30
    began_s = time.thread_time()
    for _ in range(turns):
        slots._look_at_all_s = 0.0
        slots._round(time.monotonic())
    return (time.thread_time() - began_s) / turns


def test_idle_upstreams_cost_nothing(new_slots: Callable[[], Slots]) -> None:
    """A thousand upstreams that were used once are forgotten, and a turn costs what it did before them."""
    slots = new_slots()
    taken = [slots.acquire(f"/{number}", 3, 2.0) for number in range(1000)]
    assert len(slots._leases) == 1000
    busy_s = turn_s(slots)
    for slot in taken:
        assert slot is not None
        slot.release()
    wait_until(lambda: not slots._leases, "all is forgotten")
    assert turn_s(slots) < busy_s / 10


def test_what_is_in_use_is_not_forgotten(new_slots: Callable[[], Slots], own_redis: Redis) -> None:
    """A call in flight keeps its slot, however long it lasts; when it ends nothing stays, here or in Redis."""
    slots = new_slots()
    slot = slots.acquire("/long", 1)
    assert slot is not None
    use(slots, "/short")
    wait_until(lambda: "/short" not in slots._leases, "the short one is forgotten")
    assert slots.in_use("/long") == 1
    assert slots.acquire("/long", 1) is None
    slot.release()
    wait_until(lambda: not slots._leases, "all is forgotten")
    assert not own_redis.exists(SLOTS + "/long")


def test_a_forgotten_upstream_is_leased_again(new_slots: Callable[[], Slots]) -> None:
    """Its plans go on counting, so that a late command of before can do no harm."""
    slots = new_slots()
    use(slots, "/again")
    number = slots._leases["/again"]._number
    wait_until(lambda: not slots._leases, "all is forgotten")
    use(slots, "/again")
    assert slots._leases["/again"]._number > number


def test_forgetting_gives_no_slot_twice(new_slots: Callable[[], Slots], monkeypatch: pytest.MonkeyPatch) -> None:
    """While leases are forgotten as soon as they can be, no more calls are in flight than there may be."""
    monkeypatch.setattr(leases_module, "IDLE_S", 0.0)
    slots, limit, lock = new_slots(), 2, threading.Lock()
    flying = most = done = 0
    until_s = time.monotonic() + 1.5

    def work(pause_s: float) -> None:
        nonlocal flying, most, done
        while time.monotonic() < until_s:
            slot = slots.acquire("/up", limit, 0.5)
            if slot is not None:
                with lock:
                    flying, done = flying + 1, done + 1
                    most = max(most, flying)
                time.sleep(0.001)
                with lock:
                    flying -= 1
                slot.release()
            time.sleep(pause_s)

    threads = [threading.Thread(target=work, args=(0.003 * number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= limit
    assert done > 50
    wait_until(lambda: not slots._leases, "all is forgotten")


def test_idle_keys_are_forgotten(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not asked for in two spans is forgotten; what is asked for stays, with all that is known of it."""
    now_s = time.monotonic()
    monkeypatch.setattr("app.storage.limits.rates.time.monotonic", lambda: now_s)
    rates = Rates(own_redis)
    for number in range(1000):
        assert rates.take(f"k{number}", 10.0, 5) == 0.0
    kept = rates._accounts["k1"]
    for _ in range(3):
        now_s += FORGET_S + 1
        rates.take("k1", 10.0, 5)
    assert rates._accounts == {"k1": kept}
    assert not rates._before
