"""The admin API of prices: the operator's own, what a model costs, and which have no price."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.storage.connections import Redis, open_redis
from tests.support.gateway import GatewayProcess
from tests.support.prices import forget_table, store_table
from tests.support.waiting import wait_until

WHOLE = {
    "cached": None,
    "cache_write_5m": None,
    "cache_write_1h": None,
    "above_tokens": None,
    "input_above": None,
    "output_above": None,
    "valid_from_ms": None,
}
MINE = {"model": "gpt-mine*", "input": "1.5", "output": "10.00"}
BUILT_IN = {
    "claude-x": {
        "prices": [
            {"input": ["3", [200_000, "6"]], "cached": ["0.3", [200_000, "0.6"]], "output": ["15", [200_000, "22.5"]]}
        ],
        "tiers": {"flex": [{"input": "1.5", "output": "7.5"}]},
    }
}


@pytest.fixture(autouse=True)
def no_prices_stay(gateway: GatewayProcess) -> Iterator[None]:
    yield
    gateway.admin("PUT", "/api/prices", {"overrides": []})


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with open_redis(redis_url) as client:
        yield client


@pytest.fixture
def built_in(gateway: GatewayProcess, redis: Redis) -> Iterator[str]:
    """The version of a table of one model, which the gateway knows."""
    store_table(redis, "table 1", BUILT_IN)
    wait_until(lambda: version_of(gateway) == "table 1", "the table is known")
    yield "table 1"
    forget(gateway, redis)


def forget(gateway: GatewayProcess, redis: Redis) -> None:
    """The table, that some other test's worker may have made, too."""
    forget_table(redis)
    gateway.admin("PUT", "/api/prices", {"overrides": []})
    wait_until(lambda: version_of(gateway) == "none", "the table is forgotten")


def version_of(gateway: GatewayProcess) -> str:
    return str(gateway.admin("GET", "/api/prices").json()["price_version"])


def effective(gateway: GatewayProcess, model: str, **more: Any) -> dict[str, Any]:
    query = "&".join(f"{name}={value}" for name, value in {"model": model, **more}.items())
    reply = gateway.admin("GET", f"/api/prices/effective?{query}")
    assert reply.status == 200, reply.body
    answer: dict[str, Any] = reply.json()
    return answer


def test_prices_are_replaced_as_a_whole_and_shown_as_written(gateway: GatewayProcess) -> None:
    dear = {"model": "m", "input": "2", "output": "8", "above_tokens": 1000, "input_above": "4", "output_above": "9"}
    told = gateway.admin("PUT", "/api/prices", {"overrides": [MINE, dear]}).json()
    assert told["overrides"] == [WHOLE | MINE, WHOLE | dear]
    assert told["count"] == 2
    assert gateway.admin("GET", "/api/prices").json() == told
    again = gateway.admin("PUT", "/api/prices", told | {"overrides": told["overrides"][:1]})
    assert again.json()["overrides"] == [WHOLE | MINE], "what GET gave can be changed and PUT"


def test_without_a_table_everything_else_is_unpriced_and_the_admin_says_so(
    gateway: GatewayProcess, redis: Redis
) -> None:
    forget(gateway, redis)
    told = gateway.admin("GET", "/api/prices").json()
    assert told["price_version"] == "none"
    assert told["built_in"]["version"] is None
    assert "unpriced" in told["built_in"]["warning"]
    assert effective(gateway, "claude-x") == {"success": True, "price": None, "source": None, "price_version": "none"}


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({}, "invalid", "overrides"),
        ({"overrides": [{**MINE, "input": 1.5}]}, "invalid", "overrides[0].input"),
        ({"overrides": [{**MINE, "price": "1"}]}, "unknown_field", "overrides[0].price"),
        ({"override": []}, "unknown_field", "override"),
    ],
)
def test_prices_that_cannot_be_are_refused_and_those_in_force_stay(
    gateway: GatewayProcess, said: dict[str, Any], code: str, field: str
) -> None:
    gateway.admin("PUT", "/api/prices", {"overrides": [MINE]})
    reply = gateway.admin("PUT", "/api/prices", said)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field)
    assert gateway.admin("GET", "/api/prices").json()["count"] == 1


def test_what_a_model_costs_is_told_with_all_that_follows_and_who_says_so(
    gateway: GatewayProcess, built_in: str
) -> None:
    told = effective(gateway, "Claude-X-20260101")
    assert (told["source"], told["price_version"]) == ("built_in", built_in)
    assert told["price"] == {
        "model": "claude-x",
        "input": "3.000000",
        "cached": "0.300000",
        "cache_write_5m": "3.750000",
        "cache_write_1h": "6.000000",
        "output": "15.000000",
        "above_tokens": 200_000,
        "input_above": "6.000000",
        "output_above": "22.500000",
        "valid_from_ms": None,
        "valid_until_ms": None,
        "other": {"image_input": "3.000000", "reasoning": "15.000000"},
        "service_tiers": {
            "flex": {
                "input": "1.500000",
                "cached": "0.300000",
                "cache_write_5m": "1.875000",
                "cache_write_1h": "3.000000",
                "output": "7.500000",
            }
        },
    }


def test_an_own_price_is_told_as_written_and_from_when_until_when_it_holds(
    gateway: GatewayProcess, built_in: str
) -> None:
    said = {"model": "claude-*", "input": "2.0", "output": "10", "valid_from_ms": 1_000_000}
    later = {"model": "claude-*", "input": "9", "output": "9", "valid_from_ms": 2_000_000}
    gateway.admin("PUT", "/api/prices", {"overrides": [said, later]})
    told = effective(gateway, "claude-x", at_ms=1_999_999)
    price = told["price"]
    assert told["source"] == "override"
    assert told["price_version"].startswith(f"{built_in}, overrides ")
    assert (price["model"], price["input"], price["cached"], price["above_tokens"]) == (
        "claude-*",
        "2.0",
        "0.200000",
        None,
    )
    assert (price["valid_from_ms"], price["valid_until_ms"]) == (1_000_000, 2_000_000)
    assert effective(gateway, "claude-x", at_ms=2_000_000)["price"]["input"] == "9"
    assert effective(gateway, "claude-x", at_ms=999_999)["source"] == "built_in"


@pytest.mark.parametrize(
    ("query", "field"),
    [("", "model"), ("model=", "model"), ("model=m&at_ms=soon", "at_ms"), ("model=m&at_ms=-1", "at_ms")],
)
def test_a_question_that_cannot_be_is_told_by_its_field(gateway: GatewayProcess, query: str, field: str) -> None:
    reply = gateway.admin("GET", f"/api/prices/effective?{query}")
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, "invalid", field)


def test_a_change_is_in_force_in_all_processes_within_a_second(
    gateway: GatewayProcess, start_gateway: Callable[..., GatewayProcess]
) -> None:
    other = start_gateway()
    gateway.admin("PUT", "/api/prices", {"overrides": [MINE]})
    wait_until(lambda: effective(other, "gpt-mine-1")["source"] == "override", "the other knows", timeout_s=1)
    assert version_of(other) == version_of(gateway) != "none"
    other.admin("PUT", "/api/prices", {"overrides": []})
    wait_until(lambda: effective(gateway, "gpt-mine-1")["source"] is None, "and back", timeout_s=1)
