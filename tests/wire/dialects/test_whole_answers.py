"""What an answer in one piece says, and a streamed array, in each dialect and at any cut."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pytest

from app.wire.dialects.asked import dialect_of
from app.wire.dialects.dialect import OurError
from app.wire.dialects.observers import MAX_WHOLE_BYTES, Observer, observer_for
from tests.support.answer_streams import PATHS, STREAMS, facts

JSON = "application/json"
GEMINI_PLAIN = "/v1beta/models/m:generateContent"
OUR_ERROR = OurError(502, "upstream_reset", "it broke", "r1")


def observer(path: str, content_type: str) -> Observer:
    asked = dialect_of("POST", path, {})
    assert asked is not None
    made = observer_for(asked, content_type)
    assert made is not None
    return made


def fed(path: str, pieces: Iterable[bytes], content_type: str = JSON) -> Observer:
    seen = observer(path, content_type)
    for piece in pieces:
        seen.feed(piece)
    seen.finish()
    once = facts(seen)
    seen.finish()
    assert facts(seen) == once
    return seen


def path_of(dialect: str) -> str:
    return GEMINI_PLAIN if dialect == "gemini" else PATHS[dialect]


@pytest.mark.parametrize(
    ("dialect", "body", "useful", "stopped"),
    [
        ("openai", '{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}', True, True),
        ("openai", '{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"error":null}', False, True),
        ("openai", '{"choices":[{"message":{"content":null},"finish_reason":"length"}]}', False, False),
        ("openai", '{"choices":[{"message":{"content":null,"tool_calls":[{}]}}]}', True, False),
        ("openai", '{"choices":[{"message":{"refusal":"no"}}]}', True, False),
        ("openai", '{"choices":[{"text":"a","finish_reason":"stop"}]}', True, True),
        ("openai", '{"object":"list","data":[{"embedding":[0.1]}]}', True, False),
        ("openai", '{"text":"transcribed"}', True, False),
        ("openai", '{"id":"x","error":false}', True, False),
        ("responses", '{"status":"completed","error":null,"output":[]}', False, True),
        ("responses", '{"status":"incomplete","output":[{"type":"message","content":[]}]}', False, False),
        ("responses", '{"status":"completed","output":[{"type":"message","content":[{"text":"a"}]}]}', True, True),
        ("responses", '{"status":"completed","output":[{"type":"function_call","name":"f"}]}', True, True),
        ("responses", '{"status":"queued","output":[]}', True, False),
        ("responses", '{"object":"response.input_tokens","input_tokens":3}', True, False),
        ("anthropic", '{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}', True, True),
        ("anthropic", '{"type":"message","content":[],"stop_reason":"end_turn"}', False, True),
        ("anthropic", '{"type":"message","content":[],"stop_reason":"max_tokens"}', False, False),
        ("anthropic", '{"type":"message","content":[],"stop_reason":"refusal"}', True, False),
        ("anthropic", '{"content":[{"type":"tool_use","name":"f","input":{}}],"stop_reason":"tool_use"}', True, False),
        ("anthropic", '{"input_tokens":3}', True, False),
        ("gemini", '{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}', True, True),
        ("gemini", '{"candidates":[{"content":{"parts":[]},"finishReason":"STOP"}]}', False, True),
        ("gemini", '{"usageMetadata":{"totalTokenCount":3}}', False, False),
        ("gemini", '{"candidates":[{"finishReason":"SAFETY"}]}', True, False),
        ("gemini", '{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}', True, False),
        ("gemini", '{"totalTokens":3}', True, False),
        ("gemini", '{"embedding":{"values":[1]}}', True, False),
        ("openai", "[1,2]", True, False),
    ],
)
def test_a_good_answer_in_one_piece(dialect: str, body: str, useful: bool, stopped: bool) -> None:
    """Whether it holds anything, and whether the model stopped by itself, at any cut."""
    data = body.encode()
    seen = fed(path_of(dialect), [data])
    assert (seen.is_useful, seen.stopped_by_itself, seen.error, seen.is_malformed) == (useful, stopped, b"", False)
    assert seen.is_ended
    for cut in range(1, len(data)):
        assert facts(fed(path_of(dialect), [data[:cut], data[cut:]])) == facts(seen)


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        '{"error":{"message":"m"}}',
        '{"error":"m"}',
        '{"type":"error","message":"m"}',
        '{"type":"ERROR"}',
        '[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]',
        ' \n{"id":"x","choices":[],"error":{}} ',
    ],
)
@pytest.mark.parametrize("content_type", [JSON, "application/problem+json; charset=utf-8", "text/plain", ""])
def test_a_soft_error_is_seen(dialect: str, body: str, content_type: str) -> None:
    """A good status whose body says error, whatever its type is called."""
    seen = fed(path_of(dialect), [body.encode()], content_type)
    assert (seen.error, seen.is_useful) == (body.strip().encode(), False)


@pytest.mark.parametrize("text", ["当前模型负载过高，请稍后再试", "Current model load too high, try later"])
def test_what_relays_say_in_plain_words_is_an_error(text: str) -> None:
    """Where it is short and begins so."""
    assert fed("/v1/chat/completions", [text.encode()], "text/plain; charset=utf-8").error == text.encode()
    assert not fed("/v1/chat/completions", [f"He said: {text}".encode()], "text/plain").error
    assert fed("/v1/chat/completions", [text.encode() + b"." * 256], "text/plain").is_useful


@pytest.mark.parametrize(
    ("body", "content_type", "html", "malformed"),
    [
        ("<!DOCTYPE html><html>", "text/html", True, False),
        ("\n <html>", JSON, True, False),
        ("<h1>", "text/plain", True, False),
        ('{"choices":', JSON, False, True),
        ("hello", JSON, False, True),
        ('{"choices":', "text/plain", False, True),
        ("hello", "text/plain", False, False),
    ],
)
def test_what_is_no_json(body: str, content_type: str, html: bool, malformed: bool) -> None:
    """A page, or half an answer; plain text is what some calls ask for."""
    seen = fed("/v1/audio/transcriptions", [body.encode()], content_type)
    assert (seen.is_html, seen.is_malformed, seen.is_empty) == (html, malformed, False)
    assert seen.is_useful is not (html or malformed)


@pytest.mark.parametrize("content_type", [JSON, "text/event-stream", "text/html", ""])
def test_nothing_at_all_is_empty(content_type: str) -> None:
    """No byte came."""
    assert fed("/v1/chat/completions", [b""], content_type).is_empty


def test_a_long_body_is_not_kept() -> None:
    """It is useful, as nothing says otherwise."""
    seen = observer("/v1/embeddings", JSON)
    for _ in range(MAX_WHOLE_BYTES // 1024):
        seen.feed(b" " * 1024)
    assert not seen.is_useful
    seen.feed(b" ")
    assert seen.is_useful


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        ("GET", "/v1/files/f/content", JSON),
        ("GET", "/v1/videos/v", JSON),
        ("POST", "/v1/batches", JSON),
        ("POST", "/v1/audio/speech", "audio/mpeg"),
        ("POST", "/v1/messages/batches", "application/x-jsonl"),
    ],
)
def test_some_answers_pass_unread(method: str, path: str, content_type: str) -> None:
    """What is read back may hold errors of the past; other types say nothing."""
    asked = dialect_of(method, path, {})
    assert asked is not None
    assert observer_for(asked, content_type) is None


# --- Gemini's streamed array ---

STREAMING = PATHS["gemini"]
ELEMENTS = [event.partition("data: ")[2] for event in STREAMS["gemini: text"].events]
ARRAY = "[" + ",\r\n".join(ELEMENTS) + "\n]\n"
USEFUL_AT = len("[" + ",\r\n".join(ELEMENTS[:2]))
ENDED_AT = len("[" + ",\r\n".join(ELEMENTS))


def test_a_streamed_array_is_read_element_by_element() -> None:
    """At any cut; strings in it may hold brackets, quotes and backslashes."""
    for body in (ARRAY, ARRAY.replace('"a"', r'"}]\"\\{[,"')):
        grown = len(body) - len(ARRAY)
        data = body.encode()
        seen = observer(STREAMING, JSON)
        for number, byte in enumerate(data, start=1):
            seen.feed(bytes([byte]))
            assert seen.is_useful is (number >= USEFUL_AT + grown)
            assert seen.is_ended is (number >= ENDED_AT + grown)
        whole = facts(seen)
        for cut in range(len(data)):
            assert facts(fed(STREAMING, [data[:cut], data[cut:]])) == whole
        assert not seen.error
        assert not seen.is_malformed


def test_an_error_in_a_streamed_array_is_seen() -> None:
    """As its only element, as a later one, or instead of the array."""
    error = '{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}'
    for body in (f"[{error}]", error, ARRAY.rstrip("\n]") + f"\n,{error}]"):
        assert fed(STREAMING, [body.encode()]).error == error.encode()
    assert fed(STREAMING, [b"hello"]).is_malformed
    assert fed(STREAMING, [b"[1]"]).is_malformed
    assert fed(STREAMING, [b"[{]}]"]).is_malformed


def test_the_last_words_are_the_arrays_last_element() -> None:
    """And close it; where an element was cut nothing can be put right, but the words are there."""
    error = orjson.loads(observer(STREAMING, JSON).dialect.error_body(OUR_ERROR))
    for cut in (0, 1, len("[" + ELEMENTS[0]), len("[" + ELEMENTS[0] + ",\r\n"), ENDED_AT):
        begun = ARRAY[:cut].encode()
        seen = fed(STREAMING, [begun])
        words = seen.last_words(OUR_ERROR)
        assert words is not None
        assert orjson.loads(begun + words)[-1] == error, cut
    words = fed(STREAMING, [ARRAY[:20].encode()]).last_words(OUR_ERROR)
    assert words is not None
    assert words.startswith(b",")
    assert fed(STREAMING, [ARRAY.encode()]).last_words(OUR_ERROR) is None
    assert observer(STREAMING, JSON).dialect.ends_cleanly is False


def test_a_long_element_is_useful_content() -> None:
    """An image, of which the two ends are kept."""
    begin = b'[{"candidates":[{"content":{"parts":[{"inlineData":{"data":"'
    seen = fed(STREAMING, [begin, *[b"x" * 10_000] * 40])
    assert not seen.is_useful
    seen.feed(b'"}}]},"finishReason":"STOP"}]}')
    assert (seen.is_useful, seen.is_ended) == (True, True)


def test_a_plain_body_has_no_last_words_and_no_comments() -> None:
    """It breaks visibly."""
    seen = fed("/v1/chat/completions", [b"{"])
    assert seen.last_words(OUR_ERROR) is None
    assert seen.comment() == b""
    assert not seen.is_stream
