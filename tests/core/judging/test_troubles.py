"""What follows for a channel, url, key or model from what happens to it."""

from __future__ import annotations

from itertools import permutations

import pytest

from app.core.judging.outcome import Blame, Outcome, Verdict
from app.core.judging.troubles import (
    FORGET_MS,
    NONE,
    Failed,
    Rested,
    Restored,
    Succeeded,
    Trouble,
    apply,
    read,
    written,
)
from app.core.settings import Settings

SETTINGS = Settings()
LIMITED = Verdict(Outcome.RATE_LIMITED, Blame.KEY, again=True)
REFUSED = Verdict(Outcome.REFUSED_KEY, Blame.KEY, again=True, counts_to_blacklist=True)
INVALID = Verdict(Outcome.INVALID_KEY, Blame.KEY, again=True, blacklist=True)
T = 1_800_000_000_000


def failed(began_ms: int, at_ms: int, verdict: Verdict = LIMITED, told_s: float | None = None) -> Failed:
    return Failed(T + began_ms, T + at_ms, verdict._replace(told_rest_s=told_s), SETTINGS, "slow down")


def after(*events: Failed | Succeeded | Rested | Restored) -> Trouble:
    trouble = NONE
    for event in events:
        trouble = apply(trouble, event)
    return trouble


def rest_s(trouble: Trouble) -> float:
    return (trouble.until_ms - trouble.changed_ms) / 1000


def test_each_further_failure_doubles_the_rest_up_to_the_longest() -> None:
    trouble, rests = NONE, []
    for number in range(7):
        trouble = apply(trouble, failed(number * 10_000_000, number * 10_000_000 + 5))
        rests.append(rest_s(trouble))
    assert rests == [60, 120, 240, 480, 960, 1800, 1800]


def test_attempts_that_began_before_the_rest_did_do_not_double_it() -> None:
    one = after(failed(0, 100))
    assert after(failed(0, 100), failed(0, 100), failed(50, 150), failed(90, 5000)) == one
    assert rest_s(apply(one, failed(101, 200))) == 120


def test_failures_of_two_processes_count_in_whatever_order_they_are_heard() -> None:
    first, second, third = failed(0, 10), failed(20, 30), failed(40, 50)
    for order in permutations((first, second)):
        trouble = after(*order)
        assert (trouble.failures, trouble.until_ms) == (2, T + 30 + 120_000)
    for order in ([first, second, third], [first, third, second]):
        trouble = after(*order)
        assert (trouble.failures, trouble.until_ms) == (3, T + 50 + 240_000)
    together = after(failed(20, 30), failed(5, 25))
    assert together.failures == 1, "they were under way together"


def test_a_rest_that_was_told_is_kept_as_told_and_the_longest_wins() -> None:
    assert rest_s(after(failed(0, 0, told_s=7))) == 7
    trouble = after(failed(0, 0, told_s=7), failed(-5, 1000, told_s=90), failed(-4, 1001, told_s=3))
    assert trouble.until_ms == T + 91_000
    assert trouble.is_told()


def test_a_later_attempt_that_is_told_a_time_replaces_our_guess() -> None:
    trouble = after(failed(0, 0), failed(5, 10, told_s=2))
    assert trouble.until_ms == T + 2010
    assert trouble.is_told()


def test_a_guess_ends_no_rest_that_was_told() -> None:
    trouble = after(failed(0, 0, told_s=600), failed(5, 10))
    assert trouble.until_ms == T + 600_000
    assert trouble.is_told()


def test_a_success_ends_rest_and_count_unless_the_rest_began_after_the_attempt() -> None:
    resting = after(failed(0, 100))
    assert apply(resting, Succeeded(T + 50, T + 300)) is resting
    over = apply(resting, Succeeded(T + 101, T + 300))
    assert (over.until_ms, over.failures, over.outcome) == (0, 0, "")
    assert rest_s(apply(over, failed(400, 500))) == 60


def test_a_success_of_whom_nothing_ails_changes_nothing() -> None:
    assert apply(NONE, Succeeded(T, T)) is NONE


def test_only_refusals_one_after_the_other_lead_to_the_blacklist() -> None:
    twice = [failed(0, 1, REFUSED), failed(2, 3, REFUSED)]
    assert not after(*twice, failed(4, 5)).blacklisted_ms
    assert not after(*twice, Succeeded(T + 4, T + 5), failed(6, 7, REFUSED)).blacklisted_ms
    assert not after(*twice, failed(1, 5, REFUSED)).blacklisted_ms, "it was under way with the second"
    assert after(*twice, failed(4, 5, REFUSED)).blacklisted_ms == T + 5


def test_a_threshold_of_0_blacklists_nobody() -> None:
    never = [Failed(T + n, T + n, REFUSED, Settings(blacklist_threshold=0), "") for n in range(0, 40, 2)]
    assert not after(*never).blacklisted_ms


def test_an_invalid_key_is_blacklisted_at_once_also_by_a_late_attempt() -> None:
    assert after(failed(0, 1, INVALID)).blacklisted_ms == T + 1
    assert after(failed(0, 1), failed(0, 9, INVALID)).blacklisted_ms == T + 9


def test_the_operator_rests_and_restores() -> None:
    trouble = after(failed(0, 1), Rested(T + 10, T + 5000))
    assert (trouble.until_ms, trouble.is_told()) == (T + 5000, True)
    assert after(failed(0, 1, INVALID), Restored(T + 10)) == Trouble(changed_ms=T + 10)


def test_what_failed_long_ago_is_forgotten_but_for_the_blacklist() -> None:
    later_ms = T + FORGET_MS + 10_000_000
    assert after(failed(0, 1)).is_forgettable(later_ms)
    assert not after(failed(0, 1)).is_forgettable(T + 100)
    assert not after(failed(0, 1, INVALID)).is_forgettable(later_ms)


@pytest.mark.parametrize("stored", [b"", b"{", b"7", b"{}", b"[1,2,3,4,5,6,7,8,9,10,11,12,13]", None])
def test_what_nobody_wrote_so_counts_as_no_trouble(stored: bytes | None) -> None:
    assert read(stored) == NONE


def test_a_trouble_is_read_as_it_was_written() -> None:
    trouble = after(failed(0, 1, REFUSED), failed(2, 3, told_s=5))
    assert read(written(trouble)) == trouble
