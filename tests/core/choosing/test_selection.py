"""Which channel is tried: by effective priority, in turns among equals, without those that cannot serve."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from app.core.choosing.penalties import Weights
from app.core.choosing.selection import Preferences, Wanted
from app.core.choosing.standing import Full, Keys, Record, Rest
from app.core.model import Channel
from tests.support.standing import Line, channel

PENALIZING = Preferences(weights=Weights(health_penalty=True))


def test_priority_goes_first_and_each_comes_once() -> None:
    """One call is offered each channel that serves its model, the best first."""
    line = Line(
        channel("a", priority=1), channel("b", priority=5), channel("c", models=["x"]), channel("d", priority=-3)
    )
    assert line.order() == "b a d"
    assert line.calls(5) == "bbbbb"


def test_the_example_of_the_reference() -> None:
    """A 100 with 95 % of 100, B 90 with 70 % of 80, C 80 with 60 % of 4, D 70 with 100 % of 50: A, C, D, B."""
    line = Line(
        *(channel(id, priority=priority) for id, priority in {"A": 100, "B": 90, "C": 80, "D": 70}.items()),
        preferences=PENALIZING,
    )
    shares = {"A": (0.95, 100), "B": (0.7, 80), "C": (0.6, 4), "D": (1.0, 50)}
    line.health.records = {id: Record(*share) for id, share in shares.items()}
    assert line.order() == "A C D B"
    line.preferences = Preferences()
    assert line.order() == "A B C D"


def test_effective_priorities_are_equal_to_one_decimal() -> None:
    """What differs by less than that takes turns; what does not, does not."""
    line = Line(channel("a", priority=10), channel("b", priority=10), preferences=PENALIZING)
    line.health.records = {"a": Record(0.9996, 1000), "b": Record(1.0, 1000)}
    assert Counter(line.calls(10)) == {"a": 5, "b": 5}
    line.health.records = {"a": Record(0.999, 1000), "b": Record(1.0, 1000)}
    line.now_ms += 1000
    assert line.calls(4) == "bbbb"


def test_a_slow_channel_loses_priority() -> None:
    """min(max(L / median - 1, 0), 2) × weight × min(1, n / 10), as reference 7 has it."""
    line = Line(
        *(channel(id, priority=50) for id in "abcd"),
        preferences=Preferences(weights=Weights(slow_penalty_weight=20)),
    )
    times_ms = {"a": (100, 10), "b": (200, 10), "c": (1000, 5)}
    line.health.records = {id: Record(1.0, 0, *time) for id, time in times_ms.items()}
    plan = line.selection.plan(line.serving, Wanted("openai", "m"), line.preferences, line.now_ms)
    buckets = [(bucket.tenths, list(bucket.wheel.members)) for bucket in plan.buckets]
    assert buckets == [(500, ["a", "b", "d"]), (300, ["c"])], "d, which was never measured, is no part of the median"


def test_shares_are_those_of_usable_keys() -> None:
    """Without a weight of its own a channel has as many turns as usable keys, resting ones among them."""
    line = Line(channel("a"), channel("b"))
    line.health.pools = {"a": Keys(1, 3, back_ms=2_000_000), "b": Keys(1, 1)}
    for begin in range(3):
        assert Counter(line.calls(4)) == {"a": 3, "b": 1}, begin
    line.say(channel("a", key_strategy="sequential"), channel("b"))
    assert Counter(line.calls(4)) == {"a": 2, "b": 2}
    line.say(channel("a", weight=5), channel("b", weight=2))
    assert Counter(line.calls(7)) == {"a": 5, "b": 2}


def test_a_lost_key_counts_from_the_next_turn_on() -> None:
    """No edit is needed for a new weight."""
    line = Line(channel("a"), channel("b"))
    line.health.pools["a"] = Keys(3, 3)
    line.calls(4)
    line.health.pools["a"] = Keys(1, 1)
    line.calls(4)
    assert Counter(line.calls(10)) == {"a": 5, "b": 5}


@pytest.mark.parametrize("chance", [0.1, 0.3, 0.6, 0.9])
def test_three_to_one_wherever_it_begins(chance: float) -> None:
    """Exact over each period, in every process."""
    line = Line(channel("a", weight=3), channel("b", weight=1), chance=chance)
    calls = line.calls(400)
    for begin in range(397):
        assert Counter(calls[begin : begin + 4]) == {"a": 3, "b": 1}


def test_processes_share_alike_wherever_they_begin() -> None:
    """3,000 calls over three processes: within 2 % of 3:1, from the first calls on."""
    lines = [Line(channel("a", weight=3), channel("b"), chance=chance) for chance in (0.05, 0.4, 0.8)]
    line_of_call = random.Random(4)
    calls = "".join(line_of_call.choice(lines).calls(1) for _ in range(3000))
    assert abs(calls.count("a") / 3000 - 0.75) < 0.02 * 0.75
    assert len({line.calls(4) for line in lines}) > 1


def test_an_edit_of_one_moves_no_others_wheel() -> None:
    """Whatever is changed of one channel, the others' turns come as they would have come."""
    three = [channel(id, weight=weight) for id, weight in {"a": 4, "b": 2, "c": 3}.items()]
    for edit in ({"note": "x"}, {"weight": 9}, {"enabled": False}, {"models": ["other"]}, {"name": "z"}):
        for passed in range(1, 9):
            line, other = Line(*three), Line(*three)
            line.calls(passed)
            other.calls(passed)
            line.say(channel("a", **{"weight": 4, **edit}), *three[1:])
            expected = other.calls(36)
            calls = line.calls(60)
            assert calls.replace("a", "")[:12] == expected.replace("a", "")[:12], (edit, passed)
            if "note" in edit:
                assert calls[:36] == expected


def resting(line: Line, id: str, until_ms: int, told: bool = False) -> None:
    line.health.channels[id] = Rest(until_ms, told)


def test_who_rests_is_left_alone_until_it_is_over() -> None:
    """A rest is noticed at once, and ends by itself."""
    line = Line(channel("a", weight=1), channel("b", weight=1), channel("c", weight=2))
    line.calls(3)
    resting(line, "a", line.now_ms + 500)
    assert Counter(line.calls(30)) == {"b": 10, "c": 20}
    line.now_ms += 499
    assert "a" not in line.calls(3)
    line.now_ms += 1
    assert Counter(line.calls(4)) == {"a": 1, "b": 1, "c": 2}


def test_a_rest_that_is_ended_early_is_over_at_once() -> None:
    """The health's version tells."""
    line = Line(channel("a", priority=1), channel("b"))
    resting(line, "a", line.now_ms + 60_000)
    assert line.calls(2) == "bb"
    line.health.channels.clear()
    line.health.version += 1
    assert line.calls(2) == "aa"


def test_a_resting_model_rests_no_other() -> None:
    """It is the upstream's model that rests."""
    line = Line(channel("a", priority=1, models=["m>big", "n"]), channel("b", models=["m", "n"]))
    line.health.models["a", "big"] = Rest(line.now_ms + 60_000)
    assert line.calls(2, "m") == "bb"
    assert line.calls(2, "n") == "aa"


def test_without_a_fit_key_there_is_no_turn() -> None:
    """Keys that rest come back by themselves, others by a new version."""
    line = Line(channel("a", priority=2), channel("b", priority=1), channel("c"))
    line.health.pools = {"a": Keys(0, 1, back_ms=line.now_ms + 100), "b": Keys(0, 0)}
    assert line.calls(2) == "cc"
    line.now_ms += 100
    line.health.pools["a"] = Keys(1, 1)
    assert line.calls(1) == "a"
    line.health.pools = {"a": Keys(0, 0), "b": Keys(1, 1)}
    assert line.calls(1) == "c"
    line.health.version += 1
    assert line.calls(1) == "b"


def test_a_full_one_is_passed_over_and_owed_nothing() -> None:
    """Full means the next; as soon as there is room, it has its turns again, and no more of them."""
    line = Line(channel("a", priority=1, max_concurrency=1), channel("b"))
    line.health.fulls["a"] = Full("concurrency")
    assert line.calls(3) == "bbb"
    line.health.fulls.clear()
    assert line.calls(2) == "aa"
    line = Line(channel("a", requests_per_minute=5), channel("b"))
    line.health.fulls["a"] = Full("requests_per_minute", line.now_ms + 100)
    assert line.calls(6) == "bbbbbb"
    line.health.fulls.clear()
    assert Counter(line.calls(8)) == {"a": 4, "b": 4}


def test_disabled_ones_and_those_outside_of_their_hours_are_not_offered() -> None:
    """Hours begin and end without an edit, in the gateway's zone."""
    line = Line(channel("a", priority=2, enabled=False), channel("b", priority=1, hours="08:00-09:00"), channel("c"))
    line.now_ms = 9 * 3_600_000 - 1
    assert line.order() == "b c"
    line.now_ms += 1
    assert line.order() == "c"
    line.now_ms += 23 * 3_600_000
    assert line.order() == "b c"
    line.preferences = Preferences(time_zone="Asia/Shanghai")
    assert line.order() == "c"


def test_a_failover_goes_on_with_who_is_fit_by_then() -> None:
    """Each further choice of a call is made at its own moment."""
    line = Line(channel("a", priority=3), channel("b", priority=2), channel("c", priority=1))
    turns = line.turns()
    assert (first := turns.next(line.now_ms)) is not None
    assert first.channel.id == "a"
    resting(line, "b", line.now_ms + 1000)
    assert (second := turns.next(line.now_ms)) is not None
    assert second.channel.id == "c"
    assert (third := turns.next(line.now_ms + 1000)) is not None
    assert third.channel.id == "b"
    assert turns.next(line.now_ms + 1000) is None


def test_failovers_count_as_turns() -> None:
    """So the calls that a failing channel leaves to others are shared as well, by their weights."""
    line = Line(channel("a", priority=1), channel("b", weight=1), channel("c", weight=1), channel("d", weight=2))
    seconds = ""
    for _ in range(40):
        turns = line.turns()
        assert turns.next(line.now_ms) is not None
        second = turns.next(line.now_ms)
        seconds += second.channel.id if second else "-"
    assert Counter(seconds) == {"b": 10, "c": 10, "d": 20}


def test_a_conversation_goes_to_its_channel_while_that_is_fit() -> None:
    """Whatever its priority, and without a turn; when it is not fit, or fails, the others follow in their order."""
    line = Line(channel("a", priority=5), channel("b"), channel("c"), channel("d", hours="08:00-09:00"))
    assert line.order(prefer="c") == "c a b"
    assert line.order(prefer="d").startswith("a ")
    resting(line, "c", line.now_ms + 1000)
    assert line.order(prefer="c") == "a b"
    line.health.channels.clear()
    line.health.version += 1
    line.say(channel("b"), channel("c"))
    before = line.calls(1)
    line.calls(4, prefer="c")
    assert line.calls(1) != before
    assert line.order(prefer="nobody") in ("b c", "c b")


def test_only_those_that_may_are_offered() -> None:
    """A token's channels, or the one that a mapping names."""
    line = Line(channel("a", priority=1), channel("b"), channel("c"))
    assert line.order(only=["c"]) == "c"
    assert Counter(line.calls(4, only=["b", "c"])) == {"b": 2, "c": 2}
    assert line.order(only=[]) == ""


RESTING: list[tuple[dict[str, Any], str]] = [
    ({"a": Rest(90_000), "b": Rest(80_000)}, "b"),
    ({"a": Rest(90_000), "b": Rest(80_000, True)}, "a"),
    ({"a": Rest(90_000, True), "b": Rest(80_000, True)}, ""),
]


@pytest.mark.parametrize(("rests", "tried"), RESTING)
def test_when_all_rest_the_first_to_be_back_is_tried(rests: dict[str, Rest], tried: str) -> None:
    """If we guessed its rest; one that an upstream told is never cut short. `resting_fallback: false` tries none."""
    line = Line(channel("a", priority=1), channel("b"))
    line.health.channels = {id: Rest(line.now_ms + rest.until_ms, rest.told) for id, rest in rests.items()}
    turns = line.turns()
    one = turns.next(line.now_ms)
    assert (one.channel.id if one else "") == tried
    assert turns.falls_back is bool(tried)
    assert turns.next(line.now_ms) is None
    line.preferences = Preferences(resting_fallback=False)
    assert line.order() == ""


def test_the_fallback_waits_for_channel_model_and_key_together() -> None:
    """A channel is back when all that rests of it is; one told rest among them is enough not to cut it short."""
    line = Line(channel("a"), channel("b"))
    resting(line, "a", line.now_ms + 100)
    line.health.pools["a"] = Keys(0, 1, back_ms=line.now_ms + 900, guessed_back_ms=line.now_ms + 900)
    resting(line, "b", line.now_ms + 500)
    assert line.order() == "b"
    resting(line, "b", line.now_ms + 500, told=True)
    line.health.models["b", "m"] = Rest(line.now_ms + 100)
    assert line.order() == "a"
    resting(line, "b", line.now_ms + 500)
    line.health.models["b", "m"] = Rest(line.now_ms + 100, told=True)
    assert line.order() == "a"
    line.health.pools["a"] = Keys(0, 1, back_ms=line.now_ms + 900)
    assert line.order() == ""


def test_no_fallback_once_something_was_tried_or_has_no_room() -> None:
    """A rest is cut short only where nothing else is left."""
    line = Line(channel("a"), channel("b"), channel("c", max_concurrency=1))
    resting(line, "b", line.now_ms + 1000)
    line.health.fulls["c"] = Full("concurrency")
    turns = line.turns()
    assert turns.next(line.now_ms) is not None
    resting(line, "a", line.now_ms + 1000)
    assert line.order() == ""
    line.health.fulls.clear()
    resting(line, "c", line.now_ms + 1000)
    assert turns.next(line.now_ms) is None
    assert line.order() != ""


def test_memory_is_bounded_whatever_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a channel serves `*`, callers may name any model."""
    monkeypatch.setattr("app.core.choosing.selection._MAX_KEPT", 100)
    line = Line(*(channel(id, models=["*"]) for id in "abc"))
    for number in range(500):
        line.calls(1, f"model-{number}")
    assert len(line.selection._plans) <= 34
    assert len(line.selection._wheels) <= 34
    assert Counter(line.calls(6, "model-499")) == {"a": 2, "b": 2, "c": 2}


def many(count: int, serving: int, **said: Any) -> list[Channel]:
    one = channel("x", **said)
    return [
        replace(one, id=str(number), name=str(number), models=one.models if number < serving else ())
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "serving", "resting_ones"), [(10_000, 10_000, 0), (10_000, 10_000, 9_990), (10_000, 10, 0)]
)
def test_a_choice_asks_few_channels_how_they_stand(count: int, serving: int, resting_ones: int) -> None:
    """However many there are, and however many of them rest: one or two a call, once those were met."""
    line = Line(*many(count, serving))
    for number in range(resting_ones):
        resting(line, str(number), line.now_ms + 1_000_000)
    line.calls(20)
    line.health.asked = 0
    line.calls(1000)
    assert line.health.asked <= 1010
