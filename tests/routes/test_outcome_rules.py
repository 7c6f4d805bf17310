"""The admin API of the rules that go before the table of outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gateway import GatewayProcess

WHOLE = {"status": "", "pattern": "", "dialect": "", "rest": "reset", "blacklist": False, "note": ""}


@pytest.fixture(autouse=True)
def no_rules_stay(gateway: GatewayProcess) -> Iterator[None]:
    yield
    gateway.admin("PUT", "/api/outcome-rules", {"rules": []})


def tried(gateway: GatewayProcess, **said: Any) -> dict[str, Any]:
    answer: dict[str, Any] = gateway.admin("POST", "/api/outcome-rules/test", said).json()
    return answer


def test_rules_are_replaced_as_a_whole_and_shown_as_written(gateway: GatewayProcess) -> None:
    """With every field in its place; in their order, as the first that fits counts."""
    rules = [{"status": "500-599", "blame": "channel", "rest": 30}, {"pattern": "(?i)busy", "blame": "model"}]
    whole = [WHOLE | rule for rule in rules]
    told = {"success": True, "count": 2, "rules": whole}
    assert gateway.admin("PUT", "/api/outcome-rules", {"rules": rules}).json() == told
    assert gateway.admin("GET", "/api/outcome-rules").json() == told
    assert gateway.admin("PUT", "/api/outcome-rules", {"rules": whole[:1]}).json()["count"] == 1


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({}, "invalid", "rules"),
        ({"rules": {}}, "invalid", "rules"),
        ({"rules": [{"status": "429", "blame": "key"}, {"status": "x", "blame": "key"}]}, "invalid", "rules[1].status"),
        ({"rules": [{"pattern": "(?=x)", "blame": "key"}]}, "invalid", "rules[0].pattern"),
        ({"rules": [{"status": "429", "blame": "moon"}]}, "invalid", "rules[0].blame"),
        ({"rules": [{"status": "429", "blame": "key", "ban": 1}]}, "unknown_field", "rules[0].ban"),
        ({"rule": []}, "unknown_field", "rule"),
    ],
)
def test_rules_that_cannot_be_are_refused(gateway: GatewayProcess, said: dict[str, Any], code: str, field: str) -> None:
    """With the place of the one to blame; those in force stay."""
    gateway.admin("PUT", "/api/outcome-rules", {"rules": [{"status": "418", "blame": "nobody"}]})
    reply = gateway.admin("PUT", "/api/outcome-rules", said)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field)
    assert gateway.admin("GET", "/api/outcome-rules").json()["count"] == 1


def test_an_answer_is_tried_on_the_rules_in_force_or_on_others(gateway: GatewayProcess) -> None:
    """What is given in the request is tried without being stored; without a rule that fits the table judges."""
    table = tried(gateway, status=429, headers={"Retry-After": "7"}, body="slow down")
    assert table == {
        "success": True,
        "outcome": "rate_limited",
        "blame": "key",
        "rest_s": 7,
        "blacklist": False,
        "rule": None,
    }
    gateway.admin("PUT", "/api/outcome-rules", {"rules": [{"status": "429", "blame": "channel", "rest": 5}]})
    ruled = tried(gateway, status=429, body={"error": {"message": "slow down"}})
    assert (ruled["outcome"], ruled["blame"], ruled["rest_s"], ruled["rule"]) == ("rate_limited", "channel", 5, 0)
    other = [{"pattern": "slow", "dialect": "anthropic", "blame": "key", "blacklist": True}]
    assert tried(gateway, rules=other, status=429, body="slow", dialect="anthropic")["blacklist"] is True
    assert tried(gateway, rules=other, status=429, body="slow", dialect="openai")["rule"] is None


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "status"),
        ({"status": "429"}, "status"),
        ({"status": 429, "headers": []}, "headers"),
        ({"status": 429, "headers": {"Retry-After": 7}}, "headers.Retry-After"),
        ({"status": 429, "rules": [{}]}, "rules[0].status"),
        ({"status": 429, "dialect": "klingon"}, "dialect"),
        ({"status": 429, "text": ""}, "text"),
    ],
)
def test_a_trial_that_cannot_be_is_refused(gateway: GatewayProcess, said: dict[str, Any], field: str) -> None:
    """With the field to blame."""
    reply = gateway.admin("POST", "/api/outcome-rules/test", said)
    assert (reply.status, reply.json()["field"]) == (400, field)
