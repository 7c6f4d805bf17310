"""POST /api/explain: where a call would go, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

pytestmark = pytest.mark.usefixtures("no_channels_stay")


def explained(gateway: GatewayProcess, **said: Any) -> dict[str, Any]:
    reply = gateway.admin("POST", "/api/explain", {"path": "/v1/chat/completions"} | said)
    assert reply.status == 200, reply.body
    explanation: dict[str, Any] = reply.json()["explanation"]
    return explanation


def ranks(explanation: dict[str, Any]) -> list[tuple[str, int | None, str | None]]:
    return [(row["channel"], row["rank"], row["excluded"]) for row in explanation["candidates"]]


def test_all_that_serve_the_model_are_told_with_their_rank_or_what_stands_against_them(
    gateway: GatewayProcess,
) -> None:
    """The best first; those of other models and dialects are none of it."""
    add_channel(gateway, "second", priority=1, keys="sk-1 sk-2")
    first = add_channel(gateway, "first", priority=2, keys="sk-1", weight=5)
    add_channel(gateway, "keyless", priority=3)
    add_channel(gateway, "off", enabled=False, keys="sk-1")
    rests = add_channel(gateway, "rests", keys="sk-1")
    gateway.admin("POST", f"/api/channels/{rests['id']}/cooldown", {"seconds": 60})
    add_channel(gateway, "other model", models=[{"name": "n"}], keys="sk-1")
    add_channel(gateway, "other dialect", dialects=["gemini"], keys="sk-1")
    found = explained(gateway, body={"model": "m"})
    assert (found["dialect"], found["model"], found["route"], found["refused"]) == ("openai", "m", "channels", None)
    assert ranks(found) == [
        ("first", 1, None),
        ("second", 2, None),
        ("keyless", None, "no_fit_key"),
        ("off", None, "disabled"),
        ("rests", None, "resting"),
    ]
    assert found["candidates"][0] == {
        "channel_id": first["id"],
        "channel": "first",
        "priority": 2,
        "penalty": 0,
        "effective_priority": 2,
        "weight": 5,
        "fit_keys": 1,
        "rank": 1,
        "excluded": None,
    }
    assert found["candidates"][1]["weight"] == found["candidates"][1]["fit_keys"] == 2
    assert explained(gateway, body={"model": "m"}) == found, "asked twice it answers the same"


@pytest.mark.parametrize(
    ("said", "dialect", "model"),
    [
        ({"path": "/v1/messages", "body": '{"model": "m"}'}, "anthropic", "m"),
        ({"path": "/v1/responses", "body": {"model": "m", "stream": True}}, "responses", "m"),
        ({"path": "/v1beta/models/m:generateContent", "body": {}}, "gemini", "m"),
        ({"path": "/v1/models/m", "method": "get", "headers": {"Anthropic-Version": "2023-06-01"}}, "anthropic", "m"),
    ],
)
def test_the_dialect_and_model_are_read_as_those_of_a_call(
    gateway: GatewayProcess, said: dict[str, Any], dialect: str, model: str
) -> None:
    """From path, fields and body, given as text or as JSON."""
    found = explained(gateway, **said)
    assert (found["dialect"], found["model"]) == (dialect, model)


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"body": {"model": "nobody's"}}, 404, "model_not_found"),
        ({"body": {}}, 400, "model_missing"),
        ({"body": "{"}, 400, "invalid_json"),
        ({"path": "/nowhere"}, 404, "mapping_not_found"),
    ],
)
def test_why_a_call_would_be_refused_is_told(
    gateway: GatewayProcess, said: dict[str, Any], status: int, code: str
) -> None:
    """As its caller would be told."""
    add_channel(gateway, "one", keys="sk-1")
    refused = explained(gateway, **said)["refused"]
    assert (refused["status"], refused["code"]) == (status, code)
    assert refused["message"]


def test_a_mapping_goes_first(gateway: GatewayProcess) -> None:
    """One with a target of its own needs no channel; one that leads to a channel has that alone."""
    add_channel(gateway, "one", keys="sk-1", priority=5)
    add_channel(gateway, "two", keys="sk-1")
    gateway.map("/own", "https://one.example")
    gateway.map("/two", "channel:TWO")
    try:
        own = explained(gateway, path="/own/v1/chat/completions", body={"model": "m"})
        assert (own["route"], own["candidates"], own["refused"]) == ("/own", [], None)
        two = explained(gateway, path="/two/v1/chat/completions", body={"model": "m"})
        assert (two["route"], [row for row in ranks(two) if row[1]]) == ("/two", [("two", 1, None)])
    finally:
        gateway.admin("DELETE", "/api/mappings/own")
        gateway.admin("DELETE", "/api/mappings/two")


def test_a_mapping_keeps_its_channel(gateway: GatewayProcess) -> None:
    """It follows a new name, and while it leads there the channel is not deleted."""
    channel = add_channel(gateway, "one", keys="sk-1")
    gateway.map("/one", "channel:one")
    try:
        gateway.admin("PUT", f"/api/channels/{channel['id']}", {"name": "another"})
        assert gateway.admin("GET", "/api/mappings").json()["mappings"]["/one"] == "channel:another"
        refused = gateway.admin("DELETE", f"/api/channels/{channel['id']}")
        assert (refused.status, refused.json()["code"]) == (409, "in_use")
        assert "/one" in refused.json()["error"]
    finally:
        gateway.admin("DELETE", "/api/mappings/one")


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({"path": 1}, 400, "path"),
        ({"path": "v1/messages"}, 400, "path"),
        ({"headers": {"X": 1}}, 400, "headers.X"),
        ({"token_id": "7"}, 404, "token_id"),
        ({"model": "m"}, 400, "model"),
    ],
)
def test_a_question_that_cannot_be_is_refused(
    gateway: GatewayProcess, said: dict[str, Any], status: int, field: str
) -> None:
    """With the field to blame."""
    reply = gateway.admin("POST", "/api/explain", {"path": "/v1/messages"} | said)
    assert (reply.status, reply.json()["field"]) == (status, field)


def test_a_conversation_goes_on_where_it_was(start_gateway: Callable[..., GatewayProcess], upstream: Upstream) -> None:
    """Its channel is told and stands first, for the holder of its token and for nobody else."""
    upstream.handler = lambda peer: (
        peer.read_request() and peer.answer(b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}')
    )
    gateway = start_gateway(AUTH_KEY="token-one,token-two")
    ids = {
        name: add_channel(gateway, name, urls=[{"url": upstream.url}], keys="sk-1", priority=priority)["id"]
        for name, priority in (("low", 1), ("high", 2))
    }
    gateway.admin("PUT", f"/api/channels/{ids['high']}", {"enabled": False})
    headers = {"Authorization": "Bearer token-one", "X-Session-Id": "talk", "Content-Type": "application/json"}
    served = gateway.request("POST", "/v1/chat/completions", b'{"model": "m"}', headers)
    assert (served.status, served.field("x-gateway-channel")) == (200, "low")
    gateway.admin("PUT", f"/api/channels/{ids['high']}", {"enabled": True})
    same = explained(gateway, headers=headers, body={"model": "m"})
    assert same["affinity"].startswith(f"channel {ids['low']}, key ")
    assert ranks(same) == [("low", 1, None), ("high", 2, None)]
    for other in ({"X-Session-Id": "another"}, {"Authorization": "Bearer token-two"}):
        found = explained(gateway, headers=headers | other, body={"model": "m"})
        assert (found["affinity"], ranks(found)[0][0]) == (None, "high")
