"""What calls to channels used: of the answer that the client got, and of those of attempts that failed."""

from __future__ import annotations

import json

import pytest

from app.core.errors import ApiError, GatewayError
from app.core.settings import Settings
from app.core.usage import ABSENT, Usage
from app.wire.dialects.asked import dialect_of
from tests.support.channel_story import GOOD, STOP, TEXT, Story, Tell, answers, streams
from tests.support.channel_usage import answer_of, use_of
from tests.support.golden_usage import CHAT, GOLDEN, Golden, guessed, is_stream, named, pieces_of, told
from tests.support.in_process import content
from tests.support.packed import PACKERS
from tests.support.upstream import Peer

STREAMS = {name: golden for name, golden in GOLDEN.items() if is_stream(golden)}
ASKED = json.dumps({"model": "m", "stream": True, "text": "y" * 58}).encode()
assert len(ASKED) == 100


def usage_of(story: Story) -> Usage:
    return use_of(story).usage or ABSENT


def path_of(golden: Golden) -> str:
    """Channels are asked at their dialect's own paths."""
    return golden.path if golden.path.startswith("/v1") else CHAT


def dialect(golden: Golden) -> str:
    asked = dialect_of("POST", path_of(golden), {})
    assert asked is not None
    return asked.speaks


@pytest.mark.parametrize("coding", ["", *PACKERS])
@pytest.mark.parametrize("name", GOLDEN)
def test_an_answer_passes_as_it_comes_and_its_usage_is_known(tell: Tell, name: str, coding: str) -> None:
    """Also where a channel compresses what it should not."""
    golden = GOLDEN[name]
    pieces = PACKERS[coding](pieces_of(golden)) if coding else pieces_of(golden)
    story = tell({"a": {"k": [answer_of(golden, pieces, coding)]}}, dialect=dialect(golden))
    assert content(story.ask(body=ASKED, path=path_of(golden)).reply) == b"".join(pieces)
    assert usage_of(story) == golden.used


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_breaks_keeps_what_was_reported(tell: Tell, name: str) -> None:
    """After each event that the client got."""
    golden = STREAMS[name]
    pieces = pieces_of(golden)
    for count, known in enumerate(golden.after, 1):
        story = tell({"a": {"k": [answer_of(golden, pieces[:count], cut=True)]}}, dialect=dialect(golden))
        try:
            content(story.ask(body=ASKED, path=path_of(golden)).reply)
        except GatewayError:  # nothing useful had come: nobody got this answer
            continue
        except ConnectionResetError:
            pass
        assert usage_of(story) == known, count


def test_an_attempt_that_failed_keeps_what_it_reported_and_no_estimate(tell: Tell) -> None:
    usage = ',"message":{"content":[],"usage":{"input_tokens":70,"output_tokens":1}}'
    begun = (named("message_start", usage) + "\n\n").encode()
    good = GOLDEN["a stream of a message"]
    story = tell(
        {"a": {"k": [streams(begun, cut=True)]}, "b": {"k": [answer_of(good, pieces_of(good))]}}, dialect="anthropic"
    )
    content(story.ask(stream=True, body=ASKED).reply)
    use = use_of(story)
    assert use.usage == good.used
    assert [one.usage for one in use.failed] == [guessed(70, 1)]


def test_an_answer_that_says_nothing_is_paid_all_the_same(tell: Tell) -> None:
    """The attempt that failed has its usage; so has the last where all failed."""
    choice = b'{"message":{"content":""},"finish_reason":"stop"}'
    nothing = b'{"choices":[%b],"usage":{"prompt_tokens":9,"completion_tokens":1}}' % choice
    settings = Settings(empty_is_error=True)
    story = tell({"a": {"k": [answers(200, nothing)]}, "b": {"k": [GOOD]}}, settings=settings)
    content(story.ask(body=ASKED).reply)
    assert [one.usage for one in use_of(story).failed] == [told(9, 1)]
    story = tell({"a": {"k": [answers(200, nothing)]}}, settings=settings)
    with pytest.raises(ApiError):
        content(story.ask(body=ASKED).reply)
    assert usage_of(story) == told(9, 1)


def test_attempts_that_reached_nobody_used_nothing(tell: Tell) -> None:
    story = tell({"a": {"k": [answers(500)]}, "b": {"k": [GOOD]}})
    content(story.ask(body=ASKED).reply)
    use = use_of(story)
    assert [one.usage for one in use.failed] == [None]
    assert use.usage == guessed(25, 1)


def test_json_that_is_longer_than_what_is_held_is_read_all_the_same(tell: Tell) -> None:
    golden = GOLDEN["chat"]
    body = pieces_of(golden)[0]
    long = body[:-1] + b', "more": "' + b"y" * 200_000 + b'"}'
    story = tell({"a": {"k": [answers(200, long)]}}, settings=Settings(hold_max_bytes=1024))
    assert content(story.ask(body=ASKED).reply) == long
    assert usage_of(story) == golden.used


def test_a_body_that_is_packed_is_estimated_by_what_it_stands_for(tell: Tell) -> None:
    packed = b"".join(PACKERS["zstd"]([ASKED]))
    story = tell({"a": {"k": [streams(TEXT, STOP)]}})
    content(story.ask(body=packed, fields=[("Content-Encoding", "zstd")]).reply)
    assert usage_of(story) == guessed(25, 1)


def test_a_long_body_is_estimated_by_its_beginning(tell: Tell) -> None:
    """Its first MiB stays in memory."""
    body = b'{"model":"m","stream":true,"text":"%b"}' % (b"word " * 600_000)
    story = tell({"a": {"k": [streams(TEXT, STOP)]}})
    content(story.ask(body=body).reply)
    used = usage_of(story)
    assert used.input is not None
    assert abs(used.input - len(body) / 4) < 10


def test_a_client_that_leaves_has_used_what_passed(tell: Tell) -> None:
    golden = GOLDEN["a stream of a message"]
    pieces = pieces_of(golden)

    def answer(peer: Peer) -> None:
        peer.begin_stream()
        peer.send_chunk(b"".join(pieces[:4]))
        peer.wait_closed()
        peer.is_over = True  # type: ignore[attr-defined]

    story = tell({"a": {"k": [answer]}}, dialect="anthropic")
    body = story.ask(stream=True).reply.body
    assert next(iter(body))
    body.close()  # type: ignore[attr-defined]
    assert usage_of(story) == golden.after[3]


# --- openai_include_usage ---

ASKS = Settings(openai_include_usage=True)
EXTRA = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}\n\n'
DONE = b"data: [DONE]\n\n"
FINISH = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'


def test_the_usage_of_a_stream_is_asked_for_and_its_chunk_is_taken_out_again(tell: Tell) -> None:
    story = tell({"a": {"k": [streams(TEXT, FINISH, EXTRA, DONE)]}}, settings=ASKS)
    assert content(story.ask(stream=True).reply) == TEXT + FINISH + DONE
    assert json.loads(story.bodies[0])["stream_options"] == {"include_usage": True}
    assert usage_of(story) == told(12, 3)


def test_the_chunk_is_taken_out_wherever_it_is_cut(tell: Tell) -> None:
    whole = TEXT + FINISH + EXTRA + DONE
    for at in range(len(TEXT + FINISH) - 4, len(TEXT + FINISH + EXTRA) + 4, 9):
        story = tell({"a": {"k": [streams(TEXT, whole[len(TEXT) : at], whole[at:])]}}, settings=ASKS)
        assert content(story.ask(stream=True).reply) == TEXT + FINISH + DONE
        assert usage_of(story) == told(12, 3)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (b'{"model":"m","stream":true}', b'{"stream_options":{"include_usage":true},"model":"m-of-a","stream":true}'),
        (b' { "stream" : true , "model" : "m" } ',
         b' {"stream_options":{"include_usage":true}, "stream" : true , "model" : "m-of-a" } '),
        (b'{"stream":true,"stream_options":{"x":1},"model":"m"}',
         b'{"stream":true,"stream_options":{"x":1,"include_usage":true},"model":"m-of-a"}'),
        (b'{"model":"m","stream_options":{"include_usage":false},"stream":true}',
         b'{"model":"m-of-a","stream_options":{"include_usage":true},"stream":true}'),
        (b'{"model":"m","stream_options":null,"stream":true}',
         b'{"model":"m-of-a","stream_options":{"include_usage":true},"stream":true}'),
    ],
)  # fmt: skip
def test_all_else_of_the_body_stays_as_it_was(tell: Tell, said: bytes, sent: bytes) -> None:
    story = tell({"a": {"k": [streams(TEXT, STOP)]}}, settings=ASKS)
    content(story.ask(body=said).reply)
    assert story.bodies == [sent]


def test_a_body_that_is_packed_asks_too(tell: Tell) -> None:
    story = tell({"a": {"k": [streams(TEXT, EXTRA, STOP)]}}, settings=ASKS)
    packed = b"".join(PACKERS["gzip"]([b'{"model":"m","stream":true}']))
    assert content(story.ask(body=packed, fields=[("Content-Encoding", "gzip")]).reply) == TEXT + STOP
    assert json.loads(story.bodies[0])["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("body", "settings", "path"),
    [
        (b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}', ASKS, ""),
        (b'{"model":"m","stream":true}', Settings(), ""),
        (b'{"model":"m","prompt":"x","stream":true}', ASKS, "/v1/completions"),
    ],
)
def test_who_asks_himself_or_is_not_to_be_asked_for_gets_the_chunk(
    tell: Tell, body: bytes, settings: Settings, path: str
) -> None:
    story = tell({"a": {"k": [streams(TEXT, EXTRA, STOP)]}}, settings=settings)
    assert content(story.ask(body=body, path=path).reply) == TEXT + EXTRA + STOP
    assert story.bodies == [body.replace(b'"m"', b'"m-of-a"')]


def test_a_call_that_is_no_stream_asks_for_nothing(tell: Tell) -> None:
    story = tell({"a": {"k": [GOOD]}}, settings=ASKS)
    content(story.ask(body=b'{"model":"m"}').reply)
    assert story.bodies == [b'{"model":"m-of-a"}']


def test_a_stream_that_breaks_while_a_chunk_is_held_back_says_so(tell: Tell) -> None:
    """What was held back was no event yet."""
    story = tell({"a": {"k": [streams(TEXT, EXTRA[:40], cut=True)]}}, settings=ASKS)
    said = content(story.ask(stream=True).reply)
    assert said.startswith(TEXT + b"\n\ndata: ")
    assert b'"error"' in said
    assert usage_of(story) == guessed(12, 1)
