"""Ids are learned from answers as they pass, which stay as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.channel_story import Answer, Tell, answers, streams
from tests.support.in_process import content

CREATED = b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_abc123","store":%b}}\n\n'
TEXT = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hi"}\n\n'
DONE = b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_abc123","output":[]}}\n\n'
WHOLE = {"id": "resp_abc123", "status": "completed", "output": [{"type": "message", "content": [{"text": "hi"}]}]}
FILE = b'{"object": "file", "id": "file-abc123", "bytes": 5}'


@pytest.fixture
def tell(tell: Tell) -> Tell:
    """Of one account, which gives this answer."""
    return lambda answer, **more: tell({"a": {"k": [answer]}}, **more)


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        (streams(CREATED % b"true", TEXT, DONE), ["resp_abc123"]),
        (streams(CREATED % b"false", TEXT, DONE), []),
        (answers(200, json.dumps(WHOLE).encode()), ["resp_abc123"]),
    ],
)
def test_a_response_gives_its_id(tell: Tell, answer: Answer, given: list[str]) -> None:
    """Streamed or whole, unless it was not stored."""
    story = tell(answer, dialect="responses")
    content(story.ask(stream=True).reply)
    assert story.given == given


def test_what_was_stored_gives_its_id(tell: Tell) -> None:
    """However its JSON is cut; its bytes pass as they come."""

    def in_pieces(peer: Any) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(FILE))
        for number in range(len(FILE)):
            peer.send(FILE[number : number + 1])

    for answer in (answers(200, FILE), in_pieces):
        story = tell(answer, said={"models": [{"name": "*"}]})
        reply = story.ask(path="/v1/files", body=b'{"purpose": "batch"}').reply
        assert content(reply) == FILE
        assert story.given == ["file-abc123"]


def test_what_files_hold_gives_none(tell: Tell) -> None:
    """It is anybody's text."""
    story = tell(answers(200, FILE, "Content-Type: application/octet-stream"), said={"models": [{"name": "*"}]})
    content(story.ask(path="/v1/files/file-other1/content", body=b"{}").reply)
    assert story.given == []


def test_other_calls_are_not_looked_at(tell: Tell) -> None:
    """A chat's answer may say what it will."""
    said = {"id": "resp_abc123", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    story = tell(answers(200, json.dumps(said).encode()))
    content(story.ask().reply)
    assert story.given == []
