"""The official SDKs, unmodified, and the channels: what they get, and which exception each refusal of ours raises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as genai_types

from tests.support.api_calls import TOKEN, Accounts, good
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import running_redis
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


def ask_openai(url: str, token: str, retries: int = 0) -> str | None:
    with openai.OpenAI(api_key=token, base_url=f"{url}/v1", max_retries=retries) as client:
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        return answer.choices[0].message.content


def ask_responses(url: str, token: str, retries: int = 0) -> object:
    with openai.OpenAI(api_key=token, base_url=f"{url}/v1", max_retries=retries) as client:
        return client.responses.create(model="m", input="hi")


def ask_anthropic(url: str, token: str, retries: int = 0) -> str:
    with anthropic.Anthropic(api_key=token, base_url=url, max_retries=retries) as client:
        answer = client.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
        block = answer.content[0]
        return block.text if block.type == "text" else ""


def ask_gemini(url: str, token: str, retries: int = 0) -> str | None:
    options = genai_types.HttpOptions(base_url=url, retry_options=genai_types.HttpRetryOptions(attempts=retries + 1))
    client = genai.Client(api_key=token, http_options=options)
    return client.models.generate_content(model="m", contents="hi").text


Ask = Callable[..., Any]
ASKS: tuple[Ask, ...] = (ask_openai, ask_responses, ask_anthropic, ask_gemini)


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


REFUSALS = {
    401: (openai.AuthenticationError, anthropic.AuthenticationError),
    404: (openai.NotFoundError, anthropic.NotFoundError),
    429: (openai.RateLimitError, anthropic.RateLimitError),
    503: (openai.InternalServerError, anthropic.InternalServerError),
}


def raised(ask: Ask, url: str, token: str, retries: int = 0) -> tuple[BaseException, int, str]:
    """The exception, and the status and the text that it tells."""
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError, genai_errors.APIError)) as told:
        ask(url, token, retries)
    error = told.value
    status = error.code if isinstance(error, genai_errors.APIError) else error.status_code
    return error, status, str(error)


def assert_raised(ask: Ask, told: tuple[BaseException, int, str], status: int, says: str) -> None:
    error, told_status, text = told
    assert (told_status, says in text) == (status, True), text
    if ask is ask_gemini:
        assert isinstance(error, genai_errors.ClientError if status < 500 else genai_errors.ServerError)
    else:
        assert isinstance(error, REFUSALS[status][ask is ask_anthropic])


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
