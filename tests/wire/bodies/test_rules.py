"""What an operator wants set and removed in bodies."""

from __future__ import annotations

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.bodies.rules import NotJson, with_rules

BODY = b'{ "a":1.0, "g": {"t": 0.5,"x":[1, {"y":2}, 3]} ,"e":{},"l":[ ],"z":"q\\"\\\\" }'


@pytest.mark.parametrize(
    ("action", "path", "value", "old", "new"),
    [
        ("set", "a", 7, b'"a":1.0', b'"a":7'),
        ("set", "g.t", 0.2, b'"t": 0.5', b'"t": 0.2'),
        ("set", "g", None, b'{"t": 0.5,"x":[1, {"y":2}, 3]}', b"null"),
        ("set", "g.x.0", "o", b"[1, ", b'["o", '),
        ("set", "g.x.1.y", [1], b'"y":2', b'"y":[1]'),
        ("set", "g.x.3", True, b", 3]", b", 3,true]"),
        ("set", "l.0", 1, b"[ ]", b"[1 ]"),
        ("set", "e.n", {"k": 1}, b"{}", b'{"n":{"k":1}}'),
        ("set", "n", "é", b'\\\\" }', '\\\\","n":"é" }'.encode()),
        ("set", "n.m.o", 1, b'\\\\" }', b'\\\\","n":{"m":{"o":1}} }'),
        ("set", "g.n", 1, b"3]}", b'3],"n":1}'),
        ("remove", "a", None, b'"a":1.0, ', b""),
        ("remove", "z", None, b',"z":"q\\"\\\\"', b""),
        ("remove", "g.t", None, b'"t": 0.5,', b""),
        ("remove", "g.x", None, b',"x":[1, {"y":2}, 3]', b""),
        ("remove", "g.x.0", None, b"1, ", b""),
        ("remove", "g.x.2", None, b", 3", b""),
        ("remove", "g.x.1.y", None, b'"y":2', b""),
    ],
)
def test_one_value_changes_and_no_other_byte(action: str, path: str, value: Any, old: bytes, new: bytes) -> None:
    """Set where it stands or as the last of its parent; removed with one comma."""
    assert BODY.count(old) == 1
    assert with_rules(BODY, [(action, path, value)]) == BODY.replace(old, new)


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("set", "a.b"), ("set", "z.0"), ("set", "g.x.9"), ("set", "g.x.y"), ("set", "g.x.-1"), ("set", "l.1"),
        ("remove", "a.b"), ("remove", "n"), ("remove", "n.m"), ("remove", "g.x.9"), ("remove", "g.x.y"),
        ("remove", "e.n"), ("remove", "l.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_passed_over(action: str, path: str) -> None:
    """The path leads through what is no object or array, or there is nothing to remove."""
    assert with_rules(BODY, [(action, path, 1)]) == BODY


def test_rules_follow_one_another() -> None:
    """Each sees what the one before it made."""
    rules = [("set", "n.m", 1), ("set", "n.o", 2), ("remove", "n.m", None), ("remove", "g", None)]
    assert orjson.loads(with_rules(BODY, rules))["n"] == {"o": 2}
    assert with_rules(b"{}", [("set", "a", 1), ("set", "b", 2), ("remove", "a", None), ("remove", "b", None)]) == b"{}"


@pytest.mark.parametrize(
    "body", [b"", b"[1", b"hello", b'{"a":{"b":[}', b'{"a":"x', b'{"a" 1}', b'{"b":1 "a":2}', b'{"b":}', b'{"b":1,}']
)
def test_what_is_no_json_on_the_way_is_told(body: bytes) -> None:
    """Nothing is edited then."""
    with pytest.raises(NotJson):
        with_rules(body, [("set", "a.c", 1)])


NAMES = st.sampled_from(["a", "b", "0", "1", 'q"', "é"])
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=5) | st.sampled_from(['"', "\\", "}", ",", ":"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=10,
)


def edited(value: Any, action: str, names: list[str], new: Any) -> Any:
    """The same by a parser."""
    value = copy.deepcopy(value)
    at = value
    for depth, name in enumerate(names):
        is_last = depth == len(names) - 1
        if isinstance(at, list):
            key: Any = int(name) if name in ("0", "1") and int(name) <= len(at) - (action == "remove") else None
            if key is None:
                return value
            if key == len(at):
                at.append({})
        elif isinstance(at, dict):
            key = name
            if key not in at:
                if action == "remove":
                    return value
                at[key] = {}
        else:
            return value
        if not is_last:
            at = at[key]
        elif action == "remove":
            del at[key]
        else:
            at[key] = new
    return value


@given(
    st.dictionaries(NAMES, VALUES, max_size=4), st.sampled_from(["set", "remove"]),
    st.lists(NAMES, min_size=1, max_size=3), VALUES, st.sampled_from([None, 1]),
)  # fmt: skip
def test_a_rule_does_what_a_parser_would(
    value: dict[str, Any], action: str, names: list[str], new: Any, indent: int | None
) -> None:
    """For any object and path."""
    body = with_rules(json.dumps(value, indent=indent).encode(), [(action, ".".join(names), new)])
    assert orjson.loads(body) == edited(value, action, names, new)


def test_long_bodies_let_others_have_their_turn() -> None:
    """The one who asks is called between short steps."""
    body = b'{"messages":[' + b'{"role":"user","content":"hello"},' * 100_000 + b'1],"a":1}'
    pauses: list[None] = []
    assert with_rules(body, [("set", "a", 2)], lambda: pauses.append(None)).endswith(b'"a":2}')
    assert len(pauses) >= len(body) // (256 * 1024) - 1
