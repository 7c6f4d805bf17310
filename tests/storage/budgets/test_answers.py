"""A call is refused when all who hold money have answered that they have none to spare, not when they merely spoke."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app.core.errors import ApiError
from app.core.money.budget import Budget
from app.core.money.periods import edges_of
from app.storage.budgets import account, budgets
from app.storage.budgets.budgets import Budgets, Reservation
from app.storage.budgets.script import KEYS, NOTHING_KNOWN, SCRIPT, Plan, arguments, reply_of
from app.storage.connections import BUDGETS, Redis
from tests.support.budgets import TOKEN
from tests.support.waiting import wait_until

LIMIT = Budget(1000)
Reserve = Callable[[int], Future[Reservation]]


class Holder:
    """A process that holds money, of which the test says each command."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._number = 0

    def say(self, *, in_use: int = 0, spare: int = 0, needed: int = 0, least: int = 0, block: int = 0) -> int:
        """Its calls hold so much, it keeps more to spare, needs more for calls that wait, and would like a block if
        there is plenty. Returns what it has leased then.
        """
        self._number += 1
        seconds, micros = self._client.time()
        edges = edges_of("UTC", seconds * 1000 + micros // 1000)
        kept = in_use + spare
        plan = Plan(self._number, 0, [], kept, spare, needed, least, block, in_use, LIMIT, edges, NOTHING_KNOWN)
        pipe = self._client.pipeline(transaction=True)
        pipe.hdel(BUDGETS + TOKEN, "starved")  # as when those who lack money are slow to ask again
        pipe.eval(SCRIPT, KEYS, *arguments(plan, "holder", TOKEN))
        return reply_of(pipe.execute()[1]).leased


@pytest.fixture
def reserve(
    new_budgets: Callable[..., Budgets], own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Reserve]:
    """Asks for money in a thread, and returns when Redis has been asked for it. Nobody loses patience."""
    monkeypatch.setattr(account, "PATIENCE_S", 60.0)
    monkeypatch.setattr(budgets, "ANSWER_S", 60.0)
    ours = new_budgets()
    with ThreadPoolExecutor(1) as calls:

        def begin(nano: int) -> Future[Reservation]:
            before = commands(own_redis)
            call = calls.submit(ours.reserve, TOKEN, LIMIT, nano)
            wait_until(lambda: commands(own_redis) > before, "it has asked")
            return call

        yield begin


def commands(client: Redis) -> int:
    """How many there were."""
    return int(client.hget(BUDGETS + TOKEN, "seq") or 0)


@pytest.mark.parametrize(
    ("said", "leased"),
    [({"spare": 30}, 30), ({"block": 30}, 30), ({"needed": 100, "least": 50}, 70)],
    ids=["it keeps what it has", "it takes a block", "its calls cannot use all that they are given"],
)
def test_what_a_process_says_while_it_has_money_that_no_call_holds_is_no_answer(
    reserve: Reserve, own_redis: Redis, said: dict[str, int], leased: int
) -> None:
    """Who waits goes on waiting, until it has given that back."""
    holder = Holder(own_redis)
    reserve(930).result(timeout=10)
    assert holder.say(**said) == leased
    call = reserve(60)
    assert holder.say(**said) == leased
    spoken = commands(own_redis)
    wait_until(lambda: call.done() or commands(own_redis) >= spoken + 3, "it asks again")
    assert not call.done()
    assert holder.say() == 0
    assert call.result(timeout=10).nano == 60


def test_who_waits_is_refused_when_the_calls_of_others_hold_all_that_these_have(
    reserve: Reserve, own_redis: Redis
) -> None:
    """One word of theirs is enough, and nobody waits until patience ends."""
    holder = Holder(own_redis)
    holder.say(in_use=40)
    call = reserve(970)
    assert not call.done()
    holder.say(in_use=40)
    refused = call.exception(timeout=10)
    assert isinstance(refused, ApiError)
    assert refused.code == "budget_exceeded"
