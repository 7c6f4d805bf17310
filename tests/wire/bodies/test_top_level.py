"""Top-level members of a JSON object, found while it comes."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.bodies.members import MAX_VALUE_BYTES
from app.wire.bodies.top_level import MAX_KEY_BYTES, TopLevel
from app.wire.http.codings import MAX_PIECE_BYTES

WANTED = frozenset({"prompt_cache_key", "metadata", "n", "previous_response_id"})


def read(*pieces: bytes) -> TopLevel:
    top = TopLevel(WANTED)
    for piece in pieces:
        top.feed(piece)
    top.finish()
    return top


def facts(top: TopLevel) -> tuple[Any, ...]:
    span = (top.model_start, top.model_end)
    return (top.model, top.has_model, span, top.is_stream, top.is_unreadable, top.values)


def at_every_cut(body: bytes) -> TopLevel:
    """What is read of the body, which is the same byte by byte and in any two pieces."""
    top = read(body)
    expected = facts(top)
    if not top.is_unreadable:
        assert facts(read(*[body[at : at + 1] for at in range(len(body))])) == expected
        for cut in range(1, len(body)):
            assert facts(read(body[:cut], body[cut:])) == expected
    else:
        assert read(*[body[at : at + 1] for at in range(len(body))]).is_unreadable
    return top


CLAUDE_CODE = {
    "model": "claude-sonnet-4-5",
    "messages": [{"role": "user", "content": [{"type": "text", "text": 'a "quoted" \\ path\n', "cache_control": {}}]}],
    "tools": [{"name": "Agent", "input_schema": {"properties": {"model": {"type": "string"}, "stream": {}}}}],
    "metadata": {"user_id": '{"device_id":"0","session_id":"s1"}'},
    "max_tokens": 32000,
    "thinking": {"budget_tokens": 31999, "type": "enabled"},
    "stream": True,
}
CODEX = {
    "model": "gpt-5",
    "stream": True,
    "input": [{"type": "message", "content": [{"type": "input_text", "text": "Say hi 你好"}]}],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": None,
    "include": [],
    "prompt_cache_key": "00000000-0000-4000-8000-000000000001",
}
GEMINI_CLI = {"contents": [{"parts": [{"text": "Say hi"}]}], "generationConfig": {"temperature": 1, "topP": 0.95}}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("body", [CLAUDE_CODE, CODEX, GEMINI_CLI], ids=["claude code", "codex", "gemini cli"])
def test_bodies_of_real_clients_are_read(body: dict[str, Any], indent: int | None) -> None:
    """Wherever the members stand: Claude Code's `stream` is the last, and its tools have members of that name."""
    for ascii_only in (True, False):
        text = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode()
        top = at_every_cut(text)
        assert (top.model, top.is_stream) == (body.get("model", ""), body.get("stream", False))
        assert not top.is_unreadable
        assert {name: orjson.loads(value) for name, value in top.values.items()} == {
            name: body[name] for name in WANTED & body.keys()
        }
        if "model" in body:
            assert orjson.loads(text[top.model_start : top.model_end]) == body["model"]


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        ("{}", "", False),
        (' \r\n\t{ "model" : "m" , "stream" : true } \n', "m", True),
        ('{"model":"a\\"\\\\\\u00e9\\ud83d\\ude00/"}', 'a"\\é😀/', False),
        ('{"mod\\u0065l":"m"}', "m", False),
        ('{"model":null,"stream":"true"}', "", False),
        ('{"model":["m"],"stream":1}', "", False),
        ('{"model":{"model":"m"}}', "", False),
        ('{"a":{"model":"x"},"b":[{"model":"y"}],"model":"m"}', "m", False),
        ('{"a":"\\"model\\":\\"x\\"","model":"m"}', "m", False),
        ('{"a":"\\\\","model":"m"}', "m", False),
        ('{"a":"]}","b":["}",{"c":"{"}],"model":"m"}', "m", False),
        ('{"n":-1.5e+10,"x":0,"y":NaN,"z":-Infinity,"model":"m"}', "m", False),
        ('{"":1,"model":"m"}', "m", False),
        ('{"a":[],"b":{},"c":[[[]]],"model":"m"}', "m", False),
        ('{"a":1,"a":2,"model":"m"}', "m", False),
    ],
)
def test_only_the_top_level_counts(body: str, model: str, stream: bool) -> None:
    """Decoded, and of the type that it must have."""
    top = at_every_cut(body.encode())
    assert not top.is_unreadable
    assert (top.model, top.is_stream) == (model, stream)


@pytest.mark.parametrize(
    "body",
    [
        "", " ", "null", '"model"', "[]", '[{"model":"m"}]', "{", '{"model"', '{"model":', '{"model":"m"',
        '{"model":"m', '{"model":"m",', '{"model":"m",}', '{"model":"m"}x', '{"model":"m"}{}', '{"model":"m"]',
        '{model:"m"}', "{'model':'m'}", '{"model" "m"}', '{"model":"m" "stream":true}', '{"a":[}', '{"a":{]}',
        '{"a":[1}', '{"a":tru}', '{"a":01}', '{"a":1.}', '{"a":+1}', '{"a":-}', '{"a":}', '{"a":,"b":1}', '{,"a":1}',
        '{"a":1,,"b":2}',
        '{"a\\x":1}', '{"a":"\\', '\ufeff{"model":"m"}', "hello", "model=m", "--boundary",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_told(body: str) -> None:
    """As far as the top level shows it, and brackets that do not match below it."""
    assert at_every_cut(body.encode()).is_unreadable


@pytest.mark.parametrize(
    "body",
    [
        '{"model":"a","model":"b"}',
        '{"model":"a","x":{},"model":"a"}',
        '{"model":"a","mod\\u0065l":"b"}',
        '{"model":null,"model":"b"}',
        '{"stream":true,"stream":false}',
        '{"stream":[1],"model":"a","stream":true}',
    ],
)
def test_a_model_or_stream_that_stands_twice_cannot_be_read(body: str) -> None:
    """Two readers could understand it differently, and one of them decides what is paid for."""
    assert at_every_cut(body.encode()).is_unreadable


def test_long_values_are_left_out_and_cost_no_memory() -> None:
    """As if they were not wanted."""
    for value in ('"' + "x" * MAX_VALUE_BYTES + '"', "[" + "1," * MAX_VALUE_BYTES + "1]"):
        body = f'{{"metadata":{value},"model":"m","n":2}}'.encode()
        for step in (1000, len(body)):
            top = read(*[body[at : at + step] for at in range(0, len(body), step)])
            assert top.values == {"n": b"2"}
            assert top.model == "m"
    assert read(b'{"model":"' + b"m" * MAX_VALUE_BYTES + b'x"}').model == ""
    assert read(b'{"' + b"k" * (MAX_KEY_BYTES + 9), b'":1}').is_unreadable
    assert read(b'{"a":' + b"1" * (MAX_KEY_BYTES + 9), b"}").is_unreadable
    assert read(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}").is_unreadable


NAMES = st.sampled_from(["model", "stream", "n", "metadata", "a", "", "mo\u00e9", 'q"', "b\\"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(['"', "\\", "}", "]", '\\"', "[{"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.sampled_from([None, 0, 2]), st.booleans(), st.data())
def test_it_reads_what_a_parser_reads(
    value: dict[str, Any], indent: int | None, ascii_only: bool, data: st.DataObject
) -> None:
    """For any object, in any spelling, at any cut."""
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=3)))
    top = read(*[body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)])
    assert not top.is_unreadable
    model = value.get("model", "")
    assert top.model == (model if isinstance(model, str) else "")
    assert top.is_stream is (value.get("stream") is True)
    assert {name: json.loads(text) for name, text in top.values.items()} == {
        name: value[name] for name in WANTED & value.keys()
    }


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.data())
def test_half_an_object_is_none(value: dict[str, Any], data: st.DataObject) -> None:
    """Wherever it was cut off."""
    body = json.dumps(value).encode()
    assert read(body[: data.draw(st.integers(0, len(body) - 1))]).is_unreadable


HOSTILE = {
    "an image": b'{"model":"m","i":"' + b"A" * 10_000_000 + b'","stream":true}',
    "code": b'{"model":"m","i":"' + b'\\"x\\n ' * 200_000 + b'","stream":true}',
    "backslashes": b'{"model":"m","i":"' + b"\\\\" * 500_000 + b'","stream":true}',
    "numbers": b'{"model":"m","i":[' + b"0.12345," * 125_000 + b'1],"stream":true}',
    "objects": b'{"model":"m","i":[' + b'{"a":{"b":[]}},' * 70_000 + b'1],"stream":true}',
    "blanks": b'{"model":"m",' + b" " * 4000 + b'"i":[' + b" " * 1_000_000 + b'1],"stream":true}',
    "members": b'{"model":"m",' + b'"a":1,' * 170_000 + b'"stream":true}',
}


@pytest.mark.timing
@pytest.mark.parametrize("name", HOSTILE)
def test_a_step_of_a_long_body_is_short(name: str) -> None:
    """Whatever it holds, others wait for at most 5 ms at a time (the least of three tries, in CPU time)."""
    body = HOSTILE[name]
    longest_s = []
    for _ in range(3):
        top = TopLevel(WANTED)
        steps_s = []
        for at in range(0, len(body), MAX_PIECE_BYTES):
            piece = body[at : at + MAX_PIECE_BYTES]
            began_s = time.thread_time()
            top.begin(piece)
            while top.step():
                steps_s.append(time.thread_time() - began_s)
                began_s = time.thread_time()
            steps_s.append(time.thread_time() - began_s)
        top.finish()
        assert (top.model, top.is_stream, top.is_unreadable) == ("m", True, False)
        longest_s.append(max(steps_s))
    assert min(longest_s) < 0.005, f"{name}: {longest_s}"
