"""The operator's prices go over the built-in ones: which one counts, and what follows from what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import Invalid
from app.core.money.amounts import parse_usd
from app.core.money.overrides import MOST, check_overrides
from app.core.money.prices import MOST_KNOWN, NO_PRICES, Prices
from app.core.money.table import ALWAYS_MS
from tests.support.prices import prices, used

ONE = parse_usd("1")
BUILT_IN = {
    "input": "3",
    "cached": "0.3",
    "cache_write_5m": "4.5",
    "output": "15",
    "audio_input": "12",
    "web_search": "10",
}


def own(model: str, input: str = "1", output: str = "1", **more: Any) -> dict[str, Any]:
    return {"model": model, "input": input, "output": output, **more}


def a_million(found: Prices, model: str, at_ms: int = 0, **counts: int) -> str:
    """Dollars of a million of each that is named; empty for unpriced."""
    nano = found.cost(used(**{name: count * 1_000_000 for name, count in counts.items()}), model, ONE, at_ms).nano
    return "" if nano is None else f"{nano / 10**9:g}"


def test_an_exact_name_goes_before_patterns_and_of_these_the_one_that_says_most() -> None:
    found = prices(own("*", "1"), own("gpt-*", "2"), own("gpt-5*", "3"), own("*-mini", "4"), own("gpt-5", "5"))
    asked = {
        "gpt-5": "5",
        "gpt-5-pro": "3",
        "gpt-4": "2",
        "o4-mini": "4",
        "gpt-5-mini": "3",
        "claude": "1",
        "GPT-5": "5",
    }
    assert {model: a_million(found, model, input=1) for model in asked} == asked


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        ("a*c", "ac abc abbc", "a abcd xac"),
        ("*b*", "b abc bb", "a"),
        ("a*b*c", "abc aXbYc", "acb ab"),
        ("a**c", "ac abc", "ab"),
        ("ab*ba", "abba abXba", "aba"),
        ("a.c*", "a.c a.cd", "abc"),
    ],
)
def test_a_star_stands_for_any_text_and_all_else_for_itself(pattern: str, fits: str, fails: str) -> None:
    found = prices(own(pattern))
    assert [name for name in (fits + " " + fails).split() if found.price_of(name, 0)] == fits.split()


def test_a_pattern_of_many_stars_is_matched_at_once() -> None:
    assert prices(own("*a" * 100 + "b")).price_of("a" * 300, 0) is None


def test_an_override_of_another_name_does_not_hold_for_a_dated_one() -> None:
    found = prices(own("claude", "7"), claude=BUILT_IN)
    assert [a_million(found, model, input=1) for model in ("claude", "claude-20250101")] == ["7", "3"]


def test_the_greatest_valid_from_not_after_the_call_counts() -> None:
    found = prices(
        own("m", "1"),
        own("m", "3", valid_from_ms=2000),
        own("m", "2", valid_from_ms=1000),
        m={"input": "9", "output": "9"},
    )
    moments = {0: "1", 999: "1", 1000: "2", 1999: "2", 2000: "3", 10**13: "3", 1500: "2", 5: "1"}
    assert {at_ms: a_million(found, "m", at_ms, input=1) for at_ms in moments} == moments


def test_until_an_override_comes_into_force_the_built_in_price_counts_or_a_pattern_that_is() -> None:
    later = own("m", "7", valid_from_ms=1000)
    assert [a_million(prices(later, m=BUILT_IN), "m", at_ms, input=1) for at_ms in (999, 1000)] == ["3", "7"]
    assert [a_million(prices(later, own("*", "5")), "m", at_ms, input=1) for at_ms in (999, 1000)] == ["5", "7"]
    assert [a_million(prices(later), "m", at_ms, input=1) for at_ms in (999, 1000)] == ["", "7"]


def test_what_is_left_out_has_the_ratio_of_the_built_in_table() -> None:
    found = prices(own("claude", "6", "60"), claude=BUILT_IN)
    parts = {"input": "6", "cached": "0.6", "cache_write_5m": "9", "cache_write_1h": "12", "output": "60"}
    assert {part: a_million(found, "claude", **{part: 1}) for part in parts} == parts
    assert a_million(found, "claude", input=1, audio_input=1) == "24"
    assert found.cost(used(web_search_requests=1), "claude", ONE, 0).nano == parse_usd("0.01")


def test_what_is_left_out_of_a_model_that_the_table_does_not_know_is_usual() -> None:
    found = prices(own("mine", "2", "10"))
    parts = {"input": "2", "cached": "2", "cache_write_5m": "2.5", "cache_write_1h": "4", "output": "10"}
    assert {part: a_million(found, "mine", **{part: 1}) for part in parts} == parts


def test_what_is_said_counts_as_it_is_said() -> None:
    found = prices(own("claude", "6", "60", cached="1", cache_write_5m="2", cache_write_1h="0"), claude=BUILT_IN)
    parts = {"cached": "1", "cache_write_5m": "2", "cache_write_1h": "0"}
    assert {part: a_million(found, "claude", **{part: 1}) for part in parts} == parts


def test_a_tier_of_ones_own_raises_cached_and_written_tokens_by_the_factor_of_input() -> None:
    tier = {"above_tokens": 100, "input_above": "5", "output_above": "7"}
    found = prices(own("m", "2", "10", cached="1", **tier))
    at = found.cost(used(input=50, cached=20, cache_write_5m=20, cache_write_1h=10, output=10), "m", ONE, 0)
    assert at.nano == 50 * 2_000 + 20 * 1_000 + 20 * 2_500 + 10 * 4_000 + 10 * 10_000
    above = found.cost(used(input=51, cached=20, cache_write_5m=20, cache_write_1h=10, output=10), "m", ONE, 0)
    assert above.nano == 51 * 5_000 + 20 * 2_500 + 20 * 6_250 + 10 * 10_000 + 10 * 7_000


def test_an_override_without_a_tier_has_none_though_the_built_in_price_has() -> None:
    found = prices(own("m", "1", "1"), m={"input": ["3", [10, "6"]], "output": "5"})
    assert found.cost(used(input=1000), "m", ONE, 0).nano == 1_000_000


def test_a_version_is_another_where_any_price_may_be_and_says_by_which_table() -> None:
    assert NO_PRICES.version == "none"
    assert prices(m=BUILT_IN).version == "t"


def test_of_models_without_end_so_many_are_remembered() -> None:
    found = prices(own("*"))
    for number in range(MOST_KNOWN + 10):
        found.price_of(f"m{number}", 0)
    assert len(found._known) <= MOST_KNOWN


# --- what may be said ---


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "overrides"),
        ([1], "overrides[0]"),
        ([own("m"), own("n", price="1")], "overrides[1].price"),
        ([{"input": "1", "output": "1"}], "overrides[0].model"),
        ([own(" ")], "overrides[0].model"),
        ([own("a\nb")], "overrides[0].model"),
        ([own("x" * 301)], "overrides[0].model"),
        ([{"model": "m", "output": "1"}], "overrides[0].input"),
        ([{"model": "m", "input": "1"}], "overrides[0].output"),
        ([own("m", "-1")], "overrides[0].input"),
        ([{"model": "m", "input": 1.5, "output": "1"}], "overrides[0].input"),
        ([own("m", cached="1.0000000001")], "overrides[0].cached"),
        ([own("m", above_tokens=5)], "overrides[0].input_above"),
        ([own("m", above_tokens=5, input_above="1")], "overrides[0].output_above"),
        ([own("m", input_above="1")], "overrides[0].input_above"),
        ([own("m", above_tokens=0, input_above="1", output_above="1")], "overrides[0].input_above"),
        ([own("m", above_tokens=-1, input_above="1", output_above="1")], "overrides[0].above_tokens"),
        ([own("m", "0", above_tokens=5, input_above="1", output_above="1")], "overrides[0].input"),
        ([own("m", valid_from_ms="1")], "overrides[0].valid_from_ms"),
        ([own("m", valid_from_ms=True)], "overrides[0].valid_from_ms"),
        ([own("m"), own("M")], "overrides[1].model"),
        ([own(str(number)) for number in range(MOST + 1)], "overrides"),
    ],
)
def test_what_cannot_be_a_price_is_refused_by_its_field(said: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_overrides(said)
    assert refused.value.field == field


def test_prices_stand_as_they_were_written() -> None:
    [override] = check_overrides([own(" m ", "1.50", cached=None)])
    assert override.said["input"] == "1.50"
    assert override.said["model"] == "m"
    assert override.said["cached"] is None
    assert override.valid_from_ms == ALWAYS_MS
