"""Weighted turns: exact shares, evenly spread, from anywhere, whoever comes and goes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from app.core.choosing.wheel import Wheel


def turns(wheel: Wheel, count: int) -> str:
    """Who has the next turns."""
    line = ""
    for _ in range(count):
        point = wheel.next()
        assert point is not None
        wheel.take(wheel.members[point[3]].weight)
        line += point[3]
    return line


TABLES = [
    {"a": 3, "b": 1},
    {"a": 5, "b": 1, "c": 1},
    {"a": 1, "b": 1, "c": 1},
    {"a": 4, "b": 2, "c": 1},
    {"a": 7, "b": 3, "c": 2, "d": 1},
    {"a": 100, "b": 3, "c": 3, "d": 1},
    {"a": 17, "b": 13, "c": 11, "d": 7, "e": 5},
    {"a": 1},
]


@pytest.mark.parametrize("weights", TABLES, ids=str)
@pytest.mark.parametrize("chance", [0.0, 0.37, 0.999])
def test_any_stretch_of_a_period_holds_the_exact_shares(weights: dict[str, int], chance: float) -> None:
    """A period is as long as the sum of the weights; wherever one is cut out, each has had its weight in turns."""
    period = sum(weights.values())
    line = turns(Wheel(weights, chance), 3 * period)
    for begin in range(2 * period):
        assert Counter(line[begin : begin + period]) == weights


@pytest.mark.parametrize("weights", TABLES, ids=str)
def test_nobody_waits_much_longer_than_his_share(weights: dict[str, int]) -> None:
    """Between two turns of one are no more turns than its share says, and one for each other weight that there is."""
    period = sum(weights.values())
    line = turns(Wheel(weights, 0.0), 3 * period)
    for id, weight in weights.items():
        places = [place for place, one in enumerate(line) if one == id]
        longest = max(after - before for before, after in pairwise(places))
        assert longest <= period / weight + len(set(weights.values())) - 1, (id, longest)


def test_classic_tables() -> None:
    """3:1 and 5:1:1 come smoothly."""
    assert turns(Wheel({"a": 3, "b": 1}, 0.0), 8) == "aabaaaba"
    assert turns(Wheel({"a": 5, "b": 1, "c": 1}, 0.0), 14) == "abaaacaabaaaca"


def test_chance_says_where_it_begins() -> None:
    """Each place of a period is as likely a beginning as any other, and the turns are the same from there on."""
    weights = {"a": 3, "b": 1, "c": 1}
    whole = turns(Wheel(weights, 0.0), 10)
    lines = {turns(Wheel(weights, (step + 0.5) / 5), 5) for step in range(5)}
    assert lines == {whole[begin : begin + 5] for begin in range(5)}
    assert len(lines) == 5


def test_equal_ones_begin_at_different_places() -> None:
    """Also where all have one point in a cycle."""
    weights = {chr(97 + number): 1 for number in range(10)}
    assert {turns(Wheel(weights, number / 10), 1) for number in range(10)} == set(weights)


def test_who_is_away_is_owed_nothing() -> None:
    """Who comes back takes his turns from then on, and no more of them; the others' shares stay exact meanwhile."""
    wheel = Wheel({"a": 1, "b": 1, "c": 2}, 0.0)
    while (point := wheel.next()) is not None and point[3] != "a":
        wheel.take(wheel.members[point[3]].weight)
    wheel.leave(500)
    assert Counter(turns(wheel, 30)) == {"b": 10, "c": 20}
    wheel.come_back(499)
    assert "a" not in turns(wheel, 3)
    wheel.come_back(500)
    assert Counter(turns(wheel, 4)) == {"a": 1, "b": 1, "c": 2}


def test_a_change_of_one_moves_nobody_elses_points() -> None:
    """When one goes, comes or is weighed anew, the others' turns come in the order in which they would have come."""
    for changed in ({"b": 2, "c": 3}, {"a": 9, "b": 2, "c": 3}, {"b": 2, "c": 3, "d": 5}):
        for passed in range(12):
            before, wheel = Wheel({"a": 4, "b": 2, "c": 3}, 0.0), Wheel({"a": 4, "b": 2, "c": 3}, 0.0)
            turns(before, passed)
            turns(wheel, passed)
            after = turns(wheel.copy(changed), 40)
            others = [id for id in turns(before, 40) if id in "bc"]
            assert [id for id in after if id in "bc"][:12] == others[:12], (changed, passed)


def test_a_copy_turns_by_itself() -> None:
    """The original stays where it is."""
    wheel = Wheel({"a": 3, "b": 1}, 0.0)
    assert turns(wheel.copy({"a": 3, "b": 1}), 5) == turns(wheel, 5)


def test_a_weight_counts_from_the_next_turn_on() -> None:
    """Who takes its turn with another weight has that share from then on."""
    wheel = Wheel({"a": 1, "b": 1}, 0.0)
    turns(wheel, 3)
    for _ in range(2):
        point = wheel.next()
        assert point is not None
        wheel.take(3 if point[3] == "a" else 1)
    turns(wheel, 4)
    assert Counter(turns(wheel, 40)) == {"a": 30, "b": 10}


def test_who_was_passed_over_loses_the_turn() -> None:
    """A full one that another was taken for is owed nothing; if nobody was, its turn is still to come."""
    wheel = Wheel({"a": 1, "b": 1}, 0.0)
    first = wheel.pass_over()
    wheel.skip(first)
    assert wheel.pass_over() == first
    wheel.take(1)
    wheel.skip(first)
    assert turns(wheel, 3) == "aba"


def test_a_turn_that_is_still_to_come_outlasts_a_change() -> None:
    """Who was kept while another had a later turn comes next, also in a copy."""
    wheel = Wheel({"a": 1, "b": 1, "c": 1}, 0.0)
    kept = wheel.pass_over()
    wheel.take(1)
    wheel.keep(kept)
    assert turns(wheel.copy({"a": 1, "b": 1, "d": 1}), 1) == kept[3] == "a"
