"""Sixteen faults of upstreams, plain and streamed, for two dialects: clients see a good answer, or an honest error."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.support import provider as of
from tests.support.api_calls import BEARER
from tests.support.provider import WHOLE_TEXT
from tests.support.said_answers import tokens
from tests.support.world import Got, World, open_world

FIRST_40 = "".join(tokens(40))
SHORT_S = 0.8
"""In place of the seconds, or minutes, that a deployment waits."""

pytestmark = [
    pytest.mark.parametrize("dialect", ["openai", "anthropic"]),
    pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "streamed"]),
]


@pytest.fixture(scope="module")
def whole_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rests = {"COOLDOWN_MIN_S": "1", "COOLDOWN_MAX_S": "60", "COOLDOWN_SERVER_S": "1"}
    with open_world(tmp_path_factory.mktemp("redis"), **rests) as world:
        yield world


def assert_good(got: Got, channel: str, attempts: int) -> None:
    """The whole answer, told as whole, and who gave it."""
    assert got.status == 200, got.reply.body
    assert got.read == (WHOLE_TEXT, True, ""), got.reply.body
    assert got.served_by == (channel, str(attempts))


def assert_ends_with_an_error(got: Got, dialect: str, text: str) -> None:
    """Of the stream the client has what came, one error event last, and nothing that says it is whole."""
    assert got.status == 200
    assert got.read.text == text
    assert not got.read.is_whole, "a clean end that is a lie"
    assert got.read.error
    name = b"event: error\n" if dialect == "anthropic" else b""
    assert got.reply.body.rstrip().rpartition(b"\n\n")[2].startswith(name + b'data: {"')


def test_1_a_429_with_retry_after(world: World, dialect: str, is_stream: bool) -> None:
    """Another key answers; the one that is told to wait rests for just so long."""
    first, _ = world.open("a", "b", keys=2)
    world.provider.scripts["a sk-a-1"] = [of.fails(429, {"type": "rate_limit_error"}, "Retry-After: 7"), of.good]
    before_ms = int(time.time() * 1000)
    assert_good(world.ask(dialect, is_stream), "a", 2)
    assert world.provider.tried == ["a sk-a-1", "a sk-a-2"]
    until_ms = world.keys(first)[0]["resting_until_ms"]
    assert before_ms + 7000 <= until_ms <= time.time() * 1000 + 7000
    assert [key["state"] for key in world.keys(first)] == ["resting", "active"]


def test_1_a_429_with_retry_after_that_nobody_else_helps(world: World, dialect: str, is_stream: bool) -> None:
    """The client is told of the wait as the upstream told it, whether in seconds or by a date."""
    for told in ("7", format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)):
        world.clear()
        world.open("a")
        world.provider.scripts["a"] = [of.fails(429, {"type": "rate_limit_error"}, f"Retry-After: {told}")]
        got = world.ask(dialect, is_stream)
        assert (got.status, got.reply.field("retry-after"), got.read.error) == (429, told, "said no")


def test_2_a_429_for_ever_on_the_first_key(world: World, dialect: str, is_stream: bool) -> None:
    """It is asked once, and rests; the other serves all calls after that at once."""
    world.open("a", keys=2)
    world.provider.scripts["a sk-a-1"] = [of.fails(429, {"type": "rate_limit_error"})]
    assert_good(world.ask(dialect, is_stream), "a", 2)
    for _ in range(3):
        assert_good(world.ask(dialect, is_stream), "a", 1)
    assert world.provider.tried == ["a sk-a-1", *["a sk-a-2"] * 4]


def test_3_a_500_once(world: World, dialect: str, is_stream: bool) -> None:
    """Another channel answers; no key is to blame."""
    first, _ = world.open("a", "b", keys=2)
    world.provider.scripts["a"] = [of.fails(500), of.good]
    assert_good(world.ask(dialect, is_stream), "b", 2)
    assert world.provider.tried == ["a sk-a-1", "b sk-b-1"]
    assert [key["state"] for key in world.keys(first)] == ["active", "active"]
    assert world.channel(first)["resting_until_ms"] > time.time() * 1000


def test_4_a_503_for_ever(world: World, dialect: str, is_stream: bool) -> None:
    """All calls are answered by others, and only the first waits for it."""
    world.open("a", "b")
    world.provider.scripts["a"] = [of.fails(503, None, "Retry-After: 60")]
    assert_good(world.ask(dialect, is_stream), "b", 2)
    for _ in range(3):
        assert_good(world.ask(dialect, is_stream), "b", 1)
    assert world.provider.tried == ["a sk-a-1", *["b sk-b-1"] * 4]


def test_5_a_reset_before_the_head(world: World, dialect: str, is_stream: bool) -> None:
    """Never an empty answer."""
    world.open("a", "b")
    world.provider.scripts["a"] = [of.resets]
    assert_good(world.ask(dialect, is_stream), "b", 2)
    world.clear()
    world.open("a")
    world.provider.scripts["a"] = [of.resets]
    got = world.ask(dialect, is_stream)
    assert (got.status, got.reply.field("x-gateway-error"), bool(got.read.error)) == (502, "upstream_reset", True)
    assert got.reply.field("retry-after") == "5"


def test_5_a_kept_connection_that_ends_as_the_call_goes_out(world: World, dialect: str, is_stream: bool) -> None:
    """Is replaced: that blames nobody, and is no reason to ask another account. Only where doing it twice would make
    two of something it is told.
    """
    first, _ = world.open("a", "b", models=[{"name": "*"}])
    world.provider.scripts["a"] = [of.good, of.resets, of.good, of.resets, of.good]
    for _ in range(2):
        assert_good(world.ask(dialect, is_stream), "a", 1)
    assert world.provider.tried == ["a sk-a-1"] * 3
    assert not world.channel(first)["resting_until_ms"]
    path = {"openai": "/v1/files", "anthropic": "/v1/messages/batches"}[dialect]
    told = world.gateway.request("POST", path, "{}", BEARER)
    assert (told.status, told.field("x-gateway-error")) == (502, "upstream_stale")
    assert world.provider.tried == ["a sk-a-1"] * 4


def test_6_no_answer(world: World, dialect: str, is_stream: bool) -> None:
    """After first_byte_timeout, and for a stream first_useful_timeout, somebody else is asked."""
    limits = {"first_byte_timeout": SHORT_S, "first_useful_timeout": SHORT_S}
    world.open("a", "b", options=limits)
    world.provider.scripts["a"] = [of.says_nothing]
    began_s = time.monotonic()
    assert_good(world.ask(dialect, is_stream), "b", 2)
    assert time.monotonic() - began_s > SHORT_S
    world.provider.asked[0].answered.wait(5)
    assert world.provider.asked[0].closed_at - began_s < SHORT_S + 1


def test_7_a_first_token_that_comes_too_late(world: World, dialect: str, is_stream: bool) -> None:
    """After 20 s, where first_useful_timeout is 5, scaled down: a stream is left for another, a plain answer is not."""
    world.open("a", "b", options={"first_useful_timeout": SHORT_S})
    world.provider.scripts["a"] = [of.first_token_after(4 * SHORT_S if is_stream else 1.5 * SHORT_S)]
    assert_good(world.ask(dialect, is_stream), *(("b", 2) if is_stream else ("a", 1)))


CUT = {"cut": of.cut, "stalls": of.stalls, "malformed": of.malformed, "without end marker": of.without_end_marker}


@pytest.mark.parametrize("how", CUT)
def test_8_to_11_what_breaks_in_the_middle(world: World, dialect: str, is_stream: bool, how: str) -> None:
    """Cut at 40 of 60 tokens, a stall, a malformed chunk, no end marker: a plain answer is asked of another channel,
    a stream ends with an error event in the dialect. Either counts against the channel, and the next call avoids it.
    """
    first, _ = world.open("a", "b", options={"idle_timeout": SHORT_S})
    world.provider.scripts["a"] = [CUT[how]]
    got = world.ask(dialect, is_stream)
    # On a busy machine all of it may have come, and been judged, before any of it is sent on.
    came_at_once = how == "without end marker" and got.served_by == ("b", "2")
    if is_stream and not came_at_once:
        assert_ends_with_an_error(got, dialect, WHOLE_TEXT if how == "without end marker" else FIRST_40)
        assert world.provider.tried == ["a sk-a-1"]
    else:
        assert_good(got, "b", 2)
    assert world.channel(first)["resting_until_ms"] > time.time() * 1000
    assert_good(world.ask(dialect, is_stream), "b", 1)


def refuses(status: int, code: str, text: str) -> of.Answer:
    return of.fails(status, {"type": "invalid_request_error", "code": code, "message": text})


CLIENTS_OWN = {
    "too long": refuses(400, "context_length_exceeded", "This model's maximum context length is 8192 tokens"),
    "filtered": refuses(400, "content_filter", "The prompt triggered the content management policy"),
}


@pytest.mark.parametrize("why", CLIENTS_OWN)
def test_12_and_13_what_the_client_is_to_blame_for(world: World, dialect: str, is_stream: bool, why: str) -> None:
    """A context that is too long, a filtered prompt: passed on as they came, to nobody else, whatever often. No key
    and no channel rests for them.
    """
    first, _ = world.open("a", "b", keys=2)
    world.provider.scripts["a"] = [*[CLIENTS_OWN[why]] * 4, of.good]
    for _ in range(4):
        got = world.ask(dialect, is_stream)
        assert (got.status, got.served_by) == (400, ("a", "1"))
        assert got.reply.field("x-gateway-error") is None, "these are the upstream's own words"
        assert got.read.error.startswith("Th")
    assert_good(world.ask(dialect, is_stream), "a", 1)
    assert world.provider.tried == ["a sk-a-1"] * 5
    assert {key["state"] for key in world.keys(first)} == {"active"}


def test_14_a_cut_and_then_a_fallback_that_refuses(world: World, dialect: str, is_stream: bool) -> None:
    """Cut before its first content: the client is told what the fallback said, and nothing of the cut answer."""
    world.open("a", "b")
    world.provider.scripts |= {"a": [of.cut_before_content], "b": [of.fails(503, None, "Retry-After: 9")]}
    got = world.ask(dialect, is_stream)
    assert (got.status, got.read) == (503, ("", False, "said no"))
    assert (got.served_by, got.reply.field("retry-after")) == (("b", "2"), "9")
    assert world.provider.tried == ["a sk-a-1", "b sk-b-1"]


def test_15_flapping_and_back_to_the_first_choice(world: World, dialect: str, is_stream: bool) -> None:
    """While the first choice fails in turns all calls go well; well again, it serves all of them."""
    first, _ = world.open("a", "b")
    is_ill = threading.Event()
    is_ill.set()

    def flaps(peer: Any, asked: of.Asked) -> None:
        fault = of.fails(500) if len(world.provider.tried) % 2 else of.resets
        (fault if is_ill.is_set() else of.good)(peer, asked)

    world.provider.scripts["a"] = [flaps]
    failed_at_s: list[float] = []
    while len(failed_at_s) < 2:
        got = world.ask(dialect, is_stream)
        assert_good(got, "b", int(got.served_by[1] or 0))
        if got.served_by[1] == "2":
            failed_at_s.append(time.monotonic())
    assert failed_at_s[1] - failed_at_s[0] > 0.9, "it is tried again when its rest of a second is over, and only then"
    is_ill.clear()
    world.gateway.admin("DELETE", f"/api/channels/{first}/cooldown")
    for _ in range(3):
        assert_good(world.ask(dialect, is_stream), "a", 1)


def test_15_the_rest_of_a_failing_channel_ends_by_itself(world: World, dialect: str, is_stream: bool) -> None:
    """And a success ends its count: the next failure is its first again."""
    (first,) = world.open("a", options={})
    world.provider.scripts["a"] = [of.fails(500), of.good, of.fails(500), of.good]
    assert world.ask(dialect, is_stream).status == 500
    rest_ms = world.channel(first)["resting_until_ms"] - time.time() * 1000
    assert_good(world.ask(dialect, is_stream), "a", 1)  # all rest, and that was only guessed
    assert world.channel(first)["resting_until_ms"] in (0, None)
    assert world.ask(dialect, is_stream).status == 500
    assert 0 < world.channel(first)["resting_until_ms"] - time.time() * 1000 <= rest_ms + 200


def test_16_the_record_of_who_served(world: World, dialect: str, is_stream: bool) -> None:
    """In the fields of the answer and in the log's line: channel, key, models, attempts, what became of it."""
    model = {"name": "m", "upstream_name": "m-upstream"}
    world.open("a", "b", models=[model])
    world.provider.scripts["a"] = [of.fails(500)]
    got = world.ask(dialect, is_stream)
    assert_good(got, "b", 2)
    assert got.reply.field("x-gateway-model") == "m-upstream"
    id = got.reply.field("x-gateway-request-id")
    line = next(line for line in world.gateway.settled_log().splitlines() if f"request_id={id}" in line)
    for told in ("status=200", "attempts=2", "channel=b", "model=m ", "upstream_model=m-upstream", "outcome=ok"):
        assert told in line
    assert "key_hint=" in line
    assert "sk-b-1" not in line
