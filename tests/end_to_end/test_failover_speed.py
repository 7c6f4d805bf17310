"""What a failed attempt costs the caller beside the time that its upstream took to fail."""

from __future__ import annotations

import time

import pytest

from tests.support import provider as of
from tests.support.api_calls import BEARER
from tests.support.gateway import free_port
from tests.support.said_answers import body_for, path_of
from tests.support.world import World

ADDED_MS = 2.0
CALLS = 40

FAILS: dict[str, of.Answer | None] = {"429": of.fails(429), "500": of.fails(500), "refused": None}
"""None: nobody listens."""

pytestmark = [pytest.mark.timing, pytest.mark.soak]


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("failure", FAILS)
def test_a_failed_attempt_adds_at_most_2_ms(world: World, failure: str, is_stream: bool) -> None:
    """To a call whose first attempt is good. The quickest are compared: of others the machine may be to blame."""
    answer = FAILS[failure]
    url = world.provider.url("bad") if answer else f"http://127.0.0.1:{free_port()}"
    world.provider.scripts["bad"] = [answer or of.good]
    models = [{"name": "failing"}, {"name": "good"}]
    [bad] = world.open("bad", urls=[{"url": url}], models=models[:1], priority=1000)
    world.open("good", models=models)
    took_ms: dict[str, list[float]] = {"good": [], "failing": []}
    for _ in range(CALLS):
        for model, attempts in (("good", "1"), ("failing", "2")):
            world.gateway.admin("DELETE", f"/api/channels/{bad}/cooldown")
            took_ms[model].append(call_ms(world, model, is_stream, attempts))
    added_ms = min(took_ms["failing"]) - min(took_ms["good"])
    assert added_ms < ADDED_MS, took_ms


def call_ms(world: World, model: str, is_stream: bool, attempts: str) -> float:
    body = body_for("openai", is_stream, "hi", model=model)
    began_s = time.perf_counter()
    reply = world.gateway.request("POST", path_of("openai", is_stream), body, BEARER)
    took_ms = (time.perf_counter() - began_s) * 1000
    assert (reply.status, reply.field("x-gateway-attempts")) == (200, attempts), reply.body
    return took_ms
