"""Requests of coding agents pass as they are, and what their answers used is read right."""

from __future__ import annotations

import json

import pytest

from tests.support.channel_story import Tell
from tests.support.channel_usage import answer_of, use_of
from tests.support.coding_agents import TURNS, claude_code_sub_agent, claude_code_with_image
from tests.support.golden_usage import GOLDEN, pieces_of
from tests.support.in_process import content

ANSWERS = {
    "/v1/messages": ("anthropic", "a stream of a message", "a message"),
    "/v1/responses": ("responses", "a stream of a response", "responses"),
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent": ("gemini", "a stream of Gemini", "a stream of Gemini"),
}
ALREADY_TAKEN = ("authorization", "x-goog-api-key", "content-type")
"""By the door, or given by the story."""
ALL = TURNS | {
    "Claude Code, a sub-agent": claude_code_sub_agent(),
    "Claude Code, with an image": claude_code_with_image(),
}


@pytest.mark.parametrize("name", ALL)
def test_an_agents_turn_passes_and_its_usage_is_read(tell: Tell, name: str) -> None:
    turn = ALL[name]
    path = turn.path.partition("?")[0]
    dialect, streamed, whole = ANSWERS[path]
    is_stream = json.loads(turn.plain_body()).get("stream", False) or dialect == "gemini"
    golden = GOLDEN[streamed if is_stream else whole]
    models = [{"name": turn.model}]
    story = tell({"a": {"k": [answer_of(golden, pieces_of(golden))]}}, dialect=dialect, said={"models": models})
    fields = [(name, value) for name, value in turn.fields.items() if name.lower() not in ALREADY_TAKEN]
    assert content(story.ask(body=turn.body, path=path, fields=fields).reply) == b"".join(pieces_of(golden))
    assert story.bodies == [turn.body], "the body is the agent's, byte for byte"
    use = use_of(story)
    assert use.usage == golden.used
    assert (use.model, use.is_stream, use.dialect) == (turn.model, is_stream, dialect)
