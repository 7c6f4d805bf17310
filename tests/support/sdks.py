"""The official SDKs, unmodified: one call of each, and what it raises.

They take seconds to import, and each process of the tests imports all modules: whoever calls one imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.api_calls import TOKEN


def ask_openai(url: str, token: str, retries: int = 0, model: str = "m") -> str | None:
    import openai

    with openai.OpenAI(api_key=token, base_url=f"{url}/v1", max_retries=retries) as client:
        answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
        return answer.choices[0].message.content


def ask_responses(url: str, token: str, retries: int = 0, model: str = "m") -> object:
    import openai

    with openai.OpenAI(api_key=token, base_url=f"{url}/v1", max_retries=retries) as client:
        return client.responses.create(model=model, input="hi")


def ask_anthropic(url: str, token: str, retries: int = 0, model: str = "m") -> str:
    import anthropic

    with anthropic.Anthropic(api_key=token, base_url=url, max_retries=retries) as client:
        answer = client.messages.create(model=model, max_tokens=5, messages=[{"role": "user", "content": "hi"}])
        block = answer.content[0]
        return block.text if block.type == "text" else ""


def ask_gemini(url: str, token: str, retries: int = 0, model: str = "m") -> str | None:
    from google import genai

    options = genai.types.HttpOptions(base_url=url, retry_options=genai.types.HttpRetryOptions(attempts=retries + 1))
    with genai.Client(api_key=token, http_options=options) as client:
        return client.models.generate_content(model=model, contents="hi").text


Ask = Callable[..., Any]
ASKS: tuple[Ask, ...] = (ask_openai, ask_responses, ask_anthropic, ask_gemini)

REFUSALS = {
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    503: "InternalServerError",
}
"""What openai and anthropic call them."""


def raised(ask: Ask, url: str, token: str, retries: int = 0, model: str = "m") -> tuple[BaseException, int, str]:
    """The exception, and the status and the text that it tells."""
    import anthropic
    import openai
    from google import genai

    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError, genai.errors.APIError)) as told:
        ask(url, token, retries, model)
    error = told.value
    status = error.code if isinstance(error, genai.errors.APIError) else error.status_code
    return error, status, str(error)


def assert_raised(ask: Ask, told: tuple[BaseException, int, str], status: int, says: str) -> None:
    import anthropic
    import openai
    from google import genai

    error, told_status, text = told
    assert (told_status, says in text) == (status, True), text
    if ask is ask_gemini:
        assert isinstance(error, genai.errors.ClientError if status < 500 else genai.errors.ServerError)
    else:
        sdk = anthropic if ask is ask_anthropic else openai
        assert isinstance(error, getattr(sdk, REFUSALS[status]))


def count_openai(url: str) -> int:
    import openai

    with openai.OpenAI(api_key=TOKEN, base_url=f"{url}/v1", max_retries=0) as client:
        return client.responses.input_tokens.count(model="gpt-of-nobody", input="Tell me a joke.").input_tokens


def count_anthropic(url: str) -> int:
    import anthropic

    with anthropic.Anthropic(api_key=TOKEN, base_url=url, max_retries=0) as client:
        said: Any = {"system": "You are a scientist", "messages": [{"role": "user", "content": "Hello, Claude"}]}
        return client.messages.count_tokens(model="claude-of-nobody", **said).input_tokens


def count_gemini(url: str) -> int | None:
    from google import genai

    text = "The quick brown fox jumps over the lazy dog."
    with genai.Client(api_key=TOKEN, http_options=genai.types.HttpOptions(base_url=url)) as client:
        return client.models.count_tokens(model="gemini-of-nobody", contents=text).total_tokens


COUNTS: tuple[tuple[Ask, int], ...] = ((count_openai, 11), (count_anthropic, 14), (count_gemini, 10))
"""And the counts that the providers publish for these requests."""
