"""What an event stream says, in each dialect and at any cut."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pytest

from app.wire.dialects.asked import dialect_of
from app.wire.dialects.dialect import OurError
from app.wire.dialects.observers import COMMENT, Observer, observer_for
from tests.support.answer_streams import ERRORS, PATHS, STREAMS, Stream, facts

OUR_ERROR = OurError(502, "upstream_reset", "it broke", "r1")


def observer(dialect: str, content_type: str = "text/event-stream; charset=utf-8") -> Observer:
    asked = dialect_of("POST", PATHS[dialect], {})
    assert asked is not None
    made = observer_for(asked, content_type)
    assert made is not None
    return made


def useful_event(dialect: str) -> str:
    """One after which a stream of the dialect is useful and goes on."""
    stream = STREAMS[f"{dialect}: text"]
    return stream.events[stream.useful - 1]


def fed(dialect: str, pieces: Iterable[bytes]) -> Observer:
    seen = observer(dialect)
    for piece in pieces:
        seen.feed(piece)
    return seen


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", STREAMS)
def test_useful_content_and_the_end_are_seen_at_their_event(name: str, end: str) -> None:
    """Not before: until useful content comes another upstream may still be asked."""
    stream = STREAMS[name]
    seen = observer(stream.dialect)
    for number, event in enumerate(stream.events, start=1):
        seen.feed((event.replace("\n", end) + end * 2).encode())
        assert seen.is_useful is (0 < stream.useful <= number), event
        assert seen.is_ended is (0 < stream.ended <= number), event
    seen.finish()
    assert (seen.error, seen.is_malformed) == (b"", False)
    assert seen.is_useful or seen.stopped_by_itself is stream.stopped


def body_of(stream: Stream, end: str = "\n") -> bytes:
    return "".join(event.replace("\n", end) + end * 2 for event in stream.events).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", STREAMS)
def test_any_cut_says_the_same(name: str, end: str) -> None:
    """Byte by byte, in two pieces wherever they part, and all at once."""
    stream = STREAMS[name]
    body = body_of(stream, end)
    whole = facts(fed(stream.dialect, [body]))
    assert whole[0] is (stream.useful > 0)
    assert facts(fed(stream.dialect, [bytes([byte]) for byte in body])) == whole
    for cut in range(1, len(body)):
        assert facts(fed(stream.dialect, [body[:cut], body[cut:]])) == whole


@pytest.mark.parametrize("at", ["first", "after useful content"])
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_in_a_stream_is_seen(name: str, at: str) -> None:
    """With the text to judge it by, before the first useful content and after it, at any cut."""
    dialect, event = ERRORS[name]
    before = f"{useful_event(dialect)}\n\n" if at != "first" else ": a comment\n\n"
    data = event.partition("data:")[2].strip().encode()
    body = f"{before}{event}\n\n".encode()
    for cut in range(1, len(body)):
        seen = fed(dialect, [body[:cut], body[cut:]])
        assert seen.error == data
        assert seen.is_useful is (at != "first")
        assert not seen.is_malformed


@pytest.mark.parametrize("dialect", PATHS)
def test_what_is_no_json_is_malformed_before_useful_content(dialect: str) -> None:
    """Afterwards it passes as it came."""
    for data in ("{", "hello", "[1]", "1", "<html>"):
        assert fed(dialect, [f"data: {data}\n\n".encode()]).is_malformed
        assert not fed(dialect, [f"{useful_event(dialect)}\n\ndata: {data}\n\n".encode()]).is_malformed


@pytest.mark.parametrize("dialect", PATHS)
def test_an_event_without_its_empty_line_counts_at_the_end(dialect: str) -> None:
    """Some servers leave it out behind the last event."""
    stream = STREAMS[f"{dialect}: text"]
    seen = fed(dialect, [body_of(stream).rstrip(b"\n")])
    seen.finish()
    assert seen.is_ended


def test_a_cut_event_is_no_end() -> None:
    """Though its beginning speaks of one."""
    body = body_of(STREAMS["anthropic: text"])
    seen = fed("anthropic", [body[:-4]])
    seen.finish()
    assert not seen.is_ended


LONG = {
    "openai": ('data: {"choices":[{"delta":{"content":"', '"},"finish_reason":"stop"}]}'),
    "openai, images": ('data: {"type":"image_generation.completed","b64_json":"', '"}'),
    "responses": ('event: x\ndata: {"type":"response.completed","response":{"output":["', '"]}}'),
    "gemini": ('data: {"candidates":[{"content":{"parts":[{"inlineData":{"data":"', '"}}]},"finishReason":"STOP"}]}'),
}
"""Events as long as their content, that are the last."""


@pytest.mark.parametrize("name", LONG)
def test_a_long_event_is_useful_content_and_may_be_the_last(name: str) -> None:
    """It is not kept; its two ends say what it is."""
    dialect = name.partition(",")[0]
    begin, end = LONG[name]
    seen = fed(dialect, [begin.encode(), *[b"x" * 10_000] * 120])
    assert (seen.is_useful, seen.is_ended) == (False, False)
    for piece in (end.encode(), b"\n", b"\n"):
        seen.feed(piece)
    assert (seen.is_useful, seen.is_ended, seen.error) == (True, True, b"")


@pytest.mark.parametrize("dialect", PATHS)
def test_what_follows_a_long_event_is_read(dialect: str) -> None:
    """And a long one that is not the last ends nothing."""
    seen = fed(dialect, [b'data: {"x":"', *[b"x" * 10_000] * 120, b'"}\n\n'])
    assert (seen.is_useful, seen.is_ended) == (True, False)
    seen.feed(body_of(STREAMS[f"{dialect}: text"]))
    assert seen.is_ended


# --- what we say in a stream ---


@pytest.mark.parametrize(
    ("dialect", "piece", "allowed"),
    [
        ("openai", b"", True),
        ("openai", b"data: {}\n\n", True),
        ("openai", b"data: {}\n", False),
        ("openai", b"data: {}\r\n\r\n", True),
        ("openai", b"data: {}\r\r", True),
        ("openai", b"data: {}\r\n\r", True),
        ("openai", b": comm", False),
        ("responses", b"data: {}\n\ndata", False),
        ("anthropic", b"event: ping\ndata: {}\n\n", True),
        ("gemini", b"data: {}\n\n", False),
        ("gemini", b"", False),
    ],
)
def test_a_comment_goes_between_events_only(dialect: str, piece: bytes, allowed: bool) -> None:
    """And never to clients of Gemini, which take it for an error."""
    seen = fed(dialect, [piece] if piece else [])
    assert seen.comment() == (COMMENT if allowed else b"")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("dialect", ["openai", "responses", "anthropic"])
def test_a_line_that_has_ended_is_no_event_that_has(dialect: str, end: str) -> None:
    """Nothing is put between the lines of an event, before useful content nor after it."""
    event = useful_event(dialect).replace("\n", end) + end
    for before in ("", event + end):
        seen = fed(dialect, [(before + event).encode()] if not before else [before.encode(), event.encode()])
        assert seen.comment() == b""
        seen.feed(end.encode())
        assert seen.comment() == COMMENT


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("cut", [0, 1, 9, 30])
def test_the_last_words_begin_after_an_empty_line(dialect: str, cut: int) -> None:
    """Even where an event was cut; so another parser finds our error as an event of its own."""
    stream = STREAMS[f"{dialect}: text"]
    body = body_of(stream) + body_of(stream)[:cut]
    words = fed(dialect, [body]).last_words(OUR_ERROR)
    assert words is not None
    assert words.startswith(b"\n\n") is (cut > 0)
    events = (body + words).decode().split("\n\n")
    assert events[-1] == ""
    said = orjson.loads(events[-2].rpartition("data: ")[2])
    assert b"it broke" in words
    assert said.get("error") or said["response"]["error"] == {"code": "upstream_reset", "message": "it broke"}


def test_the_last_words_of_each_dialect() -> None:
    """As the contract has them."""
    openai = fed("openai", []).last_words(OUR_ERROR)
    assert openai is not None
    assert openai.startswith(
        b'data: {"error":{"message":"it broke","type":"server_error","param":null,"code":"upstream'
    )
    anthropic = fed("anthropic", []).last_words(OUR_ERROR)
    assert anthropic == (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"it broke"},'
        b'"request_id":"r1"}\n\n'
    )
    gemini = fed("gemini", []).last_words(OUR_ERROR)
    assert gemini is not None
    assert gemini.startswith(b'data: {"error":{"code":502,"message":"it broke","status":"UNAVAILABLE","details":[{')


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_last_words_of_responses_go_on_counting(end: str) -> None:
    """Codex reads `response.failed`, SDKs the error, opencode needs its number; all know the response by its id."""
    stream = STREAMS["responses: text"]
    body = body_of(stream, end)
    last = body.rindex(b"event: response.completed")
    for cut in range(1, last):
        seen = fed("responses", [body[:cut], body[cut:last]])
        words = seen.last_words(OUR_ERROR)
        assert words is not None
        first, second, rest = words.split(b"\n\n")
        assert rest == b""
        assert first.startswith(b"event: error\ndata: ")
        assert orjson.loads(first.partition(b"data: ")[2]) == {
            "type": "error", "sequence_number": 6, "code": "upstream_reset", "message": "it broke", "param": None,
            "error": {"type": "server_error", "code": "upstream_reset", "message": "it broke", "param": None},
        }  # fmt: skip
        assert second.startswith(b"event: response.failed\ndata: ")
        failed = orjson.loads(second.partition(b"data: ")[2])
        assert (failed["sequence_number"], failed["response"]["id"]) == (7, "resp_1")
        assert failed["response"]["error"] == {"code": "upstream_reset", "message": "it broke"}


def test_numbers_begin_at_zero() -> None:
    """Where the upstream sends none, too."""
    for body in (b"", b'data: {"type":"response.created"}\n\n', b'data: {"sequence_number":null}\n\n'):
        words = fed("responses", [body] if body else []).last_words(OUR_ERROR)
        assert words is not None
        assert b'"sequence_number":0,' in words
