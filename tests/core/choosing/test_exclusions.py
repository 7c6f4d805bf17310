"""What a caller is told when no channel can serve, and what an operator is told of each."""

from __future__ import annotations

import pytest

from app.core.choosing.exclusions import Refusal
from app.core.choosing.explaining import Explanation, explain
from app.core.choosing.penalties import Weights
from app.core.choosing.selection import Preferences, Wanted
from app.core.choosing.standing import Full, Keys, Record, Rest
from tests.support.standing import Line, channel


def refused(line: Line, model: str = "m") -> Refusal:
    turns = line.turns(model)
    assert turns.next(line.now_ms) is None
    return turns.refusal(line.now_ms)


def told(refusal: Refusal) -> tuple[int, str, int | None]:
    return refusal.status, refusal.code, refusal.retry_after_s


def explained(line: Line, *, only: frozenset[str] | None = None, prefer: str = "") -> Explanation:
    wanted = Wanted("openai", "m", only)
    return explain(line.health, line.serving, wanted, line.preferences, line.now_ms, prefer)


NEVER = Preferences(resting_fallback=False)


def test_a_model_that_no_enabled_channel_serves_is_not_found() -> None:
    """Also where disabled ones would."""
    assert told(refused(Line(channel("a", enabled=False)))) == (404, "model_not_found", None)
    refusal = refused(Line(channel("a")), "x")
    assert told(refusal) == (404, "model_not_found", None)
    assert "'x'" in refusal.message


def test_where_all_rest_the_first_to_be_back_is_told() -> None:
    """Rests of channels, models and keys, and hours; rounded up, and at least a second."""
    line = Line(channel("a"), channel("b"), channel("c"), channel("d", hours="08:00-09:00"), preferences=NEVER)
    line.now_ms = 7 * 3_600_000
    line.health.channels["a"] = Rest(line.now_ms + 95_001)
    line.health.models["b", "m"] = Rest(line.now_ms + 200_000)
    line.health.pools["c"] = Keys(0, 3, back_ms=line.now_ms + 300_000)
    refusal = refused(line)
    assert told(refusal) == (503, "all_resting", 96)
    assert "96 s" in refusal.message
    line.health.pools["c"] = Keys(0, 3, back_ms=line.now_ms + 1)
    assert told(refused(line)) == (503, "all_resting", 1)


def test_hours_alone_are_a_rest() -> None:
    """Retry-After says when the first channel opens."""
    line = Line(channel("a", hours="08:00-09:00"), channel("b", hours="10:00-11:00", enabled=False))
    line.now_ms = 7 * 3_600_000
    assert told(refused(line)) == (503, "all_resting", 3600)


def test_a_channel_is_back_when_all_that_rests_of_it_is() -> None:
    """Not when the first of its rests ends."""
    line = Line(channel("a"), preferences=NEVER)
    line.health.channels["a"] = Rest(line.now_ms + 10_000)
    line.health.models["a", "m"] = Rest(line.now_ms + 20_000)
    line.health.pools["a"] = Keys(0, 1, back_ms=line.now_ms + 30_000)
    assert told(refused(line)) == (503, "all_resting", 30)
    line.health.pools["a"] = Keys(0, 1, back_ms=line.now_ms + 5_000)
    assert told(refused(line)) == (503, "all_resting", 20)


def test_full_ones_make_it_busy() -> None:
    """Retry-After: until the oldest counted attempt leaves the minute, 1 where only concurrency is full."""
    line = Line(
        channel("a", max_concurrency=1), channel("b", key_requests_per_minute=1), channel("c"), preferences=NEVER
    )
    line.health.channels["c"] = Rest(line.now_ms + 1000)
    line.health.fulls = {
        "a": Full("requests_per_minute", line.now_ms + 40_000),
        "b": Full("requests_per_minute", line.now_ms + 20_500),
    }
    refusal = refused(line)
    assert told(refusal) == (429, "upstream_busy", 21)
    assert [one.channel.id for one in refusal.full] == ["a", "b"]
    line.health.fulls["a"] = Full("concurrency")
    assert told(refused(line)) == (429, "upstream_busy", 1)


def test_without_any_usable_key_nobody_is_asked_to_wait() -> None:
    """No key will be back by itself."""
    line = Line(channel("a"), channel("b", enabled=False))
    line.health.pools["a"] = Keys(0, 0)
    assert told(refused(line)) == (503, "no_fit_key", None)
    line.health.channels["a"] = Rest(line.now_ms + 5000)
    assert told(refused(line)) == (503, "no_fit_key", None)


def test_each_channel_has_its_rank_or_its_reason() -> None:
    """Those that may be tried first, best first; the reasons are the words of the contract."""
    reasons = "disabled resting model_resting no_fit_key hours concurrency requests_per_minute token".split()
    given = {
        reason: {"requests_per_minute": 1} if reason in ("concurrency", "requests_per_minute") else {}
        for reason in reasons
    }
    line = Line(
        *(channel(reason, **said) for reason, said in given.items() if reason not in ("disabled", "hours")),
        channel("disabled", enabled=False),
        channel("hours", hours="08:00-09:00"),
        channel("better", priority=5),
        channel("good", priority=4),
    )
    health = line.health
    health.channels["resting"] = Rest(line.now_ms + 1)
    health.models["model_resting", "m"] = Rest(line.now_ms + 1)
    health.pools |= {"no_fit_key": Keys(0, 2, back_ms=line.now_ms + 1), "better": Keys(2, 3)}
    health.fulls |= {reason: Full(reason) for reason in ("concurrency", "requests_per_minute")}
    allowed = frozenset(one.candidate.channel.id for one in explained(line).channels) - {"token"}
    explanation = explained(line, only=allowed)
    assert [(row.candidate.channel.id, row.rank) for row in explanation.channels[:2]] == [("better", 1), ("good", 2)]
    others = {row.candidate.channel.id: row.excluded for row in explanation.channels[2:]}
    assert others == {reason: reason for reason in reasons}
    assert all(row.rank is None for row in explanation.channels[2:])
    assert (explanation.channels[0].fit_keys, explanation.channels[0].weight) == (2, 3)
    assert explanation.refused is explanation.fallback is None


def test_penalties_are_told() -> None:
    """What was taken off, and what is left."""
    line = Line(channel("a", priority=90), preferences=Preferences(weights=Weights(health_penalty=True)))
    line.health.records["a"] = Record(0.7, 80)
    (row,) = explained(line).channels
    assert (round(row.penalty, 6), round(row.effective_priority, 6)) == (30.0, 60.0)


def test_an_explanation_moves_no_wheel_and_is_the_same_twice() -> None:
    """Nor does it depend on where a process's wheel stands."""
    line, other = (Line(channel("a"), channel("b", weight=2), channel("c")) for _ in range(2))
    calls = ""
    first = explained(line)
    for _ in range(12):
        calls += line.calls(1)
        assert explained(line) == first
    assert calls == other.calls(12)
    assert [row.candidate.channel.id for row in first.channels] == ["a", "b", "c"]


def test_the_channel_of_the_conversation_ranks_first() -> None:
    """While it may be tried."""
    line = Line(channel("a", priority=9), channel("b"))
    assert [row.candidate.channel.id for row in explained(line, prefer="b").channels] == ["b", "a"]
    line.health.channels["b"] = Rest(line.now_ms + 1)
    assert [row.rank for row in explained(line, prefer="b").channels] == [1, None]


@pytest.mark.parametrize("told_rest", [True, False])
def test_a_refusal_and_a_fallback_are_told(told_rest: bool) -> None:
    """Where all rest: who would be tried all the same, or what the caller is told."""
    line = Line(channel("a"))
    line.health.channels["a"] = Rest(line.now_ms + 5000, told_rest)
    explanation = explained(line)
    if told_rest:
        assert explanation.refused == line.turns().refusal(line.now_ms)
        assert explanation.fallback is None
    else:
        assert explanation.refused is None
        assert explanation.fallback is not None
    assert explained(Line()).refused is not None
