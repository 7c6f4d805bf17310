"""Budgets of several processes, and what Redis keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from app.core.errors import ApiError
from app.core.money.budget import Budget
from app.storage.budgets.budgets import Budgets
from app.storage.budgets.script import Known
from app.storage.connections import BUDGETS, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.waiting import wait_until

TOKEN = "7"
USD = 10**9


@pytest.fixture
def new_budgets(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Callable[..., Budgets]]:
    """Begins what one process would have, with a client of its own."""
    started: list[tuple[Budgets, Redis]] = []

    def start(url: str = own_server.url, **options: Any) -> Budgets:
        client = open_redis(url, socket_timeout_s=0.3)
        budgets = Budgets(client, **options)
        started.append((budgets, client))
        return budgets

    yield start
    for budgets, client in started:
        budgets.stop()
        client.close()


def at(text: str) -> int:
    """A moment, in ms, of an ISO time that names its offset."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def refusal(budgets: Budgets, budget: Budget, nano: int, token_id: str = TOKEN, **options: Any) -> ApiError:
    """Why a call is not admitted."""
    with pytest.raises(ApiError) as refused:
        budgets.reserve(token_id, budget, nano, **options)
    return refused.value


def known(budgets: Budgets, budget: Budget, token_id: str = TOKEN) -> Known:
    return budgets.spent({token_id: budget})[token_id]


def recorded(client: Redis, token_id: str = TOKEN) -> dict[str, list[int]]:
    """What each process has leased, as Redis sees it."""
    fields = client.hgetall(BUDGETS + token_id)
    return {
        field.decode()[2:]: [int(one) for one in value.split()]
        for field, value in fields.items()
        if field.startswith(b"p:")
    }


def held(client: Redis, token_id: str = TOKEN) -> int:
    """What is spent in all, and what all have leased that has not expired."""
    seconds, micros = client.time()
    now_ms = seconds * 1000 + micros // 1000
    fields = client.hgetall(BUDGETS + token_id)
    leased = sum(
        int(value.split()[0])
        for field, value in fields.items()
        if field.startswith(b"p:") and int(value.split()[2]) > now_ms
    )
    return int(fields.get(b"total", 0)) + leased


def wait_until_spent(budgets: Budgets, budget: Budget, total_nano: int, token_id: str = TOKEN) -> None:
    wait_until(
        lambda: known(budgets, budget, token_id).spent.total_nano == total_nano, "the costs are told", timeout_s=5
    )
