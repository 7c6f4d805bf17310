"""What answers tell of their usage is read right, in every dialect, however they are cut, and wherever they end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from app.core.usage import ABSENT, Usage, reported, usage_of
from app.wire.bounded import MAX_BYTES
from app.wire.dialects.mapped import mapped
from app.wire.dialects.observers import Observer, observer_for
from app.wire.usage.counts import Counts
from app.wire.usage.meter import Meter, meter_for
from app.wire.usage.text import ANTHROPIC
from tests.support.golden_usage import (
    ASKED_BYTES,
    CHAT,
    GEMINI_STREAM,
    GOLDEN,
    Golden,
    guessed,
    is_stream,
    pieces_of,
    told,
)

STREAMS = {name: golden for name, golden in GOLDEN.items() if is_stream(golden)}
ENDINGS: dict[str, Callable[[bytes], list[bytes]]] = {
    "as it came": lambda body: [body],
    "byte by byte": lambda body: [body[at : at + 1] for at in range(len(body))],
    "in sevens": lambda body: [body[at : at + 7] for at in range(0, len(body), 7)],
}


def observer_of(golden: Golden) -> Observer:
    asked = mapped("POST", golden.path, False)
    assert asked is not None
    observer = observer_for(asked, golden.kind)
    assert observer is not None
    observer.meter = meter_for(asked)
    return observer


def usage_in(golden: Golden, pieces: Iterable[bytes], *, is_cut: bool = False, is_judged: bool = True) -> Usage:
    """`is_judged`: it is looked for useful content until there is some, as in answers of channels."""
    observer = observer_of(golden)
    observer.is_useful = observer.is_stream and not is_judged
    for piece in pieces:
        observer.feed(piece)
    if is_cut:
        observer.cut_off()
    else:
        observer.finish()
    assert observer.meter is not None
    return usage_of(observer.meter.told(), lambda: ASKED_BYTES)


@pytest.mark.parametrize("cut", ENDINGS)
@pytest.mark.parametrize("name", GOLDEN)
def test_a_whole_answer_is_read_whatever_its_pieces(name: str, cut: str) -> None:
    golden = GOLDEN[name]
    assert usage_in(golden, ENDINGS[cut](b"".join(pieces_of(golden)))) == golden.used


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_event_by_event_with_any_line_end(name: str, newline: str) -> None:
    golden = STREAMS[name]
    pieces = pieces_of(golden, newline)
    for is_judged in (True, False):
        assert usage_in(golden, pieces, is_judged=is_judged) == golden.used
    assert usage_in(golden, ENDINGS["byte by byte"](b"".join(pieces))) == golden.used


@pytest.mark.parametrize("cut", ENDINGS)
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_cut_keeps_what_was_reported_and_estimates_the_rest(name: str, cut: str) -> None:
    """After each event; a begun event changes nothing."""
    golden = STREAMS[name]
    pieces = pieces_of(golden)
    assert usage_in(golden, [], is_cut=True) == ABSENT
    assert len(golden.after) == len(pieces) - 1
    for count, known in enumerate(golden.after, 1):
        begun = pieces[count][: len(pieces[count]) // 2]
        came = b"".join(pieces[:count])
        assert usage_in(golden, ENDINGS[cut](came), is_cut=True) == known, count
        assert usage_in(golden, [came, begun], is_cut=True) == known, count
        for split in range(1, count):  # several events in one piece
            parts = [b"".join(pieces[:split]), b"".join(pieces[split:count])]
            for is_judged in (True, False):
                assert usage_in(golden, parts, is_cut=True, is_judged=is_judged) == known, (count, split)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_ends_without_its_end_marker_was_cut(name: str) -> None:
    golden = STREAMS[name]
    for count, known in enumerate(golden.after, 1):
        observer = observer_of(golden)
        observer.feed(b"".join(pieces_of(golden)[:count]))
        observer.finish()
        assert observer.meter is not None
        if not observer.is_ended:
            assert usage_of(observer.meter.told(), lambda: ASKED_BYTES) == known


def test_a_whole_answer_that_is_cut_is_estimated_by_the_text_that_came() -> None:
    golden = GOLDEN["chat"]
    body = pieces_of(golden)[0]
    behind = body.index(b"Twelve bytes") + len(b"Twelve b")
    assert usage_in(golden, [body[:behind]], is_cut=True) == guessed(25, 2)
    assert usage_in(golden, [body[:20]], is_cut=True) == ABSENT


def test_a_stream_that_says_it_is_plain_text_is_read_as_a_stream() -> None:
    golden = GOLDEN["a stream"]
    assert usage_in(golden._replace(kind="text/plain"), pieces_of(golden)) == golden.used


@pytest.mark.parametrize("longer", [0, 1])
def test_an_event_of_more_than_a_mebibyte_is_not_read_and_then_nothing_is_known(longer: int) -> None:
    """Nothing of it is 0."""
    golden = GOLDEN["a stream"]
    pieces = pieces_of(golden)
    room = MAX_BYTES - len(b'data: {"x":""}\n\n')
    long = b'data: {"x":"%b"}\n\n' % (b"y" * (room + longer))
    parts = [long[at : at + 65536] for at in range(0, len(long), 65536)]
    assert usage_in(golden, [*pieces[:2], *parts, *pieces[2:]]) == (ABSENT if longer else golden.used)


def test_an_element_of_more_than_a_mebibyte_ends_the_reading_of_an_array() -> None:
    golden = GOLDEN["an array of Gemini"]
    pieces = pieces_of(golden)
    long = b',{"x":"%b"}' % (b"y" * MAX_BYTES)
    assert usage_in(golden, [*pieces[:2], long[:65536], long[65536:], *pieces[2:]]) == ABSENT


@pytest.mark.parametrize("longer", [0, 1])
def test_json_of_more_than_a_mebibyte_is_not_read(longer: int) -> None:
    golden = GOLDEN["chat"]
    body = pieces_of(golden)[0]
    body += b" " * (1024 * 1024 - len(body) + longer)
    assert usage_in(golden, [body]) == (ABSENT if longer else golden.used)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/resp_1"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/models"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1/responses/input_tokens"),
        ("POST", "/v1beta/models/m:countTokens"),
    ],
)
def test_what_was_used_before_is_not_counted_again(method: str, path: str) -> None:
    """A stored answer that is read tells the usage of the call that made it."""
    asked = mapped(method, path, False)
    assert asked is None or meter_for(asked) is None


def test_usage_that_stands_elsewhere_is_none() -> None:
    """In the text, in a schema, in what a tool is called with."""
    said = r'{"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":5}"}}],"tool":{"usage":{"prompt_tokens":7}}}'
    golden = Golden(CHAT, [], ABSENT)
    assert usage_in(golden, [b"data: %b\n\ndata: [DONE]\n\n" % said.encode()]) == guessed(25, 7)


def test_the_last_event_that_tells_usage_wins_over_one_that_only_seems_to() -> None:
    tells = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
    seems = b'data: {"choices":[],"usage":{"note":"none"}}\n\n'
    assert usage_in(Golden(CHAT, [], ABSENT), [tells, seems, b"data: [DONE]\n\n"]) == told(3, 4)


def test_an_answer_that_nobody_got_keeps_what_was_reported_and_no_estimate() -> None:
    begun = observer_of(GOLDEN["a stream of a message"])
    begun.feed(pieces_of(GOLDEN["a stream of a message"])[0])
    assert begun.meter is not None
    assert reported(begun.meter.told()).cached == 2000
    text_only = observer_of(GOLDEN["a stream"])
    text_only.feed(b"".join(pieces_of(GOLDEN["a stream"])[:2]))
    assert text_only.meter is not None
    assert reported(text_only.meter.told()) == ABSENT


class Mistaken:
    """A reader with a mistake."""

    last_wins = False

    def read(self, value: dict[str, Any]) -> int:
        raise ZeroDivisionError

    def counts(self) -> Counts | None:
        return None


def test_a_mistake_in_the_reading_ends_the_reading_alone() -> None:
    golden = GOLDEN["a stream of a message"]
    observer = observer_of(golden)
    observer.meter = Meter(Mistaken(), re.compile(rb'"usage":'), ANTHROPIC, ANTHROPIC)
    for piece in pieces_of(golden):
        observer.feed(piece)
    observer.finish()
    assert observer.is_ended
    assert usage_of(observer.meter.told(), lambda: ASKED_BYTES) == ABSENT
    assert isinstance(observer.meter.error, ZeroDivisionError)


def test_numbers_that_make_no_sense_are_not_taken() -> None:
    """True is no number, nor is text; a fraction of a token is none; nothing is below zero."""
    usage = '{"prompt_tokens":true,"completion_tokens":-4,"total_tokens":"9"}'
    golden = Golden(CHAT, [f'{{"choices":[],"usage":{usage}}}', "[DONE]"], ABSENT)
    assert usage_in(golden, pieces_of(golden)) == told(0, 0)
    usage = '{"prompt_tokens":12.0,"completion_tokens":1e300}'
    golden = Golden(CHAT, [f'{{"choices":[],"usage":{usage}}}', "[DONE]"], ABSENT)
    assert usage_in(golden, pieces_of(golden)) == told(12, 0)


def test_an_array_of_gemini_may_be_asked_for_below_any_path() -> None:
    asked = mapped("POST", f"/v1/projects/p{GEMINI_STREAM.removeprefix('/v1beta')}", False)
    assert asked is not None
    assert (asked.speaks, asked.is_stream, asked.model) == ("gemini", True, "m")
