"""While Redis is away a budget stays shut, or each process has a little; when it is back it all counts."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from app.core.errors import ApiError
from app.core.money.budget import Budget
from app.storage.budgets import keeper
from app.storage.budgets.budgets import STOP, Budgets, WhenAway
from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.budgets import TOKEN, USD, held, refusal, wait_until_spent
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

NewBudgets = Callable[..., Budgets]
LOCAL = WhenAway(50)


@pytest.fixture
def away(own_server: EmbeddedRedis) -> Callable[[], None]:
    """Kills Redis."""

    def away() -> None:
        kill(own_server)

    return away


@pytest.fixture(autouse=True)
def _back(own_server: EmbeddedRedis) -> object:
    yield
    if own_server.process is not None and own_server.process.poll() is not None:
        revive(own_server)


def code(budgets: Budgets, budget: Budget, nano: int, when_away: WhenAway = STOP) -> str:
    """Of the refusal; empty when it is admitted, and then it costs nothing."""
    try:
        budgets.reserve(TOKEN, budget, nano, when_away).give_back()
    except ApiError as error:
        return error.code
    return ""


def wait_until_alone(budgets: Budgets) -> None:
    wait_until(lambda: budgets._keeper.is_alone(time.monotonic()), "it knows that it is alone")


def test_without_redis_nothing_is_admitted(new_budgets: NewBudgets, away: Callable[[], None]) -> None:
    """Nobody knows what others spend: 503, and soon more is known."""
    away()
    refused = refusal(new_budgets(), Budget(100), 1)
    assert (refused.status, refused.code, refused.retry_after_s) == (503, "storage_away", 5)


def test_a_short_absence_is_not_seen_far_from_the_limit(
    new_budgets: NewBudgets, own_server: EmbeddedRedis, away: Callable[[], None]
) -> None:
    """What was leased is good for a second; then it is not used any more."""
    budgets, budget = new_budgets(), Budget(1000 * USD)
    for _ in range(3):
        budgets.reserve(TOKEN, budget, USD).settle(USD)
    wait_until(lambda: budgets._keeper.account(TOKEN, budget).free(time.monotonic()) > 2 * USD, "a block is leased")
    away()
    assert code(budgets, budget, USD) == ""
    wait_until(lambda: code(budgets, budget, USD) == "storage_away", "it is shut")
    revive(own_server)
    wait_until(lambda: code(budgets, budget, USD) == "", "it opens", timeout_s=10)


def test_alone_a_process_spends_what_it_may_and_tells_it_later(
    new_budgets: NewBudgets, own_server: EmbeddedRedis, away: Callable[[], None]
) -> None:
    """With `local`: so much for a token in each process, and no more than what is known to be left of its budget."""
    one, two, budget = new_budgets(), new_budgets(), Budget(200)
    one.reserve(TOKEN, budget, 100, LOCAL).settle(100)
    two.reserve(TOKEN, budget, 10, LOCAL).settle(10)
    wait_until_spent(one, budget, 110)
    away()
    for budgets in (one, two):
        budgets._keeper.call(budgets._keeper.account(TOKEN, budget))
        wait_until(lambda of=budgets: code(of, budget, 1) == "storage_away", "it is away")  # type: ignore[misc]
        wait_until_alone(budgets)
    one.reserve(TOKEN, budget, 30, LOCAL).settle(25)
    two.reserve(TOKEN, budget, 50, LOCAL).settle(50)
    assert code(one, budget, 21, LOCAL) == "storage_away"
    assert code(two, budget, 1, LOCAL) == "storage_away"
    revive(own_server)
    wait_until_spent(one, budget, 185)
    assert code(one, budget, 16) == "budget_exceeded"
    assert code(two, budget, 15) == ""


def test_what_is_in_flight_over_an_absence_is_still_held(
    new_budgets: NewBudgets, own_server: EmbeddedRedis, own_redis: Redis, away: Callable[[], None]
) -> None:
    """However long it was: each process says what it holds before anybody takes more."""
    one, two, budget = new_budgets(), new_budgets(), Budget(100)
    running = one.reserve(TOKEN, budget, 60)
    two.reserve(TOKEN, budget, 10).settle(10)
    away()
    for budgets in (one, two):
        wait_until(lambda budgets=budgets: code(budgets, budget, 1) == "storage_away", "it asks, and hears nothing")
        wait_until_alone(budgets)
    revive(own_server)
    own_redis.flushall()  # it lost all
    wait_until(lambda: code(two, budget, 31) == "budget_exceeded", "it opens", timeout_s=keeper.QUIET_S + 5)
    assert held(own_redis) <= 100
    assert code(two, budget, 30) == ""
    running.settle(60)
    wait_until_spent(one, budget, 70)
