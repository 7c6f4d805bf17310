"""Attempts of a channel cost money: its limit of a day, its multiplier, and what the admin is told of prices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.api_calls import BEARER, PATHS, TOKEN, Accounts
from tests.support.gateway import GatewayProcess, Reply
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

CALL = json.dumps({"model": "m", "messages": []}).encode()
MILLION = {"model": "m", "input": "1", "output": "2"}
ANSWER = {
    "model": "m",
    "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 500_000, "total_tokens": 1_500_000},
}
"""Two dollars by MILLION."""


def costly(peer: Peer) -> None:
    while peer.read_request() is not None:
        peer.answer(json.dumps(ANSWER).encode(), fields="Content-Type: application/json\r\n")


@pytest.fixture(autouse=True)
def priced(accounts: Accounts) -> Iterator[None]:
    accounts.upstream.handler = costly
    said_prices(accounts.gateway, MILLION)
    yield
    said_prices(accounts.gateway)


def said_prices(gateway: GatewayProcess, *overrides: dict[str, Any]) -> None:
    reply = gateway.admin("PUT", "/api/prices", {"overrides": list(overrides)})
    assert reply.status == 200, reply.body


def call(gateway: GatewayProcess) -> Reply:
    return gateway.request("POST", PATHS["openai"], CALL, BEARER)


def usd_of_one(gateway: GatewayProcess) -> str:
    """What a small call of the one channel has cost."""
    [channel] = gateway.admin("GET", "/api/channels").json()["channels"]
    return str(gateway.admin("POST", f"/api/channels/{channel['id']}/test").json()["test"]["cost_usd"])


def served_by(gateway: GatewayProcess) -> str | None:
    return call(gateway).field("x-gateway-channel")


def test_a_channel_that_has_cost_what_it_may_is_tried_no_more(accounts: Accounts) -> None:
    """What is under way may exceed it; then others serve."""
    accounts.add("small", priority=9, cost_per_day_usd="3.99")
    accounts.add("other")
    assert [served_by(accounts.gateway) for _ in range(4)] == ["small", "small", "other", "other"]


def test_its_multiplier_counts(accounts: Accounts) -> None:
    accounts.add("half", priority=9, cost_per_day_usd="3.99", cost_multiplier="0.5")
    accounts.add("other")
    assert [served_by(accounts.gateway) for _ in range(6)] == ["half"] * 4 + ["other"] * 2


def test_where_nobody_else_can_serve_callers_and_operators_are_told_the_truth(accounts: Accounts) -> None:
    accounts.add("only", cost_per_day_usd="2")
    assert call(accounts.gateway).status == 200
    reply = call(accounts.gateway)
    assert (reply.status, reply.field("x-gateway-error")) == (503, "all_resting")
    assert (reply.field("retry-after"), reply.field("x-should-retry")) == ("60", "false")
    assert "cost" in reply.json()["error"]["message"]
    asked = {"path": PATHS["openai"], "body": {"model": "m"}, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    told = accounts.gateway.admin("POST", "/api/explain", asked).json()["explanation"]
    assert [row["excluded"] for row in told["candidates"]] == ["cost"]
    assert told["refused"]["code"] == "all_resting"


def test_a_raised_limit_lets_it_serve_again(accounts: Accounts) -> None:
    id = accounts.add("only", cost_per_day_usd="2")
    assert [call(accounts.gateway).status for _ in range(2)] == [200, 503]
    accounts.gateway.admin("PUT", f"/api/channels/{id}", {"cost_per_day_usd": "5"})
    assert call(accounts.gateway).status == 200


def test_a_model_without_a_price_costs_nothing_and_is_listed_until_it_has_one(accounts: Accounts) -> None:
    said_prices(accounts.gateway)
    accounts.add("only", cost_per_day_usd="0.000000001", models=[{"name": "m", "upstream_name": "m-without-a-price"}])
    assert [call(accounts.gateway).status for _ in range(3)] == [200] * 3

    def unpriced() -> list[tuple[str, int]]:
        listed = accounts.gateway.admin("GET", "/api/prices").json()["unpriced"]
        return [(one["model"], one["requests"]) for one in listed if one["last_at_ms"] > 0]

    wait_until(lambda: ("m-without-a-price", 3) in unpriced(), "it is listed by the name sent upstream")
    said_prices(accounts.gateway, {"model": "m-without-a-price", "input": "1", "output": "1"})
    assert "m-without-a-price" not in [model for model, _ in unpriced()]


def test_a_test_of_a_channel_tells_its_usage_and_what_that_cost(accounts: Accounts) -> None:
    id = accounts.add("only", dialects=["openai"], cost_multiplier="0.5")
    told = accounts.gateway.admin("POST", f"/api/channels/{id}/test").json()["test"]
    assert told["cost_usd"] == "1.000000"
    assert told["usage"] == {
        "input": 1_000_000,
        "cached": 0,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": 500_000,
        "reasoning": None,
        "source": "reported",
        "other": {},
    }


def test_what_other_processes_spend_and_other_prices_are_known_in_all_within_a_second(
    own_server: EmbeddedRedis, own_redis: Redis, start_gateway: Callable[..., GatewayProcess]
) -> None:
    one, other = (start_gateway(REDIS_URL=own_server.url, AUTH_KEY=TOKEN) for _ in range(2))
    upstream = Upstream(handler=costly)
    Accounts(one, upstream).add("shared", cost_per_day_usd="4", dialects=["openai"])
    said_prices(one, MILLION)
    wait_until(lambda: call(other).status == 200, "the other knows the channel")
    assert call(one).status == 200
    wait_until(lambda: call(other).status == 503, "the other knows what was spent", timeout_s=2)
    wait_until(lambda: call(one).status == 503, "and the one", timeout_s=2)
    for price, cost in (("0.5", "0.500000"), ("3", "3.000000")):
        said_prices(one, MILLION | {"input": price, "output": "0"})
        wait_until(lambda cost=cost: usd_of_one(other) == cost, "the next call there costs that", timeout_s=2)
    upstream.close()
