"""Many calls of several processes at one small budget, killed processes among them: it is never passed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import ApiError
from app.core.money.budget import Budget
from app.storage.budgets.budgets import Budgets
from app.storage.connections import BUDGETS, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.budgets import TOKEN, held, known, recorded, refusal
from tests.support.crowd import Crowd
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
COST = "witness:cost"
"""What calls really cost, as they say themselves when they end."""


def hammer(client: Redis, together: Callable[[], None], budget: Budget, callers: int, seed: int) -> int:
    """Callers who go on until they are refused, each call with an output limit of its own. How many were served."""
    budgets = Budgets(client)
    served: list[int] = []
    together()
    threads = [
        threading.Thread(target=go_on, args=(client, budgets, budget, served, seed * 1000 + number))
        for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    budgets.stop()
    return len(served)


def go_on(client: Redis, budgets: Budgets, budget: Budget, served: list[int], seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(50):
        nano = dice.randint(1_000, 50_000)
        try:
            reservation = budgets.reserve(TOKEN, budget, nano)
        except ApiError as error:
            assert error.code == "budget_exceeded"  # noqa: PT017 - another process tells no test
            return
        time.sleep(dice.uniform(0.0, 0.02))
        match dice.randint(0, 9):
            case 0:
                reservation.give_back()  # it failed
            case 1:
                client.incrby(COST, nano)
                reservation.settle(None)  # its client left, and nothing is known of what it used
            case _:
                cost = dice.randint(0, nano)
                client.incrby(COST, cost)
                reservation.settle(cost)
        served.append(nano)


class Sampler(threading.Thread):
    """Looks again and again at what is spent and held together."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.most = self.looks = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        with open_redis(self._url) as client:
            while not self.stopping.wait(0.005):
                self.most = max(self.most, held(client))
                self.looks += 1

    def stop(self) -> None:
        self.stopping.set()
        self.join()


def test_500_callers_of_four_processes_do_not_pass_a_small_budget(
    own_server: EmbeddedRedis, own_redis: Redis, crowd: Crowd, new_budgets: Callable[..., Budgets]
) -> None:
    """What is spent and held is never above the limit; and callers who go on alone get it all, but for one call's."""
    budget = Budget(day_nano=10_000_000)
    sampler = Sampler(own_server.url)
    sampler.start()
    served = crowd.act(own_redis, own_server.url, hammer, [(budget, 125, seed) for seed in range(4)])
    budgets, nano = new_budgets(), 40_000
    for _ in range(1000):
        try:
            reservation = budgets.reserve(TOKEN, budget, nano)
        except ApiError:
            break
        own_redis.incrby(COST, 30_000)
        reservation.settle(30_000)
    sampler.stop()
    spent = known(budgets, budget).spent.day_nano
    assert spent == int(own_redis.get(COST) or 0)
    assert 10_000_000 - nano < spent <= 10_000_000
    assert sampler.looks > 20
    assert sampler.most <= 10_000_000
    assert min(served) > 0


PROCESS = """
import sys, time
from app.core.money.budget import Budget
from app.storage.budgets.budgets import Budgets
from app.storage.connections import open_redis

client = open_redis(sys.argv[1])
budgets, budget = Budgets(client), Budget(int(sys.argv[2]))
budgets.reserve("7", budget, 300).settle(100)
budgets.reserve("7", budget, 500)
time.sleep(0.5)
print("holds", flush=True)
time.sleep(60)
"""


@pytest.mark.soak
def test_what_a_killed_process_held_is_given_back_within_20_s(
    own_server: EmbeddedRedis, own_redis: Redis, new_budgets: Callable[..., Budgets]
) -> None:
    """What its calls had cost before stays spent; until then what it held is nobody else's."""
    command = [sys.executable, "-c", PROCESS, own_server.url, "1000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "holds\n"
        budgets, budget = new_budgets(), Budget(1000)
        budgets.reserve(TOKEN, budget, 400).settle(0)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        killed_s = time.monotonic()
        assert refusal(budgets, budget, 401).code == "budget_exceeded"
        assert [leased for leased, *_ in recorded(own_redis).values() if leased] == [500]
        expire_soon(own_redis)
        wait_until(lambda: admitted(budgets, budget, 900), "it is given back", timeout_s=20)
        assert time.monotonic() - killed_s < 20
        assert refusal(budgets, budget, 1).code == "budget_exceeded"


def expire_soon(client: Redis) -> None:
    """Time passes: 16 of the 20 s of all that is leased."""
    for process, (leased, in_use, ends, *rest) in recorded(client).items():
        record = " ".join(str(one) for one in (leased, in_use, ends - 16_000, *rest))
        client.hset(BUDGETS + TOKEN, "p:" + process, record)


def admitted(budgets: Budgets, budget: Budget, nano: int) -> bool:
    try:
        budgets.reserve(TOKEN, budget, nano).settle(nano)
    except ApiError:
        return False
    return True
