"""What a reading of the stored catalogue means beside the one that is known."""

from __future__ import annotations

import pytest

from app.core.readings import Meaning, judge, origin
from app.core.routing import Stored

A, B, C = {"/a": "https://a.example"}, {"/b": "https://b.example"}, {"/c": "https://c.example"}
SLOW = {"/a": '{"idle_timeout":9}', "/b": '{"idle_timeout":9}'}
LIMITS = {"idle_timeout": "60", "total_timeout": "90"}
SEEDED = origin(1, 0, "first")
KNOWN = Stored(57, A | B, SLOW, LIMITS, SEEDED)
NOTHING = Stored(0, {}, {}, {})
OLD = Stored(40, A, {}, {}, SEEDED)

WORD, LOST, OVERLAID, BEHIND = Meaning


@pytest.mark.parametrize(
    ("found", "meaning"),
    [
        (KNOWN, WORD),
        (KNOWN._replace(version=58, mappings=A | C), WORD),
        (KNOWN._replace(version=60, mappings={}, options={}, settings={}), WORD),  # deleted one by one
        (KNOWN._replace(mappings=A), WORD),  # one HDEL
        (KNOWN._replace(mappings=C), WORD),  # edited by hand
        (KNOWN._replace(settings={"idle_timeout": "60"}), WORD),
        (NOTHING, LOST),
        (NOTHING._replace(origin=SEEDED), LOST),  # all was evicted but the origin
        (KNOWN._replace(mappings={}), LOST),
        (KNOWN._replace(options={}), LOST),
        (KNOWN._replace(settings={}), LOST),
        (KNOWN._replace(version=0), LOST),  # only the version is gone
        (KNOWN._replace(version=0, mappings={}), LOST),
        (KNOWN._replace(version=0, mappings=C), BEHIND),  # written by hand into an emptied Redis
        (OLD, BEHIND),
        (OLD._replace(version=56, mappings=KNOWN.mappings), BEHIND),
        (Stored(1, C, {}, {}, origin(1, 0, "second")), OVERLAID),  # defaults seeded into an emptied Redis
        (Stored(2, C, {}, {}, origin(1, 0, "second")), BEHIND),  # and then edited
        (Stored(1, C, {}, {}), BEHIND),  # seeded by an operator, from a file
        (Stored(57, A, {}, {}, origin(57, 56, "other")), OVERLAID),  # written back by one who had not heard the last
        (Stored(58, A | B, SLOW, LIMITS, origin(58, 57, "other")), WORD),  # by one who had
        (KNOWN._replace(origin="nonsense"), WORD),
    ],
)
def test_only_what_an_operator_can_have_said_is_taken(found: Stored, meaning: Meaning) -> None:
    """A loss, what was put in its place by nobody, and an older state are told apart from edits."""
    assert judge(KNOWN, found) is meaning


@pytest.mark.parametrize(
    ("found", "meaning"),
    [
        (OLD, BEHIND),
        (OLD._replace(version=41), WORD),
        (OLD._replace(mappings=A | C), WORD),  # by hand
        (OLD._replace(version=39), BEHIND),
        (NOTHING, LOST),
        (KNOWN, WORD),
        (KNOWN._replace(version=58), WORD),
    ],
)
def test_an_edit_of_what_came_back_takes_it(found: Stored, meaning: Meaning) -> None:
    """An older state that was seen before is taken as soon as somebody edits it."""
    assert judge(KNOWN, found, behind=OLD) is meaning


@pytest.mark.parametrize("found", [NOTHING, KNOWN, OLD])
def test_whoever_knows_nothing_takes_what_there_is(found: Stored) -> None:
    """The first reading of a process is its first knowledge."""
    assert judge(None, found) is WORD


def test_seeded_defaults_give_way_though_the_version_is_the_same() -> None:
    """A catalogue of version 1 that was edited by hand is not mistaken for another seed of version 1."""
    edited = Stored(1, A | B, {}, {}, SEEDED)
    assert judge(edited, Stored(1, C, {}, {}, origin(1, 0, "second"))) is OVERLAID
    assert judge(edited, Stored(1, A, {}, {}, SEEDED)) is WORD


def test_a_single_entry_may_be_deleted_by_hand() -> None:
    """Of a part with one field nobody can tell HDEL from a loss; it is taken for the operator's."""
    known = Stored(3, A, {}, {})
    assert judge(known, known._replace(mappings={})) is WORD
    assert judge(known, NOTHING) is LOST
