"""A budget holds: what calls hold and have cost never passes it; what they do not use comes back; nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from app.core.money.budget import Budget
from app.storage.budgets.account import Waiter
from app.storage.budgets.budgets import STOP, Budgets
from app.storage.connections import BUDGETS, Redis
from tests.support.budgets import TOKEN, USD, held, known, recorded, refusal, wait_until_spent
from tests.support.waiting import wait_until

NewBudgets = Callable[..., Budgets]


def test_a_call_holds_what_it_may_cost_and_spends_what_it_cost(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """While it runs its reservation is held; then the real cost is spent in all three periods, and the rest is free."""
    budgets, budget = new_budgets(), Budget(100, 100, 100)
    reservation = budgets.reserve(TOKEN, budget, 60)
    assert refusal(budgets, budget, 41).code == "budget_exceeded"
    wait_until(lambda: known(budgets, budget).spent.reserved_nano == 60, "the reservation is told")
    reservation.settle(25)
    wait_until_spent(budgets, budget, 25)
    assert known(budgets, budget).spent == (25, 25, 25, 0)
    assert refusal(budgets, budget, 76).status == 429
    budgets.reserve(TOKEN, budget, 75).give_back()


def test_what_failed_is_given_back_and_nothing_ends_twice(new_budgets: NewBudgets) -> None:
    """A reservation ends once, whatever is said of it then."""
    budgets, budget = new_budgets(), Budget(100)
    reservation = budgets.reserve(TOKEN, budget, 100)
    reservation.give_back()
    reservation.settle(50)
    reservation.settle(None)
    budgets.reserve(TOKEN, budget, 100).settle(100)
    wait_until_spent(budgets, budget, 100)


def test_unknown_costs_are_what_was_reserved(new_budgets: NewBudgets) -> None:
    """Where nobody knows what a call used, its reservation is spent."""
    budgets, budget = new_budgets(), Budget(100)
    budgets.reserve(TOKEN, budget, 70).settle(None)
    wait_until_spent(budgets, budget, 70)
    assert refusal(budgets, budget, 31).code == "budget_exceeded"


def test_a_call_that_costs_more_is_settled_whole_and_then_nothing_is_admitted(new_budgets: NewBudgets) -> None:
    """Spending passes a limit by that excess only."""
    budgets, budget = new_budgets(), Budget(100)
    other = budgets.reserve(TOKEN, budget, 40)
    budgets.reserve(TOKEN, budget, 60).settle(90)
    wait_until_spent(budgets, budget, 90)
    assert refusal(budgets, budget, 1).code == "budget_exceeded"
    other.settle(40)
    wait_until_spent(budgets, budget, 130)
    assert refusal(budgets, budget, 1).code == "budget_exceeded"


def test_a_refusal_says_which_budget_and_when_to_ask_again(new_budgets: NewBudgets) -> None:
    """The one that is reset last counts: a total is not, and its caller is told a day."""
    budgets = new_budgets()
    total = refusal(budgets, Budget(10, 10, 10), 11)
    assert (total.status, total.code, total.retry_after_s, total.is_final) == (429, "budget_exceeded", 86_400, True)
    day = refusal(budgets, Budget(100, 10, 100, "Asia/Kathmandu"), 11, "8")
    resets = known(budgets, Budget(time_zone="Asia/Kathmandu"), "8").resets
    left_s = resets.day_at_ms / 1000 - time.time()
    assert day.retry_after_s == pytest.approx(left_s, abs=2)
    assert "Asia/Kathmandu" in day.message
    month = refusal(budgets, Budget(100, 10, 10), 11, "9")
    left_s = known(budgets, Budget(), "9").resets.month_at_ms / 1000 - time.time()
    assert month.retry_after_s == pytest.approx(left_s, abs=2)


def test_who_has_spent_all_asks_nobody(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """What is spent grows until it is reset, so a loop of calls costs Redis nothing; a higher budget opens at once."""
    budgets, budget = new_budgets(), Budget(100)
    budgets.reserve(TOKEN, budget, 100).settle(100)
    wait_until_spent(budgets, budget, 100)
    refusal(budgets, budget, 1)
    before = own_redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    for _ in range(500):
        assert refusal(budgets, budget, 1).retry_after_s == 86_400
    assert own_redis.info("commandstats")["cmdstat_evalsha"]["calls"] <= before + 10
    budgets.reserve(TOKEN, Budget(101), 1).settle(1)


def test_far_from_the_limit_calls_wait_for_nobody(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """After the first, reservations come out of a block, and Redis has fewer commands than there are calls."""
    budgets, budget = new_budgets(), Budget(1000 * USD)
    budgets.reserve(TOKEN, budget, USD // 100).settle(USD // 200)
    wait_until(lambda: recorded(own_redis)[budgets._keeper.id][0] > 0, "a block is leased")
    before = own_redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    waited_s = []
    for _ in range(2000):
        began_s = time.perf_counter()
        reservation = budgets.reserve(TOKEN, budget, USD // 100)
        waited_s.append(time.perf_counter() - began_s)
        reservation.settle(USD // 200)
    asked = own_redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert asked < 400
    assert sorted(waited_s)[1000] < 0.0005
    wait_until_spent(budgets, budget, 2001 * (USD // 200))


def test_near_the_limit_nothing_lies_idle(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """What is leased there is what calls hold, so another process can have the rest."""
    first, second, budget = new_budgets(), new_budgets(), Budget(100)
    one = first.reserve(TOKEN, budget, 30)
    two = second.reserve(TOKEN, budget, 70)
    assert held(own_redis) == 100
    one.settle(10)
    wait_until(lambda: held(own_redis) == 80, "the rest of it is given back")
    first.reserve(TOKEN, budget, 20)
    two.give_back()


def test_a_block_goes_to_the_process_that_lacks_money(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """No call is refused while another process has money that its own calls do not hold."""
    rich, poor, budget = new_budgets(), new_budgets(), Budget(1000)
    for _ in range(3):
        rich.reserve(TOKEN, budget, 10).settle(10)
    wait_until(lambda: recorded(own_redis)[rich._keeper.id][0] >= 40, "a block is leased")
    poor.reserve(TOKEN, budget, 970).settle(970)
    wait_until_spent(poor, budget, 1000)
    assert refusal(rich, budget, 1).code == "budget_exceeded"


def test_a_lowered_budget_holds_at_once(new_budgets: NewBudgets) -> None:
    """Also below what is spent, and also for what was leased under the old one; a raised one opens again."""
    budgets, other = new_budgets(), new_budgets()
    wide, narrow = Budget(1000), Budget(50)
    for _ in range(3):
        budgets.reserve(TOKEN, wide, 20).settle(20)
        other.reserve(TOKEN, wide, 20).settle(20)
    assert refusal(budgets, narrow, 1).code == "budget_exceeded"
    assert refusal(other, narrow, 1).code == "budget_exceeded"
    budgets.reserve(TOKEN, Budget(130), 10).settle(10)
    wait_until_spent(budgets, wide, 130)


def test_another_time_zone_forgives_nothing(new_budgets: NewBudgets) -> None:
    """What was spent in a running day counts on until the next one begins, by the new clock."""
    budgets = new_budgets()
    budgets.reserve(TOKEN, Budget(None, 100, None, "UTC"), 100).settle(100)
    wait_until_spent(budgets, Budget(), 100)
    for zone in ("Asia/Kathmandu", "America/Santiago", "UTC"):
        refused = refusal(budgets, Budget(None, 100, None, zone), 1)
        assert refused.code == "budget_exceeded"
        left_s = known(budgets, Budget(time_zone=zone)).resets.day_at_ms / 1000 - time.time()
        assert refused.retry_after_s == pytest.approx(left_s, abs=2)


def test_a_token_without_a_budget_is_charged(new_budgets: NewBudgets) -> None:
    """What it spends is known when it gets one."""
    budgets = new_budgets()
    for _ in range(5):
        budgets.charge(TOKEN, Budget(), 3)
    wait_until_spent(budgets, Budget(), 15)
    assert refusal(budgets, Budget(15), 1).code == "budget_exceeded"


def test_many_tokens_are_told_in_short_steps(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """A Redis that forgot the script is taught it again, and nothing is told twice."""
    budgets = new_budgets()
    for number in range(450):
        budgets.charge(str(number), Budget(), 7)
    wait_until(lambda: known(budgets, Budget(), "449").spent.total_nano == 7, "all is told")
    own_redis.script_flush()
    for number in range(450):
        budgets.charge(str(number), Budget(), 5)
    tokens = {str(number): Budget() for number in range(450)}
    wait_until(lambda: {one.spent.total_nano for one in budgets.spent(tokens).values()} == {12}, "all is told, once")


def test_the_end_of_a_process_tells_all_and_gives_all_back(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """Nothing that it leased is missing afterwards."""
    budgets, budget = new_budgets(), Budget(1000 * USD)
    for _ in range(10):
        budgets.reserve(TOKEN, budget, USD).settle(USD)
    budgets.stop()
    assert own_redis.hget(BUDGETS + TOKEN, "total") == str(10 * USD).encode()
    assert held(own_redis) == 10 * USD


def test_a_killed_call_that_waits_holds_nothing(new_budgets: NewBudgets) -> None:
    """Whatever is thrown into it, as when its client leaves just as its money comes."""
    budgets, budget = new_budgets(), Budget(100)
    budgets.reserve(TOKEN, budget, 10).give_back()

    class Left(BaseException):
        pass

    class Leaving(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            super().wait(timeout)
            raise Left

    account, waiter = budgets._keeper.account(TOKEN, budget), Waiter(60, time.monotonic())
    waiter.woken = Leaving()
    with account.lock:
        account.waiters.append(waiter)
    budgets._keeper.call(account)
    with pytest.raises(Left):
        budgets._await(account, waiter, STOP)
    assert waiter.granted
    budgets.reserve(TOKEN, budget, 100).give_back()


def test_a_deleted_token_leaves_nothing_behind(new_budgets: NewBudgets, own_redis: Redis) -> None:
    """Not even what its last calls cost."""
    tokens = {TOKEN}
    budgets, budget = new_budgets(is_known=tokens.__contains__), Budget(100)
    reservation = budgets.reserve(TOKEN, budget, 60)
    tokens.clear()
    budgets.delete(TOKEN)
    reservation.settle(20)
    wait_until(lambda: not budgets._keeper._accounts, "it is forgotten")
    assert not own_redis.exists(BUDGETS + TOKEN)
