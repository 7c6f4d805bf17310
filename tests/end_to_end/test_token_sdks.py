"""The official SDKs, unmodified, raise the right exception for each refusal of an access token."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from app.storage.embedded import EmbeddedRedis
from tests.support.api_calls import Accounts, good
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import kill, revive, running_redis
from tests.support.sdks import ASKS, Ask, ask_gemini, assert_raised, raised
from tests.support.tokens import add_token, change_token, delete_tokens
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.own_server,
]


class Place(NamedTuple):
    gateway: GatewayProcess
    redis: EmbeddedRedis


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running_redis(tmp_path_factory.mktemp("api")) as server:
        gateway = GatewayProcess(server.url).start()
        yield Place(gateway, server)
        gateway.stop()


@pytest.fixture
def accounts(place: Place) -> Iterator[Accounts]:
    """A channel that serves `m`."""
    upstream = Upstream(handler=good)
    accounts = Accounts(place.gateway, upstream)
    accounts.add("one")
    yield accounts
    accounts.close()
    delete_tokens(place.gateway)
    upstream.close()


def refusal(
    accounts: Accounts, ask: Ask, text: str, status: int, says: str, *, is_final: bool = True, model: str = "m"
) -> None:
    """What the SDK raises; where asking again is of no use it asks once, though it would ask three times."""
    before = calls_of(accounts)
    retries = 2 if is_final and ask is not ask_gemini else 0
    assert_raised(ask, raised(ask, accounts.gateway.url, text, retries, model), status, says)
    assert calls_of(accounts) == before + 1
    assert not accounts.upstream.seen


def calls_of(accounts: Accounts) -> int:
    return accounts.gateway.settled_log().count("mapping=/v1")


@pytest.mark.parametrize("ask", ASKS)
def test_401_of_a_token_that_is_no_longer_good(accounts: Accounts, ask: Ask) -> None:
    token = add_token(accounts.gateway, enabled=False)
    refusal(accounts, ask, token.text, 401, "disabled")
    rotated = accounts.gateway.admin("POST", f"/api/tokens/{token.id}/rotate").json()["token"]
    change_token(accounts.gateway, token, enabled=True)
    refusal(accounts, ask, token.text, 401, "does not know")
    change_token(accounts.gateway, token, expires_at_ms=int(time.time() * 1000) + 1000)  # what is past is refused
    time.sleep(1.0)
    refusal(accounts, ask, rotated, 401, "has expired")
    change_token(accounts.gateway, token, expires_at_ms=None)
    assert "hi" in str(ask(accounts.gateway.url, rotated))


@pytest.mark.parametrize("ask", ASKS)
def test_403_of_a_model_or_a_route_that_the_token_does_not_open(accounts: Accounts, ask: Ask) -> None:
    token = add_token(accounts.gateway, models=["n"])
    refusal(accounts, ask, token.text, 403, "'m'")
    change_token(accounts.gateway, token, models=[], routes={"mode": "allow"})
    refusal(accounts, ask, token.text, 403, "does not open any channel")


@pytest.mark.parametrize("ask", ASKS)
def test_429_of_a_rate(accounts: Accounts, ask: Ask) -> None:
    token = add_token(accounts.gateway, requests_per_minute=1)
    assert "hi" in str(ask(accounts.gateway.url, token.text))
    accounts.upstream.seen.clear()
    refusal(accounts, ask, token.text, 429, "within 60 s", is_final=False)


@pytest.mark.parametrize("ask", ASKS)
def test_429_of_calls_at_once(accounts: Accounts, ask: Ask) -> None:
    """An SDK that asks again is served as soon as there is room."""
    arrived, release = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        arrived.set()
        release.wait(10)
        good(peer)

    accounts.upstream.handler = slow
    token = add_token(accounts.gateway, max_concurrency=1)
    first = in_background(lambda: ask(accounts.gateway.url, token.text))
    assert arrived.wait(5)
    refusal(accounts, ask, token.text, 429, "in flight", is_final=False)
    threading.Timer(0.5, release.set).start()
    assert "hi" in str(ask(accounts.gateway.url, token.text, 3))
    first.join(5)


@pytest.mark.parametrize("ask", ASKS)
def test_403_and_429_of_a_budget(accounts: Accounts, ask: Ask) -> None:
    """Of a model that nobody knows the price of, and of one that costs more than is left."""
    token = add_token(accounts.gateway, budgets={"day_usd": "0"})
    refusal(accounts, ask, token.text, 403, "nobody knows what 'm' costs")
    price = {"model": "m", "input": "1", "output": "1"}
    try:
        assert accounts.gateway.admin("PUT", "/api/prices", {"overrides": [price]}).status == 200
        refusal(accounts, ask, token.text, 429, "may spend 0.000000 USD a day")
    finally:
        accounts.gateway.admin("PUT", "/api/prices", {"overrides": []})


def in_background(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_503_of_limits_that_cannot_be_held_without_redis(accounts: Accounts, place: Place) -> None:
    """Those without limits go on being served, and known tokens are known."""
    limited, free = add_token(accounts.gateway, requests_per_minute=100), add_token(accounts.gateway, "bob")
    kill(place.redis)
    try:
        for ask in ASKS:
            wait_until(lambda ask=ask: is_away(ask, accounts.gateway.url, limited.text), "it is known", timeout_s=10)
            assert_raised(ask, raised(ask, accounts.gateway.url, limited.text), 503, "Redis is away")
            assert "hi" in str(ask(accounts.gateway.url, free.text))
            assert raised(ask, accounts.gateway.url, free.text + "x")[1] == 401
    finally:
        revive(place.redis)
    wait_until(lambda: not is_away(ASKS[0], accounts.gateway.url, limited.text), "Redis is back", timeout_s=10)
    wait_until(lambda: accounts.gateway.admin("GET", "/api/tokens").status == 200, "the admin is back")


def is_away(ask: Ask, url: str, text: str) -> bool:
    try:
        ask(url, text)
    except Exception as error:
        return getattr(error, "status_code", getattr(error, "code", 0)) == 503
    return False
