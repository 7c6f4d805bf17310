"""The operator's rules: what may stand in one, when it fits, and what then follows."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from time import process_time
from typing import Any

import pytest

from app.core.errors import Invalid
from app.core.failures import Failure
from app.core.judging.outcome import Blame, Facts, Flaw, Outcome, judge
from app.core.judging.resting import RestLength, rest_of
from app.core.judging.rules import Rehearsal, check_rules, rehearse
from app.core.settings import Settings

NOW_S = 1_764_000_000.0
BALANCE = b'{"error": {"message": "Out of stamps until tomorrow"}}'


def rule(**fields: Any) -> dict[str, Any]:
    return {"status": "400", "blame": "key", **fields}


def answer(status: int = 400, body: bytes = BALANCE, **more: Any) -> Facts:
    return Facts("openai", status, body=body, **more)


def decided(facts: Facts, *rules: dict[str, Any]) -> int | None:
    return judge(facts, check_rules(list(rules)), NOW_S).rule


# --- What may stand in a rule ---


def test_a_rule_is_answered_whole() -> None:
    """What GET answers has every field, so that it can be changed and PUT."""
    (checked,) = check_rules([{"status": 429, "blame": "model"}])
    assert checked.said == {
        "status": "429",
        "pattern": "",
        "dialect": "",
        "blame": "model",
        "rest": "reset",
        "blacklist": False,
        "note": "",
    }
    assert check_rules([checked.said])[0].said == checked.said


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"blame": "key"}, "status"),
        (rule(status="4xx"), "status"),
        (rule(status="99"), "status"),
        (rule(status="500-"), "status"),
        (rule(status="599-500"), "status"),
        (rule(status=True), "status"),
        (rule(status="４２９"), "status"),
        (rule(status=None), "status"),
        (rule(pattern="("), "pattern"),
        (rule(pattern="(?=a)"), "pattern"),
        (rule(pattern=r"(a)\1"), "pattern"),
        (rule(pattern="(a{1000}){1000}"), "pattern"),
        (rule(pattern="\udc80"), "pattern"),
        (rule(pattern="a" * 1025), "pattern"),
        (rule(pattern=7), "pattern"),
        (rule(dialect="soap"), "dialect"),
        ({"status": "400"}, "blame"),
        (rule(blame="url"), "blame"),
        (rule(blame=["key"]), "blame"),
        (rule(rest="soon"), "rest"),
        (rule(rest=-1), "rest"),
        (rule(rest=True), "rest"),
        (rule(rest=float("nan")), "rest"),
        (rule(rest=1e10), "rest"),
        (rule(blacklist="yes"), "blacklist"),
        (rule(blame="channel", blacklist=True), "blacklist"),
        (rule(note=1), "note"),
        (rule(scope="key"), "scope"),
    ],
)
def test_what_a_rule_cannot_say_is_named(value: dict[str, Any], field: str) -> None:
    """The error names the rule and the field; a field that rules have not is an unknown one."""
    with pytest.raises(Invalid) as caught:
        check_rules([rule(), value])
    assert caught.value.field == f"rules[1].{field}"
    assert caught.value.code == ("unknown_field" if field == "scope" else "invalid")


@pytest.mark.parametrize(
    ("value", "field"), [({}, "rules"), ("x", "rules"), ([rule()] * 101, "rules"), (["x"], "rules[0]")]
)
def test_rules_are_a_list_of_objects(value: Any, field: str) -> None:
    """Anything else is refused, and so are more than a hundred."""
    with pytest.raises(Invalid) as caught:
        check_rules(value)
    assert caught.value.field == field


# --- When it fits ---


@pytest.mark.parametrize(
    ("status", "fits"),
    [("429", {429}), ("500-599", {500, 503, 599}), ("400 - 429", {400, 429}), ("", {400, 429, 500, 503, 599})],
)
def test_a_status_is_one_a_span_or_any(status: str, fits: set[int]) -> None:
    """Both ends of a span belong to it."""
    asked = rule(status=status, pattern="stamps")
    assert {code for code in (400, 429, 500, 503, 599) if decided(answer(code), asked) == 0} == fits


def test_the_first_rule_that_fits_decides() -> None:
    """Rules are tried in their order, before the table."""
    rules = [rule(pattern="nothing of it"), rule(pattern="stamps", blame="channel"), rule()]
    assert decided(answer(), *rules) == 1
    assert decided(answer(500), *rules) is None


def test_a_rule_may_ask_for_a_dialect() -> None:
    """Of other dialects it says nothing."""
    asked = rule(dialect="anthropic")
    assert decided(answer(), asked) is None
    assert decided(replace(answer(), dialect="anthropic"), asked) == 0


def test_a_soft_error_is_seen_as_200() -> None:
    """Under whatever good status it came; a good answer is no rule's business."""
    asked = rule(status="200", pattern="stamps")
    assert decided(replace(answer(200), flaw=Flaw.SOFT_ERROR), asked) == 0
    assert decided(replace(answer(206), flaw=Flaw.SOFT_ERROR), asked) == 0
    assert decided(answer(200), asked) is None
    assert decided(answer(206), asked) is None


@pytest.mark.parametrize("facts", [Facts("openai", failure=Failure.UNREACHABLE), Facts("openai", 200, flaw=Flaw.EMPTY)])
def test_rules_speak_of_answers_only(facts: Facts) -> None:
    """What says nothing is judged by the table alone, whatever a pattern would match."""
    assert decided(facts, rule(status="", pattern=".*")) is None


def test_patterns_see_the_body_as_it_came() -> None:
    """Its first 64 KiB, also what stands in quotes, in pages and in other scripts; letters count as written."""
    assert decided(answer(body='{"error": "额度 \'已经\' 不足"}'.encode()), rule(pattern="额度.*不足")) == 0
    assert decided(answer(body=b"<html>Sign in</html>"), rule(pattern="Sign in")) == 0
    assert decided(answer(body=b"STAMPS"), rule(pattern="stamps")) is None
    assert decided(answer(body=b"STAMPS"), rule(pattern="(?i)stamps")) == 0
    assert decided(answer(body=b"\xff\xfe stamps"), rule(pattern="stamps")) == 0
    assert decided(answer(body=b" " * 65_530 + b"stamps"), rule(pattern="stamps")) == 0
    assert decided(answer(body=b" " * 65_531 + b"stamps"), rule(pattern="stamps")) is None


@pytest.mark.timing
@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)(.*)(.*)(.*)x", "(?i)(a?){50}a{50}$"])
def test_no_pattern_holds_up_the_process(pattern: str) -> None:
    """Matching is linear, where Python's own would take hours."""
    facts = answer(body=b"a" * 65_535 + b"!")
    rules = check_rules([rule(pattern=pattern)])
    began_s = process_time()
    judge(facts, rules, NOW_S)
    assert process_time() - began_s < 0.1


def test_a_process_without_patterns_does_not_load_re2() -> None:
    """It costs 3 MB, which only those pay who have a pattern."""
    script = """if True:
        import sys
        from app.core.judging.rules import check_rules
        check_rules([{"status": "429", "blame": "key"}])
        assert "re2" not in sys.modules
        check_rules([{"status": "429", "blame": "key", "pattern": "x"}])
        assert "re2" in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


# --- What follows ---


@pytest.mark.parametrize(
    ("blame", "again", "rests"),
    [
        ("key", True, True),
        ("model", True, True),
        ("channel", True, True),
        ("client", False, False),
        ("nobody", True, False),
    ],
)
def test_a_rule_says_whose_fault_it_is(blame: str, again: bool, rests: bool) -> None:
    """The label stays the table's; who rests, and whether another is tried, is the operator's word."""
    verdict = judge(answer(), check_rules([rule(blame=blame, rest=900)]), NOW_S)
    assert (verdict.outcome, verdict.blame) == (Outcome.BAD_REQUEST, Blame(blame))
    assert verdict.again is again
    assert rest_of(verdict, 5, Settings()) == (RestLength(900, told=True) if rests else None)


def test_nobody_is_tried_again_after_the_commit() -> None:
    """No rule can take back what has reached the client."""
    assert judge(answer(committed=True), check_rules([rule()]), NOW_S).again is False


@pytest.mark.parametrize(
    ("facts", "rest"),
    [
        (answer(headers={"retry-after": "33"}), RestLength(33, told=True)),
        (answer(), RestLength(240, told=False)),
        (answer(429), RestLength(120, told=False)),
    ],
)
def test_reset_is_the_told_time_else_the_tables(facts: Facts, rest: RestLength) -> None:
    """With "reset" an upstream's time holds; where it told none, we guess as ever, doubled."""
    verdict = judge(facts, check_rules([rule(status="400-429", rest="reset")]), NOW_S)
    assert rest_of(verdict, 1, Settings()) == rest


def test_a_rest_of_zero_rests_nobody_though_the_upstream_told_one() -> None:
    """The operator knows better."""
    verdict = judge(answer(429, headers={"retry-after": "33"}), check_rules([rule(status="429", rest=0)]), NOW_S)
    assert rest_of(verdict, 0, Settings()) is None


def test_a_rule_decides_on_the_blacklist() -> None:
    """It may take a key out at once, and may spare one that the table would take out or count."""
    taken = judge(answer(), check_rules([rule(blacklist=True)]), NOW_S)
    assert (taken.blacklist, taken.counts_to_blacklist) == (True, False)
    invalid = answer(401, b'{"error": {"code": "invalid_api_key"}}')
    refused = answer(401, b"")
    for facts in (invalid, refused):
        spared = judge(facts, check_rules([rule(status="401", rest=5)]), NOW_S)
        assert (spared.blacklist, spared.counts_to_blacklist) == (False, False)


def test_a_rehearsal_judges_as_a_call_would() -> None:
    """What the operator tries is judged by rules and table; a body under a good status is taken for a soft error."""
    rules = check_rules([rule(pattern="stamps", rest=900)])
    assert rehearse(rules, 400, {}, BALANCE, Settings(), NOW_S) == Rehearsal("bad_request", "key", 900, False, 0)
    assert rehearse((), 429, {"Retry-After": "7"}, b"", Settings(), NOW_S) == Rehearsal(
        "rate_limited", "key", 7, False, None
    )
    soft = b'{"error": {"type": "overloaded_error"}}'
    assert rehearse((), 200, {}, soft, Settings(), NOW_S) == Rehearsal("overloaded", "model", 60, False, None)
    assert rehearse((), 200, {}, b"", Settings(), NOW_S) == Rehearsal("ok", "nobody", None, False, None)
    bad_key = b'{"error": {"code": "invalid_api_key"}}'
    assert rehearse((), 401, {}, bad_key, Settings(), NOW_S) == Rehearsal("invalid_key", "key", None, True, None)
