"""SDKs and requests of coding agents, unmodified, where half of the accounts fail: callers see good answers only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import provider as of
from tests.support.api_calls import TOKEN
from tests.support.coding_agents import TURNS, Turn
from tests.support.provider import WHOLE_TEXT
from tests.support.said_answers import read_events, read_plain
from tests.support.world import World

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::pydantic.warnings.PydanticDeprecatedSince20"
)

SOFT_ERROR = of.fails(200, {"type": "server_error", "message": "upstream error"})
FAILING: dict[str, tuple[of.Answer, str]] = {
    "limited": (of.fails(429, {"type": "rate_limit_error"}, "Retry-After: 300"), "no_fit_key"),
    "revoked": (of.fails(401, {"code": "invalid_api_key", "message": "Incorrect API key provided"}), "no_fit_key"),
    "broken": (of.fails(500), "resting"),
    "unwell": (SOFT_ERROR, "resting"),
    "cut": (of.cut_before_content, "resting"),
}
"""Accounts, each better than those that serve, and why POST /api/explain says that it is passed over once it failed."""
SERVING = ["well 1", "well 2", "well 3", "well 4", "well 5"]
MODELS = ["m", *sorted({turn.model for turn in TURNS.values()})]


@pytest.fixture
def world(whole_world: World) -> Iterator[World]:
    """Half of its accounts fail."""
    models = [{"name": name} for name in MODELS]
    whole_world.open(*(name.replace(" ", "-") for name in [*FAILING, *SERVING]), models=models)
    whole_world.provider.scripts |= {name: [answer] for name, (answer, _) in FAILING.items()}
    yield whole_world
    whole_world.clear()


def assert_explained(world: World, path: str, body: str, fields: dict[str, str], served_by: str) -> None:
    """Why nobody goes to those that failed, and where the next call goes."""
    said = {"path": path, "body": body, "headers": fields}
    reply = world.gateway.admin("POST", "/api/explain", said)
    assert reply.status == 200, reply.body
    told = reply.json()["explanation"]
    rows = {row["channel"]: row for row in told["candidates"]}
    assert told["refused"] is None
    assert {name: rows[name]["excluded"] for name in FAILING} == {name: why for name, (_, why) in FAILING.items()}
    assert [row["channel"] for row in told["candidates"] if row["rank"] == 1] == [served_by]
    assert len([row for row in rows.values() if row["rank"]]) == len(SERVING)


# --- SDKs ---


def openai_chat(url: str, is_stream: bool) -> str:
    import openai

    with openai.OpenAI(api_key=TOKEN, base_url=f"{url}/v1", max_retries=0) as client:
        asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        if not is_stream:
            return str(client.chat.completions.create(**asked).choices[0].message.content)
        chunks = client.chat.completions.create(**asked, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def openai_responses(url: str, is_stream: bool) -> str:
    import openai

    with openai.OpenAI(api_key=TOKEN, base_url=f"{url}/v1", max_retries=0) as client:
        if not is_stream:
            return client.responses.create(model="m", input="hi").output_text
        with client.responses.stream(model="m", input="hi") as events:
            return events.get_final_response().output_text


def anthropic_messages(url: str, is_stream: bool) -> str:
    import anthropic

    asked: dict[str, Any] = {"model": "m", "max_tokens": 90, "messages": [{"role": "user", "content": "hi"}]}
    with anthropic.Anthropic(api_key=TOKEN, base_url=url, max_retries=0) as client:
        if not is_stream:
            return str(client.messages.create(**asked).content[0].text)
        with client.messages.stream(**asked) as events:
            return events.get_final_text()


def google_genai(url: str, is_stream: bool) -> str:
    from google import genai

    with genai.Client(api_key=TOKEN, http_options=genai.types.HttpOptions(base_url=url)) as client:
        if not is_stream:
            return str(client.models.generate_content(model="m", contents="hi").text)
        return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(model="m", contents="hi"))


SDKS: dict[str, tuple[Callable[[str, bool], str], str]] = {
    "OpenAI, chat": (openai_chat, "/v1/chat/completions"),
    "OpenAI, responses": (openai_responses, "/v1/responses"),
    "Anthropic": (anthropic_messages, "/v1/messages"),
    "google-genai": (google_genai, "/v1beta/models/m:generateContent"),
}


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("name", SDKS)
def test_sdks_see_good_answers_only(world: World, name: str, is_stream: bool) -> None:
    """They try nothing again themselves: all of it was done for them. Only the first call has to find out."""
    ask, path = SDKS[name]
    for _ in range(3):
        assert ask(world.gateway.url, is_stream) == WHOLE_TEXT
    accounts = [tried.account for tried in world.provider.asked]
    assert accounts == [*FAILING, "well-1", "well-1", "well-1"]
    assert_explained(world, path, '{"model": "m"}', {}, "well-1")


# --- coding agents ---


def ask_as(world: World, turn: Turn) -> str:
    reply = world.gateway.request("POST", turn.path, turn.body, turn.fields)
    assert reply.status == 200, reply.body
    is_events = (reply.field("content-type") or "").startswith("text/event-stream")
    read = read_events(reply.body) if is_events else read_plain(reply.body)
    assert (read.is_whole, read.error) == (True, "")
    return read.text


@pytest.mark.parametrize("name", TURNS)
def test_coding_agents_see_good_answers_only(world: World, name: str) -> None:
    """Each account was sent the body byte for byte, and no field in which the agent's own credential stood."""
    turn = TURNS[name]
    for _ in range(2):
        assert ask_as(world, turn) == WHOLE_TEXT
    assert [tried.account for tried in world.provider.asked] == [*FAILING, "well-1", "well-1"]
    for tried in world.provider.asked:
        assert tried.seen.body == turn.body
        assert tried.seen.target == f"/{tried.account}{turn.path}"
        assert TOKEN not in str(tried.seen.fields)
        assert tried.key == f"sk-{tried.account}-1"
        assert tried.seen.field("anthropic-version") == turn.fields.get("anthropic-version")
    fields = {name: value for name, value in turn.fields.items() if name != "content-encoding"}
    assert_explained(world, turn.path, turn.plain_body().decode(), fields, "well-1")
