"""What is described of a field is what is read: by its schema and by `Said` the same values can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.core.errors import Invalid, UnknownField
from app.core.said.reading import Said, asked_in
from app.core.said.shapes import (
    AnyOf,
    Anything,
    Field,
    Listed,
    Named,
    OneOf,
    Real,
    Shape,
    SomeOf,
    Text,
    Usd,
    Whole,
    YesOrNo,
)

VALUES: list[Any] = [
    None, True, False, 0, 1, 3, 4, 3.0, 2.5, -1, 10**15, "", " ", "a", "abc", "abcd", "1", "1.50", "1e3", [], ["a"],
    ["b", "b"], ["c"], ["a", "b", "a"], [1], {}, {"x": 1}, {"n": 2}, {"n": 9},
]  # fmt: skip
FIELDS: list[tuple[Field, Callable[[Said], object]]] = [
    (Text(3), lambda said: said.text("f")),
    (Text(3, is_needed=True), lambda said: said.text("f")),
    (Whole(2, 0, 3), lambda said: said.number("f")),
    (Whole(2, 1, 3, is_needed=True), lambda said: said.number("f")),
    (Real(1.0, 0, 3), lambda said: said.real("f")),
    (Real(1.0, 0, 3, is_needed=True), lambda said: said.real("f")),
    (YesOrNo(), lambda said: said.flag("f")),
    (OneOf(("a", "b"), "a"), lambda said: said.choice("f")),
    (OneOf(("a", "b"), is_needed=True), lambda said: said.choice("f")),
    (SomeOf(("a", "b")), lambda said: said.words("f")),
    (SomeOf(("a", "b"), is_needed=True), lambda said: said.words("f")),
    (Usd("1"), lambda said: said.money("f")),
    (Usd(is_needed=True), lambda said: said.money("f")),
    (Listed(Anything(), 2), lambda said: said.items("f")),
    (Listed(Anything(), 2, 1, is_needed=True), lambda said: said.items("f")),
    (Shape({"n": Whole(0, 0, 3)}), lambda said: said.object("f").number("n")),
    (Anything(), lambda said: said.any("f")),
]


def is_read(shape: Shape, read: Callable[[Said], object], value: Any) -> bool:
    try:
        read(Said(value, "", shape))
    except Invalid as error:
        return not error.field.startswith("f")  # which each error must name
    return True


@pytest.mark.parametrize(("field", "read"), FIELDS, ids=lambda one: type(one).__name__)
def test_what_its_schema_allows_is_read_and_nothing_else(field: Field, read: Callable[[Said], object]) -> None:
    """Of whatever kind the value is, also where it is left out."""
    shape = Shape({"f": field})
    validator = Draft202012Validator(shape.schema("said"))
    for value in [{}, *({"f": value} for value in VALUES)]:
        assert validator.is_valid(value) == is_read(shape, read, value), value


@pytest.mark.parametrize(("word", "shape"), [("one", {"one_of": ("f", "g")}), ("any", {"any_of": ("f", "g")})])
def test_fields_that_stand_for_each_other_are_counted(word: str, shape: dict[str, Any]) -> None:
    """By the schema, too, for which null is not left out."""
    both = Shape({"f": Text(), "g": Text()}, **shape)
    validator = Draft202012Validator(both.schema("said"))
    for value in ({}, {"f": "a"}, {"g": "a"}, {"f": "a", "g": "a"}):
        expected = len(value) == 1 or (word == "any" and bool(value))
        assert is_read(both, lambda said: said, value) == validator.is_valid(value) == expected


def test_a_field_that_is_not_known_is_named_and_one_that_is_only_answered_passed_over() -> None:
    """By its path in the whole."""
    shape = Shape({"f": Shape({"n": Whole()}, {"seen": Whole()})})
    assert Said({"f": {"seen": 1}}, "", shape).object("f").number("n") == 0
    with pytest.raises(UnknownField) as caught:
        Said({"f": {"m": 1}}, "", shape).object("f")
    assert caught.value.field == "f.m"


def test_what_is_described_in_one_way_is_not_read_in_another() -> None:
    """That would be a second truth, so it fails wherever it is tried."""
    with pytest.raises(TypeError):
        Said({}, "", Shape({"f": Text()})).number("f")


def test_a_query_is_read_as_a_body_is() -> None:
    """Its texts as what they stand for; what is empty or nobody knows is passed over."""
    shape = Shape({"n": Whole(5, 0, 9), "some": SomeOf(("a", "b")), "yes": YesOrNo(), "q": Text()})
    asked = asked_in({"n": "7", "some": "b, a,", "yes": "true", "q": " x ", "unheard": "1"}, shape)
    assert (asked.number("n"), asked.words("some"), asked.flag("yes"), asked.text("q")) == (7, ("b", "a"), True, "x")
    nothing = asked_in({"n": "", "yes": " "}, shape)
    assert (nothing.number("n"), nothing.words("some"), nothing.flag("yes")) == (5, (), False)
    for name, text, read in (("n", "10", nothing.number), ("n", "x", nothing.number), ("yes", "maybe", nothing.flag)):
        with pytest.raises(Invalid) as caught:
            getattr(asked_in({name: text}, shape), read.__name__)(name)
        assert caught.value.field == name
    with pytest.raises(Invalid, match="some must be of a, b"):
        asked_in({"some": "c"}, shape)


def test_what_is_answered_has_every_field_but_those_that_it_may_lack() -> None:
    """Null stands only where it is told."""
    shape = Shape(
        {"f": Text(), "n": Whole(is_null=True), "mine": YesOrNo()},
        {"id": Text()},
        optional=("n",),
        unanswered=("mine",),
    )
    validator = Draft202012Validator(shape.schema("answered"))
    for value, fits in (
        ({"f": "", "id": "1"}, True),
        ({"f": "", "id": "1", "n": None}, True),
        ({"f": None, "id": "1"}, False),
        ({"f": ""}, False),
    ):
        assert validator.is_valid(value) == fits


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [(AnyOf((Whole(), Text())), [1, "a"], [[], 1.5]), (Named(Whole()), [{"a": 1}], [{"a": "b"}, []])],
)
def test_what_may_be_of_several_kinds_is_told_so(field: Field, good: list[Any], bad: list[Any]) -> None:
    """Routes read these by themselves."""
    validator = Draft202012Validator(field.schema("answered"))
    assert [validator.is_valid(value) for value in [*good, *bad]] == [True] * len(good) + [False] * len(bad)
