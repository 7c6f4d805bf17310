"""How much a call may cost at most, as far as that can be told before it is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from app.core.money.amounts import NANO
from app.core.money.cost import Graded, Price

BYTES_A_TOKEN: Final = 3
"""Of a request's body, which is more than text: most texts have four and more."""


class Weight(NamedTuple):
    """What of a request says how much it may cost."""

    text_bytes: int
    """Of its body, without the data of its images."""
    image_tokens: int = 0
    output_tokens: int | None = None
    """The most that one answer to it may have; None where it sets no limit."""
    answers: int = 1
    """How many it asks for."""
    asks_hour_cache: bool = False
    """It may ask to keep its prompt for an hour, which costs more than reading it."""
    service_tier: str = ""
    """As it asks for it."""

    @property
    def input_tokens(self) -> int:
        """With a quarter more than its length tells, as no count is exact."""
        return -(-5 * (-(-self.text_bytes // BYTES_A_TOKEN) + self.image_tokens) // 4)


class Offer(NamedTuple):
    """By what one who may serve a call charges."""

    price: Price
    multiplier_nano: int
    """What the price is multiplied by; NANO for once."""


def most_nano(weight: Weight, offers: Iterable[Offer], default_output_tokens: int) -> int:
    """In nano-dollars, by the dearest of those who may serve it, at the tier that its input reaches; rounded up."""
    output_tokens = default_output_tokens if weight.output_tokens is None else weight.output_tokens
    output_tokens *= weight.answers
    most = 0
    for offer in offers:
        price = offer.price
        numerator = _at(price.graded, weight, output_tokens)
        if weight.service_tier:
            tier = price.graded_for(weight.service_tier)
            numerator = max(numerator, _at(tier, weight, output_tokens)) if tier is not None else numerator
        most = max(most, -(-numerator * offer.multiplier_nano // (price.per * NANO)))
    return most


def _at(graded: Graded, weight: Weight, output_tokens: int) -> int:
    """Times the price's `per`."""
    input_tokens = weight.input_tokens
    rates = graded.of(input_tokens)
    input_rate = max(rates.input, rates.cache_write_1h) if weight.asks_hour_cache else rates.input
    return input_tokens * input_rate + output_tokens * max(rates.output, rates.reasoning) + rates.request
