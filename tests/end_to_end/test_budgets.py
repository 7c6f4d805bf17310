"""Budgets of access tokens over four web processes: never passed, and used up; nothing is lost or counts twice."""

from __future__ import annotations

import http.client
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from threading import Event

import pytest

from tests.support.billing import (
    NANO_A_TOKEN,
    PATH,
    PRICE,
    Biller,
    Watch,
    ask,
    go_on,
    set_price,
    spent,
)
from tests.support.own_redis import kill, revive
from tests.support.provider import Asked
from tests.support.tokens import Issued, add_token, change_token, delete_tokens
from tests.support.upstream import Peer
from tests.support.waiting import wait_until
from tests.support.world import World, open_world

PROCESSES = 4
KNOWN_S = 1.0
"""Within so long a change is in force in all processes."""

pytestmark = [pytest.mark.own_server, pytest.mark.soak]


@pytest.fixture(scope="module")
def whole_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("redis"), WEB_CONCURRENCY=str(PROCESSES)) as world:
        set_price(world)
        yield world


@pytest.fixture
def world(whole_world: World) -> Iterator[World]:
    """One account, which all processes know."""
    whole_world.open("one")
    whole_world.provider.scripts["one"] = [Biller()]
    yield whole_world
    delete_tokens(whole_world.gateway)
    whole_world.clear()


def with_budget(world: World, **budgets: str) -> Issued:
    token = add_token(world.gateway, budgets=budgets)
    time.sleep(KNOWN_S)
    return token


def wait_until_spent(world: World, token: Issued, nano: int) -> None:
    wait_until(lambda: spent(world, token)["total"] == nano, f"{nano} is spent")


def test_many_callers_use_a_small_budget_up_and_never_pass_it(world: World) -> None:
    """Each call has an output limit of its own; what is spent is what the provider billed."""
    biller = Biller()
    biller.share, biller.pause_s = 0.9, 0.02
    world.provider.scripts["one"] = [biller]
    token = with_budget(world, day_usd="2")
    watch = Watch(world, token)
    watch.start()
    found = go_on(world, token, callers=60, most=40)
    assert set(found) == {200, 429}
    while ask(world, token, 25).status == 200:
        pass
    watch.end()
    wait_until_spent(world, token, biller.billed_nano)
    assert 2_000_000_000 - 25 * NANO_A_TOKEN < biller.billed_nano <= 2_000_000_000
    assert watch.looks > 3
    assert watch.most_nano <= 2_000_000_000


def test_a_refusal_says_why_and_when(world: World) -> None:
    """429, in the dialect, with the time of the reset, and never to be tried again before."""
    token = with_budget(world, total_usd="0.01", day_usd="5")
    assert ask(world, token, 10).status == 200
    wait_until_spent(world, token, 10 * NANO_A_TOKEN)
    refused = ask(world, token, 1)
    assert refused.status == 429
    assert refused.json()["error"]["type"] == "insufficient_quota"
    assert refused.field("x-gateway-error") == refused.json()["error"]["code"] == "budget_exceeded"
    assert (refused.field("retry-after"), refused.field("x-should-retry")) == ("86400", "false")
    change_token(world.gateway, token, budgets={"total_usd": None, "day_usd": "0.01"}, time_zone="Asia/Kathmandu")
    time.sleep(KNOWN_S)
    refused = ask(world, token, 1)
    resets = world.gateway.admin("GET", f"/api/tokens/{token.id}").json()["access_token"]["resets"]
    left_s = resets["day_at_ms"] / 1000 - time.time()
    assert int(refused.field("retry-after") or 0) == pytest.approx(left_s, abs=2)
    assert refused.field("x-should-retry") == "false"


def test_what_cannot_be_priced_is_refused(world: World) -> None:
    """Where a budget is to hold: models without a price, and calls whose cost nobody can know."""
    world.open("two", models=[{"name": "nobody-knows-what-this-costs"}, {"name": "*"}])
    token = with_budget(world, total_usd="10")
    unpriced = ask(world, token, 1, model="nobody-knows-what-this-costs")
    assert (unpriced.status, unpriced.field("x-gateway-error")) == (403, "model_unpriced")
    for path in ("/v1/files", "/v1/batches", "/v1/fine_tuning/jobs"):
        reply = world.gateway.request("POST", path, b"{}", token.bearer)
        assert (reply.status, reply.field("x-gateway-error")) == (403, "route_not_allowed"), path
    for path in ("/v1/b%61tches", "/v1/embeddings/../batches"):  # which others may take for batches
        reply = world.gateway.request("POST", path, b'{"model": "m"}', token.bearer)
        assert (reply.status, reply.field("x-gateway-error")) == (403, "route_not_allowed"), path
    world.gateway.admin("PUT", "/api/settings", {"budget_unpriced": "allow"})
    time.sleep(KNOWN_S)
    try:
        assert ask(world, token, 1, model="nobody-knows-what-this-costs").status == 200
    finally:
        world.gateway.admin("PUT", "/api/settings", {"budget_unpriced": None})


def test_input_is_held_for_too(world: World) -> None:
    """By the length of the body, with a quarter more."""
    set_price(world, {"model": "dear", "input": "1000", "output": "0"}, PRICE)
    world.open("two", models=[{"name": "dear"}])
    token = with_budget(world, total_usd="1")
    try:
        assert ask(world, token, 1, model="dear", x="a" * 1500).status == 200
        assert ask(world, token, 1, model="dear", x="a" * 3000).status == 429
    finally:
        set_price(world)


def test_a_failed_call_costs_nothing(world: World) -> None:
    """Its reservation is free again at once."""

    def fails(peer: Peer, asked: Asked) -> None:
        peer.answer(b'{"error": {"message": "no"}}', "400 Bad Request", "Content-Type: application/json\r\n")

    token = with_budget(world, total_usd="0.01")
    world.provider.scripts["one"] = [fails, fails, fails, Biller()]
    assert [ask(world, token, 10).status for _ in range(4)] == [400, 400, 400, 200]
    wait_until_spent(world, token, 10 * NANO_A_TOKEN)


def test_an_answer_without_usage_spends_the_reservation(world: World) -> None:
    """Nobody knows what it cost."""

    def says_no_usage(peer: Peer, asked: Asked) -> None:
        peer.answer(b'{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}')

    world.provider.scripts["one"] = [says_no_usage]
    token = with_budget(world, total_usd="1")
    assert ask(world, token, 10).status == 200
    wait_until_spent(world, token, 10 * NANO_A_TOKEN)


def test_a_client_that_leaves_frees_what_it_held(world: World) -> None:
    """Before an answer has begun nothing is spent."""
    biller = Biller()
    biller.pause_s = 30.0
    world.provider.scripts["one"] = [biller]
    token = with_budget(world, total_usd="0.1")
    body = json.dumps({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}]}).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in token.bearer.items())
    with closing(world.gateway.connect()) as sock:
        sock.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wait_until(lambda: spent(world, token)["reserved"] == 100 * NANO_A_TOKEN, "it is reserved")
        assert ask(world, token, 1).status == 429
    wait_until(lambda: spent(world, token)["reserved"] == 0, "it is given back")
    biller.pause_s = 0.0
    assert ask(world, token, 100).status == 200
    wait_until_spent(world, token, biller.billed_nano)


def test_a_call_through_a_mapping_is_held_to_the_budget(world: World) -> None:
    """With `require_token`, and with a token of ours in the place of a key."""
    world.gateway.map("/paid", world.provider.url("one"))
    world.gateway.admin("PUT", "/api/mappings/paid", {"options": {"require_token": True}})
    biller = Biller()
    biller.share = 0.9
    world.provider.scripts["one"] = [biller]
    token = with_budget(world, total_usd="0.025")
    body = json.dumps({"model": "m", "max_tokens": 20, "messages": []})
    try:
        replies = [world.gateway.request("POST", f"/paid{PATH}", body, token.bearer) for _ in range(9)]
        assert {reply.status for reply in replies} == {200, 429}
        wait_until_spent(world, token, biller.billed_nano)
        assert biller.billed_nano > 5 * NANO_A_TOKEN
    finally:
        world.gateway.admin("DELETE", "/api/mappings/paid")


def test_a_stream_is_billed_by_its_last_usage(world: World) -> None:
    """And one that costs more than was reserved is settled whole; then nothing more is admitted."""

    def streams(peer: Peer, asked: Asked) -> None:
        peer.begin_stream()
        peer.send_chunk(b'data: {"choices": [{"delta": {"content": "hi"}}]}\n\n')
        usage = {"prompt_tokens": 1, "completion_tokens": 30, "total_tokens": 31}
        chunk = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage}
        peer.send_chunk(b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n")
        peer.end_stream()

    world.provider.scripts["one"] = [streams]
    token = with_budget(world, total_usd="0.025")
    assert ask(world, token, 20, stream=True).status == 200
    wait_until_spent(world, token, 30 * NANO_A_TOKEN)
    assert ask(world, token, 1).status == 429


@pytest.fixture
def cuts(world: World) -> Iterator[None]:
    """Streams are cut, on channels and on a mapping `/paid`."""
    world.gateway.map("/paid", world.provider.url("one"))
    world.gateway.admin("PUT", "/api/mappings/paid", {"options": {"require_token": True}})
    world.gateway.admin("PUT", "/api/settings", {"budget_cut_streams": True})
    yield
    world.gateway.admin("PUT", "/api/settings", {"budget_cut_streams": None})
    world.gateway.admin("DELETE", "/api/mappings/paid")


def goes_on(peer: Peer, asked: Asked, *, coded: bool = False, begun: Event | None = None) -> None:
    """Far beyond any limit, once the answer has `begun` for the client: before, it would be refused as a whole."""
    peer.begin_stream("Content-Type: text/event-stream\r\n" + "Content-Encoding: gzip\r\n" * coded)
    event = b'data: {"choices": [{"delta": {"content": "%b"}}]}\n\n' % (b"word " * 20)
    packer = zlib.compressobj(wbits=31)
    with suppress(OSError):
        for number in range(500):
            if number == 1 and begun is not None:
                assert begun.wait(10)
            peer.send_chunk(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) if coded else event)
            time.sleep(0.002)
        peer.end_stream()


@pytest.mark.usefixtures("cuts")
@pytest.mark.parametrize("prefix", ["", "/paid"])
def test_a_stream_over_its_reservation_is_ended_where_that_is_wanted(world: World, prefix: str) -> None:
    """With an error event of its dialect; what it had cost until then is spent."""
    begun = Event()
    world.provider.scripts["one"] = [partial(goes_on, begun=begun)]
    token = with_budget(world, total_usd="1")
    body = {"model": "m", "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with closing(http.client.HTTPConnection("127.0.0.1", world.gateway.port, timeout=30)) as client:
        client.request("POST", f"{prefix}{PATH}", json.dumps(body), token.bearer)
        reply = client.getresponse()
        begun.set()
        assert reply.status == 200
        last = reply.read().strip().rpartition(b"\n\n")[2]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "budget_exceeded"
    wait_until(lambda: spent(world, token)["total"] > 0, "it is spent")
    assert 100 * NANO_A_TOKEN < spent(world, token)["total"] < 1000 * NANO_A_TOKEN


@pytest.mark.usefixtures("cuts")
def test_a_compressed_stream_that_costs_too_much_breaks_visibly(world: World) -> None:
    """Nothing can be put into it."""
    world.provider.scripts["one"] = [partial(goes_on, coded=True)]
    token = with_budget(world, total_usd="1")
    body = {"model": "m", "max_tokens": 100, "stream": True, "messages": []}
    with pytest.raises((http.client.HTTPException, OSError)):
        world.gateway.request("POST", f"/paid{PATH}", json.dumps(body), token.bearer)
    wait_until(lambda: spent(world, token)["total"] > 0, "it is spent")
    assert 100 * NANO_A_TOKEN < spent(world, token)["total"] < 1000 * NANO_A_TOKEN


def test_own_figures(world: World) -> None:
    """Its holder is told what is spent and when that turns, as is the operator."""
    token = with_budget(world, month_usd="1")
    assert ask(world, token, 10).status == 200
    wait_until_spent(world, token, 10 * NANO_A_TOKEN)
    own = world.gateway.request("GET", "/v1/dashboard/usage", None, token.bearer).json()
    shown = world.gateway.admin("GET", f"/api/tokens/{token.id}").json()["access_token"]
    assert own["spent"] == shown["spent"]
    assert own["spent"]["month_usd"] == own["spent"]["day_usd"] == "0.010000"
    assert own["resets"] == shown["resets"]
    assert own["resets"]["month_at_ms"] >= own["resets"]["day_at_ms"] > time.time() * 1000


def test_without_redis_budgets_are_shut_and_open_again(world: World) -> None:
    """`stop`: 503 for those that have any; when it is back what was spent is known."""
    token = with_budget(world, total_usd="1")
    free = add_token(world.gateway)
    assert ask(world, token, 10).status == 200
    wait_until_spent(world, token, 10 * NANO_A_TOKEN)
    kill(world.redis)
    try:
        refused = wait_for_status(world, token, 503)
        assert refused.field("x-gateway-error") == "storage_away"
        assert refused.field("retry-after")
        assert ask(world, free, 1).status == 200
    finally:
        revive(world.redis)
    wait_until_open(world, token)
    billed = spent(world, token)["total"]
    assert billed >= 10 * NANO_A_TOKEN


def test_without_redis_each_process_may_have_a_little(world: World) -> None:
    """`local`: then so much and no more, and what it was is told later."""
    world.gateway.admin("PUT", "/api/settings", {"budget_when_redis_away": "local", "budget_local_usd": "0.05"})
    biller = Biller()
    world.provider.scripts["one"] = [biller]
    token = with_budget(world, total_usd="1")
    try:
        kill(world.redis)
        wait_for_status(world, token, 503)
        found = [ask(world, token, 10).status for _ in range(60)]
        assert set(found) <= {200, 503}
        assert found[-1] == 503
        assert 0 < biller.billed_nano <= PROCESSES * 50_000_000 + 20 * NANO_A_TOKEN
    finally:
        revive(world.redis)
        wait_until_open(world, token)
        world.gateway.admin("PUT", "/api/settings", {"budget_when_redis_away": None, "budget_local_usd": None})
    wait_until_spent(world, token, biller.billed_nano)


def wait_until_open(world: World, token: Issued) -> None:
    """In all processes: each call comes to any of them."""

    def statuses() -> set[int]:
        return {ask(world, token, 1).status for _ in range(40)}

    wait_until(lambda: statuses() == {200}, "all processes have found Redis again", timeout_s=30)


def wait_for_status(world: World, token: Issued, status: int) -> object:
    def asked() -> object:
        with suppress(OSError):
            reply = ask(world, token, 1)
            return reply if reply.status == status else None
        return None

    return wait_until(asked, f"it is answered with {status}", timeout_s=20)
