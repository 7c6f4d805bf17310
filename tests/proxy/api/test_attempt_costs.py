"""Each attempt's cost is reckoned once, by the name sent upstream, and counts for its channel's day."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.judging.outcome import Blame, Outcome, Verdict
from app.core.money.cost import Cost
from app.core.usage import ABSENT, Usage
from app.proxy.api.attempts import Try
from app.storage.costs.costs import Batch
from tests.support.choosing_process import ChoosingProcess
from tests.support.prices import used

GOOD, BROKEN = Verdict(Outcome.OK), Verdict(Outcome.TRUNCATED, Blame.CHANNEL)
MILLION = used(input=1_000_000)


class Story:
    """One channel, which asks its upstream for `there`; what is said of it and the prices are the test's."""

    def __init__(self, *overrides: dict[str, Any], **said: Any) -> None:
        self.process = ChoosingProcess({"a": 1})
        self.process.said["a"] |= {"models": [{"name": "m", "upstream_name": "there"}], **said}
        self.process.overrides += overrides
        self.process.build()

    def attempt(self, verdict: Verdict, usage: Usage) -> Cost:
        choices = self.process.choices()
        candidate = choices.next_channel()
        assert candidate is not None
        turn = choices.next_key()
        assert turn is not None
        return choices.note(Try(candidate, candidate.channel.urls[0], turn), verdict, 200, usage)

    @property
    def told(self) -> Batch:
        return self.process.choosing.costs.take()


THERE = {"model": "there", "input": "2", "output": "4"}


@pytest.mark.parametrize("verdict", [GOOD, BROKEN], ids=["good", "broken"])
def test_what_an_attempt_used_costs_also_where_it_failed(verdict: Verdict) -> None:
    story = Story(THERE, {"model": "m", "input": "9", "output": "9"}, cost_multiplier="0.5")
    assert story.attempt(verdict, MILLION).nano == 10**9
    [((_, channel_id), nano)] = story.told.costs.items()
    assert (channel_id, nano) == ("a", 10**9)


def test_of_a_model_without_a_price_calls_are_noted_that_used_something_or_went_well() -> None:
    story = Story()
    for verdict, usage in ((GOOD, ABSENT), (BROKEN, MILLION), (BROKEN, ABSENT)):
        assert story.attempt(verdict, usage)[:2] == (None, True)
    told = story.told
    assert not told.costs
    assert {name: one.requests for name, one in told.unpriced.items()} == {"there": 2}


def test_what_cost_nothing_and_what_is_not_known_count_for_no_day() -> None:
    story = Story(THERE)
    assert story.attempt(GOOD, used()).nano == 0
    assert story.attempt(GOOD, ABSENT)[:2] == (None, False)
    told = story.told
    assert not told.costs
    assert not told.unpriced
