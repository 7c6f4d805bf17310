"""What a reading of the stored catalogue means beside the one that is known."""

from __future__ import annotations

import pytest

from app.core.readings import Meaning, judge, origin
from app.core.snapshot import NOUNS, Stored, Table
from tests.support.snapshots import stored

A, B, C = {"/a": "https://a.example"}, {"/b": "https://b.example"}, {"/c": "https://c.example"}
SLOW = {"/a": '{"idle_timeout":9}', "/b": '{"idle_timeout":9}'}
LIMITS = {"idle_timeout": "60", "total_timeout": "90"}
SEEDED = origin(1, 0, "first")
KNOWN = stored(57, A | B, SLOW, LIMITS, SEEDED)
NOTHING = stored(0)
OLD = stored(40, A, {}, {}, SEEDED)

WORD, LOST, OVERLAID, BEHIND, EMPTIED, MISSING = Meaning
BY_HAND = {table for noun in NOUNS if noun.by_hand for table in noun.tables}


def but(one: Stored, *, version: int | None = None, origin: str | None = None, **tables: Table) -> Stored:
    """`one` with another version, origin or tables."""
    named = {"options": "mappings:options"}
    return Stored(
        one.version if version is None else version,
        {**one.tables, **{named.get(name, name): table for name, table in tables.items()}},
        one.origin if origin is None else origin,
    )


@pytest.mark.parametrize(
    ("found", "meaning"),
    [
        (KNOWN, WORD),
        (but(KNOWN, version=58, mappings=A | C), WORD),
        (but(KNOWN, version=60, mappings={}, options={}, settings={}), WORD),  # deleted one by one
        (but(KNOWN, mappings=A), WORD),  # one HDEL
        (but(KNOWN, mappings=C), WORD),  # edited by hand
        (but(KNOWN, settings={"idle_timeout": "60"}), WORD),
        (NOTHING, LOST),
        (but(NOTHING, origin=SEEDED), LOST),  # all was evicted but the origin
        (but(KNOWN, mappings={}), LOST),
        (but(KNOWN, options={}), LOST),
        (but(KNOWN, settings={}), LOST),
        (but(KNOWN, version=0), LOST),  # only the version is gone
        (but(KNOWN, version=0, mappings={}), LOST),
        (but(KNOWN, version=0, mappings=C), BEHIND),  # written by hand into an emptied Redis
        (OLD, BEHIND),
        (but(OLD, version=56, mappings=A | B), BEHIND),
        (stored(1, C, {}, {}, origin(1, 0, "second")), OVERLAID),  # defaults seeded into an emptied Redis
        (stored(2, C, {}, {}, origin(1, 0, "second")), BEHIND),  # and then edited
        (stored(1, C), BEHIND),  # seeded by an operator, from a file
        (stored(57, A, {}, {}, origin(57, 56, "other")), OVERLAID),  # written back by one who had not heard the last
        (stored(58, A | B, SLOW, LIMITS, origin(58, 57, "other")), WORD),  # by one who had
        (but(KNOWN, origin="nonsense"), WORD),
    ],
)
def test_only_what_an_operator_can_have_said_is_taken(found: Stored, meaning: Meaning) -> None:
    """A loss, what was put in its place by nobody, and an older state are told apart from edits."""
    assert judge(KNOWN, found, by_hand=BY_HAND) is meaning


@pytest.mark.parametrize(
    ("found", "meaning"),
    [
        (OLD, BEHIND),
        (but(OLD, version=41), WORD),
        (but(OLD, mappings=A | C), WORD),  # by hand
        (but(OLD, version=39), BEHIND),
        (NOTHING, LOST),
        (KNOWN, WORD),
        (but(KNOWN, version=58), WORD),
    ],
)
def test_an_edit_of_what_came_back_takes_it(found: Stored, meaning: Meaning) -> None:
    """An older state that was seen before is taken as soon as somebody edits it."""
    assert judge(KNOWN, found, OLD, BY_HAND) is meaning


ALL_FILLED = "57 settings mappings mappings:options"


def noted(one: Stored, filled: str) -> Stored:
    """`one` as its last change left it, with the note of what held something then."""
    return one._replace(filled=filled)


@pytest.mark.parametrize(
    ("known", "found", "meaning"),
    [
        (None, noted(KNOWN, ALL_FILLED), WORD),
        (None, noted(but(KNOWN, mappings=A), ALL_FILLED), WORD),  # one HDEL
        (None, noted(but(KNOWN, mappings={}), ALL_FILLED), MISSING),
        (None, noted(but(KNOWN, settings={}), ALL_FILLED), MISSING),
        (None, noted(but(KNOWN, mappings={}, options={}), "57 settings"), WORD),  # all were deleted by the API
        (None, noted(but(KNOWN, version=58, mappings={}), ALL_FILLED), WORD),  # an older gateway deleted them
        (None, noted(but(KNOWN, mappings={}), ""), WORD),
        (None, noted(KNOWN, ALL_FILLED + " widgets"), WORD),  # a newer gateway has a noun that we do not know
        (None, but(KNOWN, origin=origin(57, 0, "other")), MISSING),  # defaults, in the place of what was lost
        (None, stored(1, A, {}, {}, SEEDED), WORD),  # defaults, in a new Redis
        (NOTHING, noted(but(KNOWN, mappings={}), ALL_FILLED), MISSING),
        (KNOWN, noted(but(KNOWN, mappings={}), ALL_FILLED), LOST),
        (KNOWN, noted(but(KNOWN, version=58, mappings={}), ALL_FILLED.replace("57", "58")), LOST),  # after an edit
        (but(KNOWN, mappings=A), noted(but(KNOWN, mappings={}), ALL_FILLED), EMPTIED),
        (but(KNOWN, mappings={}), noted(but(KNOWN, mappings={}), ALL_FILLED), MISSING),
    ],
)
def test_what_a_change_left_and_nobody_deleted_is_missed(known: Stored | None, found: Stored, meaning: Meaning) -> None:
    """By whoever starts later, too; unless somebody who leaves no note has changed something since."""
    assert judge(known, found, by_hand=BY_HAND) is meaning


@pytest.mark.parametrize("found", [NOTHING, KNOWN, OLD])
def test_whoever_knows_nothing_takes_what_there_is(found: Stored) -> None:
    """The first reading of a process is its first knowledge."""
    assert judge(None, found) is WORD


def test_seeded_defaults_give_way_though_the_version_is_the_same() -> None:
    """A catalogue of version 1 that was edited by hand is not mistaken for another seed of version 1."""
    edited = stored(1, A | B, {}, {}, SEEDED)
    assert judge(edited, stored(1, C, {}, {}, origin(1, 0, "second"))) is OVERLAID
    assert judge(edited, stored(1, A, {}, {}, SEEDED)) is WORD


def test_a_single_entry_may_be_deleted_by_hand() -> None:
    """Of a part with one field nobody can tell HDEL from a loss; it is taken for the operator's."""
    known = stored(3, A)
    assert judge(known, but(known, mappings={}), by_hand=BY_HAND) is WORD
    assert judge(known, but(known, mappings={})) is LOST
    assert judge(known, NOTHING) is LOST
