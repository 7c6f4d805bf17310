"""A channel that has cost what it may in a day is not tried until that turns."""

from __future__ import annotations

from typing import Any

from app.core.choosing.explaining import explain
from app.core.choosing.selection import Preferences, Wanted
from app.core.choosing.standing import Full, Keys, Rest
from tests.support.standing import Line, channel

HOUR_MS = 3_600_000


def line(*names: str, **said: Any) -> Line:
    """Channels with a limit, of which those in capitals have none; all that have one are over it for two hours."""
    channels = [channel(name, **({} if name.isupper() else {"cost_per_day_usd": "5"}), **said) for name in names]
    found = Line(*channels)
    found.health.over_costs_ms = {name: found.now_ms + 2 * HOUR_MS for name in names if not name.isupper()}
    return found


def test_others_serve_until_its_day_turns() -> None:
    found = line("a", "B")
    assert found.calls(4) == "BBBB"
    found.now_ms += 2 * HOUR_MS
    assert sorted(found.calls(4)) == ["B", "B", "a", "a"]


def test_with_a_higher_priority_it_comes_back_before_all_others() -> None:
    found = Line(channel("a", cost_per_day_usd="5", priority=9), channel("b"))
    found.health.over_costs_ms = {"a": found.now_ms + HOUR_MS}
    assert found.order() == "b"
    found.now_ms += HOUR_MS
    assert found.order() == "a b"


def test_a_raised_limit_is_in_force_at_once() -> None:
    found = line("a")
    assert found.order() == ""
    found.health.over_costs_ms = {}
    found.say(channel("a", cost_per_day_usd="6"))
    assert found.order() == "a"


def test_where_all_are_over_the_caller_is_told_the_truth_about_when_the_day_turns() -> None:
    found = line("a", "b")
    turns = found.turns()
    assert turns.next(found.now_ms) is None, "no fallback cuts it short"
    refusal = turns.refusal(found.now_ms)
    assert (refusal.status, refusal.code, refusal.retry_after_s) == (503, "all_resting", 7200)
    assert "cost" in refusal.message


def test_one_that_rests_besides_is_back_when_both_have_ended() -> None:
    found = line("a")
    for rest_ms, expected_s in ((HOUR_MS, 7200), (3 * HOUR_MS, 10_800)):
        found.health.channels["a"] = Rest(found.now_ms + rest_ms)
        turns = found.turns()
        assert turns.next(found.now_ms) is None
        assert turns.refusal(found.now_ms).retry_after_s == expected_s


def test_one_without_a_key_has_no_time_at_which_it_is_back() -> None:
    found = line("a")
    found.health.pools["a"] = Keys(0, 0)
    turns = found.turns()
    assert turns.next(found.now_ms) is None
    assert turns.refusal(found.now_ms).code == "no_fit_key"


def test_one_that_is_full_besides_does_not_keep_callers_waiting() -> None:
    found = line("a", max_concurrency=1, options={"queue_timeout": 9})
    found.health.fulls["a"] = Full("concurrency")
    turns = found.turns()
    assert turns.next(found.now_ms) is None
    refusal = turns.refusal(found.now_ms)
    assert (refusal.code, refusal.full) == ("all_resting", ())


def test_an_explanation_names_it() -> None:
    found = line("a", "B")
    told = explain(found.health, found.serving, Wanted("openai", "m"), Preferences(), found.now_ms)
    assert [(row.candidate.channel.id, row.rank, row.excluded) for row in told.channels] == [
        ("B", 1, None),
        ("a", None, "cost"),
    ]
