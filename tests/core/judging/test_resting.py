"""How long who rests."""

from __future__ import annotations

import pytest

from app.core.judging.outcome import TRAITS, Blame, Outcome, Verdict
from app.core.judging.resting import RestLength, rest_of
from app.core.settings import Settings

SETTINGS = Settings()
FIRST_S = {
    300: "quota_exhausted account_suspended refused_key",
    60: "rate_limited_account rate_limited model_unavailable overloaded timeout soft_error empty malformed stalled"
    " truncated",
    120: "server_error unreachable",
}


def blamed(outcome: Outcome, told_rest_s: float | None = None) -> Verdict:
    return Verdict(outcome, TRAITS[outcome].blame, told_rest_s=told_rest_s)


@pytest.mark.parametrize(("first_s", "label"), [(s, label) for s in FIRST_S for label in FIRST_S[s].split()])
def test_the_first_rest_is_the_outcomes(first_s: float, label: str) -> None:
    """Each outcome that blames one of ours names the setting of its first rest."""
    assert rest_of(blamed(Outcome(label)), 0, SETTINGS) == RestLength(first_s, told=False)


def test_each_setting_rests_its_own_outcomes() -> None:
    """Four settings, four kinds of outcomes: changing one moves no other's rest."""
    settings = Settings(cooldown_auth_s=11, cooldown_server_s=12, cooldown_timeout_s=13, cooldown_rate_limit_s=14)
    lengths = {}
    for outcome in (Outcome.REFUSED_KEY, Outcome.UNREACHABLE, Outcome.STALLED, Outcome.OVERLOADED):
        rest = rest_of(blamed(outcome), 0, settings)
        assert rest is not None
        lengths[outcome.value] = rest.seconds
    assert lengths == {"refused_key": 11, "unreachable": 12, "stalled": 13, "overloaded": 14}


def test_a_rest_is_doubled_up_to_the_longest() -> None:
    """120, 240, 480, 960, 1800, and 1800 for ever."""
    rests = [rest_of(blamed(Outcome.SERVER_ERROR), failures, SETTINGS) for failures in (0, 1, 2, 3, 4, 5, 10**9)]
    assert [rest and rest.seconds for rest in rests] == [120, 240, 480, 960, 1800, 1800, 1800]


def test_a_guessed_rest_is_no_shorter_than_the_shortest() -> None:
    """cooldown_min_s holds for each rest that we guess."""
    settings = Settings(cooldown_rate_limit_s=1, cooldown_min_s=10)
    rests = [rest_of(blamed(Outcome.RATE_LIMITED), failures, settings) for failures in range(6)]
    assert [rest and rest.seconds for rest in rests] == [10, 10, 10, 10, 16, 32]


@pytest.mark.parametrize("told_s", [1.0, 7.0, 86_400.0])
@pytest.mark.parametrize("failures", [0, 9])
def test_a_told_rest_is_kept_as_told(told_s: float, failures: int) -> None:
    """What the upstream told is neither doubled nor clamped."""
    assert rest_of(blamed(Outcome.RATE_LIMITED, told_s), failures, SETTINGS) == RestLength(told_s, told=True)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not TRAITS[outcome].blame.ours])
def test_nobody_rests_for_what_is_not_ours(outcome: Outcome) -> None:
    """The client's fault and nobody's rest nobody, whatever was told."""
    assert rest_of(blamed(outcome, 7.0), 3, SETTINGS) is None


def test_a_blacklisted_key_need_not_rest() -> None:
    """It is out of the pool until it is validated."""
    assert rest_of(Verdict(Outcome.INVALID_KEY, Blame.KEY, blacklist=True), 0, SETTINGS) is None


def test_a_rule_may_rest_whom_the_table_does_not() -> None:
    """A key that the operator blames for a bad request rests as after a server's error; a rest of 0 is none."""
    ruled = Verdict(Outcome.BAD_REQUEST, Blame.KEY, rule=0)
    assert rest_of(ruled, 1, SETTINGS) == RestLength(240, told=False)
    assert rest_of(ruled._replace(told_rest_s=0.0), 1, SETTINGS) is None
