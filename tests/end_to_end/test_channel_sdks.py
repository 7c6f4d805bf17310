"""The official SDKs, unmodified, and the channels: what they get, and which exception each refusal of ours raises."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.api_calls import TOKEN, Accounts, good
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import running_redis
from tests.support.sdks import ASKS, COUNTS, Ask, ask_gemini, assert_raised, raised
from tests.support.upstream import Peer, Upstream

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::pydantic.warnings.PydanticDeprecatedSince20"
)


@pytest.fixture(scope="module")
def api_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_redis(tmp_path_factory.mktemp("api")) as server:
        process = GatewayProcess(server.url, {"AUTH_KEY": TOKEN}).start()
        yield process
        process.stop()


@pytest.fixture
def accounts(api_gateway: GatewayProcess) -> Iterator[Accounts]:
    upstream = Upstream(handler=good)
    accounts = Accounts(api_gateway, upstream)
    yield accounts
    accounts.close()
    upstream.close()


@pytest.mark.parametrize("ask", ASKS)
def test_each_sdk_is_answered_by_a_channel(accounts: Accounts, ask: Ask) -> None:
    """With no more than a base URL and a token."""
    accounts.add("one")
    answer = ask(accounts.gateway.url, TOKEN)
    assert answer == "hi" or "hi" in str(answer)


def answers_429(peer: Peer) -> None:
    if peer.read_request() is not None:
        told = {"error": {"message": "Rate limit reached", "type": "rate_limit_error", "code": 429}}
        peer.answer(json.dumps(told).encode(), "429 Too Many Requests", "Retry-After: 300\r\nConnection: close\r\n")


@pytest.mark.parametrize("ask", ASKS)
def test_each_refusal_raises_the_right_exception_at_once(accounts: Accounts, ask: Ask) -> None:
    """With our text in it; the SDKs that would ask again ask once, as asking again is of no use."""
    url = accounts.gateway.url
    before = calls_of(accounts)
    accounts.add("other", (), models=[{"name": "n"}])
    assert_raised(ask, raised(ask, url, "sk-wrong", 2), 401, "access token")
    assert_raised(ask, raised(ask, url, TOKEN, 2), 404, "'m'")
    accounts.clear()
    accounts.add("one", ())
    assert_raised(ask, raised(ask, url, TOKEN, 0 if ask is ask_gemini else 2), 503, "key")
    assert calls_of(accounts) - before == 3


def calls_of(accounts: Accounts) -> int:
    """How many calls of the data plane the log tells of."""
    return accounts.gateway.settled_log().count("mapping=/v1")


@pytest.mark.parametrize("ask", ASKS)
def test_a_wait_of_the_upstreams_is_passed_on(accounts: Accounts, ask: Ask) -> None:
    """429 is 429, and above a minute nobody asks again before it is over; then all rest, which is 503."""
    accounts.add("one")
    accounts.upstream.handler = answers_429
    retries = 0 if ask is ask_gemini else 2
    assert_raised(ask, raised(ask, accounts.gateway.url, TOKEN, retries), 429, "Rate limit reached")
    assert_raised(ask, raised(ask, accounts.gateway.url, TOKEN, retries), 503, "rest")
    assert len(accounts.upstream.seen) == 1


@pytest.mark.parametrize(("count", "tokens"), COUNTS)
def test_each_sdk_counts_tokens_here(accounts: Accounts, count: Ask, tokens: int) -> None:
    """The providers' own examples, to within a tenth, of models that nobody serves; nobody else is asked."""
    accounts.add("one")
    assert abs(count(accounts.gateway.url) / tokens - 1) <= 0.1
    assert not accounts.upstream.seen
