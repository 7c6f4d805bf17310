"""What attempts used and cost stands in their rows, exact, and the call is told that of its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from app.storage.connections import open_redis
from tests.support.api_calls import BEARER, PATHS, Accounts
from tests.support.log_rows import Log
from tests.support.upstream import Peer

BAD_KEY, GOOD_KEY = "sk-upstream-bad-0001", "sk-upstream-good-0002"
USAGE = {"prompt_tokens": 1_000, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 400}}


def answer(peer: Peer) -> None:
    """One key is refused; the other is served with usage."""
    while (seen := peer.read_request()) is not None:
        if seen.field("authorization") == f"Bearer {BAD_KEY}":
            peer.answer(b"{}", "429 Later")
        else:
            said = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": USAGE}
            peer.answer(json.dumps(said).encode())


@pytest.fixture
def log(accounts: Accounts) -> Iterator[Log]:
    """Of a gateway with a price for `m`."""
    accounts.upstream.handler = answer
    overrides = [{"model": "m", "input": "1.25", "output": "10", "cached": "0.125"}]
    assert accounts.gateway.admin("PUT", "/api/prices", {"overrides": overrides}).status == 200
    with open_redis(accounts.gateway.redis_url) as client:
        yield Log(accounts.gateway, client)
    accounts.gateway.admin("PUT", "/api/prices", {"overrides": []})


def test_a_row_has_the_usage_and_the_cost_of_its_attempt(accounts: Accounts, log: Log) -> None:
    """To a nano-dollar, with the channel's multiplier; one that was refused used and cost nothing that is known."""
    accounts.add("one", [BAD_KEY, GOOD_KEY], key_strategy="sequential", cost_multiplier="1.1")
    reply = accounts.gateway.request("POST", PATHS["openai"], '{"model": "m"}', BEARER)
    told = log.of(reply)
    refused, served = told["attempts"]
    assert (refused["usage"]["source"], refused["cost_usd"], refused["unpriced"]) == ("absent", None, False)
    assert served["usage"] == {
        "input": 600,
        "cached": 400,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": 7,
        "reasoning": None,
        "source": "reported",
        "other": {},
    }
    assert (served["cost_usd"], served["unpriced"]) == ("0.000957", False)  # (600 × 1.25 + 400 × 0.125 + 7 × 10) × 1.1
    assert served["price_version"]
    for name in ("usage", "cost_usd", "unpriced", "price_version"):
        assert told["request"][name] == served[name]


def test_a_model_without_a_price_says_so(accounts: Accounts, log: Log) -> None:
    """Its usage is known all the same."""
    accounts.add("one", [GOOD_KEY], models=[{"name": "nobody-knows-this"}])
    reply = accounts.gateway.request("POST", PATHS["openai"], '{"model": "nobody-knows-this"}', BEARER)
    [row] = log.of(reply)["attempts"]
    assert (row["usage"]["input"], row["cost_usd"], row["unpriced"]) == (600, None, True)
