"""Events that differ in their text alone are told by that: cheaper, and to the same end."""

from __future__ import annotations

import json
import random

import pytest

from app.wire.dialects.asked import Asked, dialect_of
from app.wire.dialects.observers import EventObserver
from app.wire.usage.meter import meter_for

TEXTS = (
    "Why", " is", "", " the sky", " \u4f60\u597d", '"', "\\", "a\nb", "\r", "[DONE]", '"error"', "error", 'x"}]}\n\n',
    '"finish_reason":"stop"', '"usage":{"prompt_tokens":9}', "event: error", "data: x", "\U0001f600", "\x7f", "\t",
)  # fmt: skip

COUNTS = ("input", "cached", "cache_write_5m", "cache_write_1h", "output", "reasoning", "other")


def asked(path: str) -> Asked:
    found = dialect_of("POST", path, {"anthropic-version": ""} if path == "/v1/messages" else {})
    assert found is not None
    return found


def openai_event(text: str, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    value = {"id": "c", "choices": [choice], "usage": None, **more}
    return b"data: %b\n\n" % json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def anthropic_event(text: str, **more: object) -> bytes:
    value = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}, **more}
    said = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return b"event: content_block_delta\ndata: %b\n\n" % said


OPENAI_OTHERS = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n\n',
    b'data: {"error":{"message":"too much"}}\n\n',
    b"data: [DONE]\n\n",
)
ANTHROPIC_OTHERS = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":7}}\n\n',
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"full"}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


def seen_of(path: str, pieces: list[bytes]) -> tuple[object, ...]:
    of = asked(path)
    observer = EventObserver(of.dialect)
    observer.meter = meter_for(of)
    for piece in pieces:
        observer.feed(piece)
    observer.finish()
    assert observer.meter is not None
    told = observer.meter.told()
    counts = told.counts and [getattr(told.counts, name) for name in COUNTS]
    known = counts, told.has_output, told.untold_bytes, told.is_whole
    return known, observer.is_ended, observer.error, observer.is_useful, observer.is_malformed


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_events_whole_or_in_halves_say_the_same(path: str) -> None:
    """Whatever the text is: what looks like an end, an error or usage in it is text, and what is one outside counts."""
    event = openai_event if path == "/v1/chat/completions" else anthropic_event
    others = OPENAI_OTHERS if path == "/v1/chat/completions" else ANTHROPIC_OTHERS
    rng = random.Random(7)
    for number in range(400):
        padded = (0.0, 0.2, 0.8, 1.0)[number % 4]
        events = [event("begin")]
        for _ in range(rng.randrange(12)):
            more = {"obfuscation": rng.choice(TEXTS)} if rng.random() < padded else {}
            events.append(event(rng.choice(TEXTS), **more))
        if rng.random() < 0.7:
            events += rng.sample(others, rng.randrange(1, len(others)))
            events.append(event("after"))
        halves = [half for one in events for half in (one[: len(one) // 2], one[len(one) // 2 :])]
        assert seen_of(path, events) == seen_of(path, halves), events


def test_a_text_that_only_looks_like_one_is_read() -> None:
    """What stands around a text may come again inside of what is no text."""
    path = "/v1/chat/completions"
    padded = {"obfuscation": "b"}
    for more, part, odd in (
        ({}, b'"a"', b'"a","x":""'),
        (padded, b'"b"', b'"b","error":{"message":"m"},"x":""'),
        (padded, b'"b"', b'"b","usage":{"prompt_tokens":3},"x":""'),
        (padded, b'"finish_reason":null', b'"finish_reason":"no"'),
    ):
        good = openai_event("a", **more)
        events = [good, good, good.replace(part, odd), good]
        assert seen_of(path, events) == seen_of(path, [half for one in events for half in (one[:30], one[30:])])
