"""What usage costs is exact over all its parts, and rounded once: each rule beside arithmetic of decimals by hand."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money.amounts import parse_usd
from app.core.money.cost import cost_nano
from app.core.money.overrides import Overrides, check_overrides
from app.core.money.prices import Prices
from app.core.money.table import PriceTable, written
from app.core.usage import ABSENT, Usage
from tests.support.prices import prices, used

ONE = parse_usd("1")
EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
CLAUDE = {
    "input": ["3", [200_000, "6"]],
    "cached": ["0.3", [200_000, "0.6"]],
    "cache_write_5m": ["3.75", [200_000, "7.5"]],
    "cache_write_1h": ["6", [200_000, "12"]],
    "output": ["15", [200_000, "22.5"]],
    "web_search": "10",
}


def by_hand(*parts: tuple[int, str], per: int = 1_000_000, times: str = "1") -> int:
    """So many of each at so many dollars a million, in nano-dollars."""
    dollars = sum((EXACT.multiply(count, Decimal(usd)) for count, usd in parts), Decimal(0))
    exact = EXACT.divide(EXACT.multiply(dollars, Decimal(times)), Decimal(per))
    return int(exact.scaleb(9, EXACT).quantize(Decimal(1), context=EXACT))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (used(input=1000, output=100), by_hand((1000, "3"), (100, "15"))),
        (used(input=10, cached=90_000, output=7), by_hand((10, "3"), (90_000, "0.3"), (7, "15"))),
        (
            used(input=3, cached=5, cache_write_5m=7, cache_write_1h=11, output=13, reasoning=17),
            by_hand((3, "3"), (5, "0.3"), (7, "3.75"), (11, "6"), (13, "15"), (17, "15")),
        ),
        (used(), 0),
    ],
)
def test_each_part_of_usage_is_paid_at_its_own_price(usage: Usage, expected: int) -> None:
    assert prices(claude=CLAUDE).cost(usage, "claude", ONE, 0).nano == expected


def test_above_a_tier_all_tokens_of_the_call_are_at_the_higher_prices_and_at_it_none() -> None:
    at = used(input=100_000, cached=60_000, cache_write_5m=30_000, cache_write_1h=10_000, output=50, reasoning=5)
    above = at._replace(cached=60_001)
    low = by_hand((100_000, "3"), (60_000, "0.3"), (30_000, "3.75"), (10_000, "6"), (55, "15"))
    high = by_hand((100_000, "6"), (60_001, "0.6"), (30_000, "7.5"), (10_000, "12"), (55, "22.5"))
    found = prices(claude=CLAUDE)
    assert found.cost(at, "claude", ONE, 0).nano == low
    assert found.cost(above, "claude", ONE, 0).nano == high


def test_output_counts_for_no_tier() -> None:
    assert prices(claude=CLAUDE).cost(used(input=1, output=300_000), "claude", ONE, 0).nano == by_hand(
        (1, "3"), (300_000, "15")
    )


@pytest.mark.parametrize("times", ["0.5", "1.1", "0.000000001", "3", "0", "0.333333333"])
def test_the_multiplier_is_a_factor_of_the_whole_and_rounded_with_it(times: str) -> None:
    usage = used(input=333, cached=1, output=7)
    expected = by_hand((333, "3"), (1, "0.3"), (7, "15"), times=times)
    assert prices(claude=CLAUDE).cost(usage, "claude", parse_usd(times), 0).nano == expected


def test_half_a_nano_dollar_goes_up_and_less_goes_down_once_for_the_whole_call() -> None:
    found = prices(m={"input": "0.0005", "output": "0.0002"})  # 0.5 and 0.2 nano-dollars a token
    assert [found.cost(used(input=count), "m", ONE, 0).nano for count in (1, 2, 3)] == [1, 1, 2]
    assert found.cost(used(input=1, output=1), "m", ONE, 0).nano == 1  # 0.7; rounded apart it would be 1 + 0
    assert found.cost(used(output=2), "m", ONE, 0).nano == 0
    assert found.cost(used(input=1, output=4), "m", ONE, 0).nano == 1  # 1.3


@given(
    st.tuples(*[st.integers(0, 10**9)] * 6),
    st.tuples(*[st.integers(0, 10**12)] * 5),
    st.integers(0, 10**11),
)
def test_any_usage_at_any_prices_costs_what_fractions_say(
    counts: tuple[int, ...], dollars: tuple[int, ...], times: int
) -> None:
    usd = [f"{nano // 10**9}.{nano % 10**9:09}" for nano in dollars]
    names = ("input", "cached", "cache_write_5m", "cache_write_1h", "output")
    found = prices(m=dict(zip(names, usd, strict=True)))
    usage = used(**dict(zip((*names, "reasoning"), counts, strict=True)))
    exact = sum(
        (Fraction(nano) * count for nano, count in zip((*dollars, dollars[4]), counts, strict=True)), Fraction(0)
    )
    exact *= Fraction(times, 10**9 * 1_000_000)
    assert found.cost(usage, "m", times, 0).nano == (exact + Fraction(1, 2)).__floor__()


# --- what six counts cannot hold ---

MIXED = {
    "input": "4", "output": "16", "audio_input": "32", "audio_output": "64", "image_input": "5", "image_output": "40",
    "web_search": "10", "second": "0.36",
}  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (used(input=100, output=20, audio_input=30), by_hand((70, "4"), (30, "32"), (20, "16"))),
        (used(input=100, output=20, audio_output=20), by_hand((100, "4"), (20, "64"))),
        (used(input=100, image_input=60, audio_input=40), by_hand((60, "5"), (40, "32"))),
        (used(input=9, output=50, image_output=50), by_hand((9, "4"), (50, "40"))),
        (used(input=10, audio_input=50), by_hand((10, "32"))),  # the rest of the sound was cached
        (used(input=10, web_search_requests=3), by_hand((10, "4")) + by_hand((3, "10"), per=1000)),
        (used(input=0, seconds=90), by_hand((90, "0.36"), per=3600)),
        (used(input=0, seconds=12.3), by_hand((123, "0.036"), per=3600)),
        (used(input=10, provider_cost_usd=0.5), by_hand((10, "4"))),
        (used(input=10, web_search_requests=0), by_hand((10, "4"))),
    ],
)
def test_sound_images_searches_and_seconds_are_paid_as_the_table_prices_them(usage: Usage, expected: int) -> None:
    cost = prices(m=MIXED).cost(usage, "m", ONE, 0)
    assert (cost.nano, cost.unpriced) == (expected, False)


@pytest.mark.parametrize("part", ["audio_input", "audio_output", "image_output", "web_search_requests", "seconds"])
def test_a_part_without_a_price_makes_the_call_unpriced_and_none_of_it_does_not(part: str) -> None:
    found = prices(m={"input": "4", "output": "16"})
    assert found.cost(used(input=10, output=10, **{part: 1}), "m", ONE, 0) == (None, True, found.version)
    assert found.cost(used(input=10, output=10, **{part: 0}), "m", ONE, 0).nano == by_hand((10, "4"), (10, "16"))


def test_tokens_of_images_that_go_in_are_input_where_nobody_prices_them_otherwise() -> None:
    cost = prices(m={"input": "4", "output": "16"}).cost(used(input=10, image_input=8), "m", ONE, 0)
    assert cost.nano == by_hand((10, "4"))


def test_a_fee_for_each_call_is_paid_once() -> None:
    found = prices(m={"input": "1", "output": "1", "request": "12"})
    assert found.cost(used(input=5, output=5), "m", ONE, 0).nano == by_hand((10, "1")) + by_hand((1, "12"), per=1000)


# --- service tiers ---

TIERS: dict[str, Any] = {
    "prices": [{"input": "2", "cached": "0.5", "output": "8"}],
    "tiers": {
        "flex": [{"input": "1", "cached": "0.25", "output": "4"}],
        "priority": [{"input": "3.5", "output": "14"}],
    },
}


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ("default", by_hand((10, "2"), (20, "0.5"), (30, "8"))),
        ("standard", by_hand((10, "2"), (20, "0.5"), (30, "8"))),
        ("flex", by_hand((10, "1"), (20, "0.25"), (30, "4"))),
        ("Flex", by_hand((10, "1"), (20, "0.25"), (30, "4"))),
        ("priority", by_hand((10, "3.5"), (20, "0.5"), (30, "14"))),  # what it does not name is as usual
        ("scale", None),
    ],
)
def test_a_service_tier_has_its_own_prices_and_one_without_makes_the_call_unpriced(
    tier: str, expected: int | None
) -> None:
    found = Prices(PriceTable("t", written({"m": TIERS}, {})), Overrides())
    usage = used(input=10, cached=20, output=30, service_tier=tier)
    assert found.cost(usage, "m", ONE, 0) == (expected, expected is None, "t")


def test_an_override_keeps_a_tiers_factor_for_each_part() -> None:
    own = Overrides(check_overrides([{"model": "m", "input": "1", "output": "10"}]))
    found = Prices(PriceTable("t", written({"m": TIERS}, {})), own)
    usage = used(input=10, cached=20, output=30, service_tier="flex")
    assert found.cost(usage, "m", ONE, 0).nano == by_hand((10, "0.5"), (20, "0.125"), (30, "5"))


# --- null ---


def test_absent_usage_has_no_cost_and_is_not_unpriced() -> None:
    found = prices(claude=CLAUDE)
    assert found.cost(ABSENT, "claude", ONE, 0) == (None, False, found.version)


def test_a_model_without_a_price_is_unpriced() -> None:
    found = prices(claude=CLAUDE)
    assert found.cost(used(input=1), "other", ONE, 0) == (None, True, found.version)
    assert found.cost(ABSENT, "other", ONE, 0) == (None, True, found.version)


def test_a_call_that_names_no_model_is_none_of_an_unpriced_one() -> None:
    assert prices(claude=CLAUDE).cost(ABSENT, "", ONE, 0) == (None, False, "t")


def test_estimated_usage_is_paid_like_reported() -> None:
    usage = used(input=10, output=5)._replace(source="estimated")
    assert prices(claude=CLAUDE).cost(usage, "claude", ONE, 0).nano == by_hand((10, "3"), (5, "15"))


def test_reasoning_that_is_not_told_is_not_counted_twice() -> None:
    price = prices(claude=CLAUDE).price_of("claude", 0)
    assert price is not None
    assert cost_nano(price, used(input=0, output=9, reasoning=None), ONE) == by_hand((9, "15"))
