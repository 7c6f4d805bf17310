"""A long JSON text read in short steps says what a parser says that reads it at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.counting import long_json
from app.wire.counting.long_json import Long, elements, members, pieces_of, value_of
from tests.support.steps import drained

TEXTS = st.text(st.sampled_from('ab"\\/\n\t é漢😀,:{}[]'), max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | TEXTS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXTS, inner, max_size=6),
    max_leaves=40,
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds so low that what a test writes is long."""
    for name, size in (("LONG_BYTES", 48), ("GROUP_BYTES", 24), ("_STEP_BYTES", 64), ("_MAX_STOPS", 5)):
        monkeypatch.setattr(long_json, name, size)


def whole(value: Any) -> Any:
    """A value with all that is long in it read to its end."""
    if isinstance(value, Long) and value.is_text:
        return "".join(piece if isinstance(piece, str) else piece.decode() for piece in pieces_of(value, 40))
    if isinstance(value, Long) and value.data[value.start : value.start + 1] == b"[":
        return [whole(element) for some in elements(value) for element in some]
    if isinstance(value, Long):
        names = frozenset(json.loads(value.data[value.start : value.end]))
        return {name: whole(member) for name, member in drained(members(value, names))[0].items()}
    return value


@given(
    value=VALUES,
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
)
def test_it_reads_what_a_parser_reads(value: Any, indent: int | None, is_ascii: bool) -> None:
    """Objects in objects, texts with escapes, whatever stands between."""
    body = {"first": value, "then": [value, value], "": {"x": value}}
    text = json.dumps(body, indent=indent, ensure_ascii=is_ascii).encode()
    read = whole(value_of(text))
    # A text may come in pieces that end within a character: surrogates stand for their halves then.
    assert json.loads(json.dumps(read)) == json.loads(json.dumps(body))


@pytest.mark.parametrize("character", ["é", "漢", "😀"])
@pytest.mark.parametrize("size", [8, 13, 40])
def test_no_piece_ends_within_a_character(character: str, size: int) -> None:
    """Wherever escapes stand between: a character in halves would be counted as several."""
    for before in range(8):
        text = "a" * before + f"{character}\n" * 30
        value = value_of(json.dumps(text, ensure_ascii=False).encode())
        pieces = list(pieces_of(value, size))
        assert len(pieces) > 1
        assert "".join(piece if isinstance(piece, str) else piece.decode() for piece in pieces) == text


def test_only_what_is_wanted_is_kept() -> None:
    """Of an object with many members."""
    text = json.dumps({f"name{number}": number for number in range(50)}).encode()
    assert drained(members(value_of(text), frozenset({"name7", "name49", "other"})))[0] == {"name7": 7, "name49": 49}
    assert drained(members({"a": 1, "b": 2}, frozenset({"b"})))[0] == {"b": 2}


def test_what_is_of_another_kind_has_no_parts() -> None:
    """A list has no members, an object and a text have no elements."""
    long_list, long_text = (json.dumps(value).encode() for value in (["x" * 99], "x" * 99))
    for value in (None, 5, "text", [1], value_of(long_list), value_of(long_text)):
        assert drained(members(value, frozenset({"a"})))[0] == {}
    for value in (None, 5, "text", {"a": 1}, value_of(long_text)):
        assert list(elements(value)) == []


@pytest.mark.parametrize(
    "text", [b"1" * 99, b" " * 99, b'{"a": tru' + b"e" * 99 + b"}", b'[{"a" "b"}' + b",1" * 50 + b"]"]
)
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    """As far as it is read."""
    with pytest.raises(ValueError):  # noqa: PT011 - who reads it says what it is
        whole(value_of(text))


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":[' + b"1," * 50_000 + b"1]}",
        b'{"a":"' + b'\\"' * 50_000 + b'"}',
        b'{"a":"' + b"x" * 100_000 + b'"}',
        b'{"a":[' + b'"",' * 50_000 + b'""]}',
        b'{"a":' + b" " * 100_000 + b"1}",
    ],
)
def test_hostile_texts_are_passed_over_in_steps(text: bytes) -> None:
    """Whatever there is much of: steps come, each after few things, and what follows is found."""
    text = text[:-1] + b',"b":"here"}'
    found, steps = drained(members(value_of(text), frozenset({"b"})))
    assert found == {"b": "here"}
    is_one_string = b"x" in text  # C finds its end at once
    assert is_one_string or len(text) / 256 <= steps <= len(text)
