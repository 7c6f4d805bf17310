"""What a call may cost is reckoned by the channels that its token, or its mapping, lets be asked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.api_calls import PATHS, Accounts, refused
from tests.support.tokens import add_token, delete_tokens

DEAR = {"model": "n-20250929", "input": "0", "output": "1000"}
"""A thousandth of a dollar for each token of output."""
FREE = {"model": "n", "input": "0", "output": "0"}
BODY = json.dumps({"model": "n", "max_tokens": 10, "messages": []})


@pytest.fixture
def dated(accounts: Accounts) -> Iterator[str]:
    """The id of a dear channel, whose model has a date; beside it stands one that serves the same for nothing."""
    assert accounts.gateway.admin("PUT", "/api/prices", {"overrides": [DEAR, FREE]}).status == 200
    accounts.add("exact", models=[{"name": "n"}])
    yield accounts.add("dated", models=[{"name": "n-20250929"}])
    accounts.gateway.admin("PUT", "/api/prices", {"overrides": []})
    delete_tokens(accounts.gateway)


def test_of_a_token_that_opens_the_dear_one_alone(accounts: Accounts, dated: str) -> None:
    routes = {"mode": "allow", "channels": [dated]}
    for budget, status in (("0.005", 429), ("0.05", 200)):
        token = add_token(accounts.gateway, routes=routes, budgets={"total_usd": budget})
        reply = accounts.gateway.request("POST", PATHS["openai"], BODY, token.bearer)
        assert reply.status == status, reply.body
    assert add_and_ask(accounts, PATHS["openai"]) == 200


def test_of_a_mapping_that_leads_to_it(accounts: Accounts, dated: str) -> None:
    accounts.gateway.map("/dated", "channel:dated")
    status = add_and_ask(accounts, f"/dated{PATHS['openai']}")
    accounts.gateway.admin("DELETE", "/api/mappings/dated")
    assert status == 429


def add_and_ask(accounts: Accounts, path: str) -> int:
    """With a token for which the dear one is too dear."""
    token = add_token(accounts.gateway, budgets={"total_usd": "0.005"})
    reply = accounts.gateway.request("POST", path, BODY, token.bearer)
    assert refused(reply)[1:] in ((None, None), ("budget_exceeded", "false"))
    return reply.status
