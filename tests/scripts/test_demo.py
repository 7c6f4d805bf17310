"""The demo: its calls are believable, and its house and provider are what a gateway takes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from scripts.demo.house import Channel, House, Key, Token, furnish
from scripts.demo.traffic import DAY_MS, USES, traffic
from scripts.demo.upstream import start_upstream
from tests.support.gateway import GatewayProcess
from tests.support.tokens import delete_tokens

NOON_MS = 1_790_000_000_000
NAMES = {name for use in USES for name in use.channels}
HOUSE = House(
    {name: Channel(name, name, "openai", (Key("1", "sk-1…aaaa"),)) for name in NAMES},
    {use.token: Token(use.token, use.token, "sk-gw-1") for use in USES},
)


def test_the_demo_has_calls_of_each_hour_and_kind() -> None:
    """In their order, of all tokens, some that fail, some after others failed, and a few that were refused here."""
    events = list(traffic(HOUSE, NOON_MS, 8, 800))
    assert 4_000 < len(events) < 9_000
    assert {event.ended_at_ms // DAY_MS for event in events} >= {NOON_MS // DAY_MS - ago for ago in range(7)}
    used = [event.api for event in events if event.api is not None]
    assert {use.token for use in used} == {use.token for use in USES}
    assert any(event.is_error for event in events)
    assert any(use.failed for use in used)
    assert Counter(event.attempts for event in events)[0] > 10
    assert all(use.cost_nano for use in used if use.outcome == "ok" and use.usage and use.usage.output)


def test_the_same_seed_makes_the_same_calls() -> None:
    first, again, other = (list(traffic(HOUSE, NOON_MS, 1, 300, seed)) for seed in (1, 1, 2))
    ids = [[event.request_id for event in events] for events in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]


def test_its_house_is_furnished_and_its_provider_answers(gateway: GatewayProcess) -> None:
    """All that it says is taken by the admin API, and a call streams words."""

    def say(method: str, path: str, body: Any) -> Any:
        reply = gateway.admin(method, path, body)
        assert reply.status in (200, 201), reply.body
        return reply.json()

    house = furnish(say, start_upstream())
    secret = house.tokens["nightly batch"].secret
    fields = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    try:
        assert [len(channel.keys) for channel in house.channels.values()] == [6, 3, 2, 5, 1, 4, 2]
        for path, model in (("/v1/chat/completions", "gpt-5-mini"), ("/v1/messages", "claude-sonnet-4-5")):
            body = {"model": model, "stream": True, "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
            reply = gateway.request("POST", path, json.dumps(body), fields)
            assert (reply.status, reply.field("content-type")) == (200, "text/event-stream"), reply.body
            assert b"bonjour" in reply.body
    finally:
        for channel in house.channels.values():
            gateway.admin("DELETE", f"/api/channels/{channel.id}")
        delete_tokens(gateway)
