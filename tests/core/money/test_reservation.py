"""What a call may cost at most, by the formula of the contract: never too little for what it says of itself."""

from __future__ import annotations

import pytest

from app.core.money.amounts import NANO
from app.core.money.cost import Graded, Price, Rates
from app.core.money.reservation import Offer, Weight, most_nano

PER = 1000
NAMES = ("input", "cached", "cache_write_5m", "cache_write_1h", "output", "reasoning")


def rates(input: int, output: int, **others: int) -> Rates:
    """In nano-dollars a thousand tokens."""
    usual = {name: output if name in ("output", "reasoning") else input for name in NAMES}
    return Rates(usual | {"cache_write_1h": 2 * input} | others)


def offer(multiplier_nano: int = NANO) -> Offer:
    base, above = rates(3000, 15_000), rates(6000, 22_500)
    flex, fast = Graded(rates(1500, 7500), []), Graded(rates(6000, 30_000), [])
    price = Price(Graded(base, [(200, above)]), {"flex": flex, "priority": fast}, PER, 0, 1 << 60)
    return Offer(price, multiplier_nano)


@pytest.mark.parametrize(
    ("weight", "input_tokens", "nano"),
    [
        (Weight(300, 0, 10), 125, 125 * 3 + 10 * 15),
        (Weight(301, 0, 0), 127, 127 * 3),  # 301 / 3 = 101 tokens, and a quarter more
        (Weight(0, 40, 0), 50, 50 * 3),
        (Weight(300, 0, 10, answers=4), 125, 125 * 3 + 40 * 15),
        (Weight(300), 125, 125 * 3 + 8192 * 15),
        (Weight(300, answers=2), 125, 125 * 3 + 2 * 8192 * 15),
        (Weight(300, 0, 10, asks_hour_cache=True), 125, 125 * 6 + 10 * 15),
        (Weight(480, 0, 10), 200, 200 * 3 + 10 * 15),
        (Weight(483, 0, 10), 202, 202 * 6 + 225),  # the dearer tier, for all of it
        (Weight(300, 0, 10, service_tier="priority"), 125, 125 * 6 + 10 * 30),
        (Weight(300, 0, 10, service_tier="flex"), 125, 125 * 3 + 10 * 15),  # it may fall back to the usual one
        (Weight(300, 0, 10, service_tier="unheard-of"), 125, 125 * 3 + 10 * 15),
    ],
)
def test_the_most_that_a_call_may_cost(weight: Weight, input_tokens: int, nano: int) -> None:
    """A third of its bytes and its images, a quarter more, and all the output that it allows."""
    assert weight.input_tokens == input_tokens
    assert most_nano(weight, [offer()], 8192) == nano


def test_the_dearest_who_may_serve_it_counts() -> None:
    """By the multiplier of each."""
    weight = Weight(300, 0, 10)
    assert most_nano(weight, [offer(), offer(2 * NANO), offer(NANO // 2)], 1) == 2 * (125 * 3 + 150)
    assert most_nano(weight, [], 1) == 0


def test_it_is_rounded_up() -> None:
    """A part of a nano-dollar is one."""
    cheap = Offer(Price(Graded(rates(1, 1), []), {}, PER, 0, 1 << 60), NANO)
    assert most_nano(Weight(1, 0, 0), [cheap], 1) == 1


def test_reasoning_that_costs_more_than_output_counts() -> None:
    """As all that is put out may be that."""
    dear = Offer(Price(Graded(rates(0, 10_000, reasoning=20_000), []), {}, PER, 0, 1 << 60), NANO)
    assert most_nano(Weight(0, 0, 10), [dear], 1) == 200
