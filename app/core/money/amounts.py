"""Money as whole nano-dollars (1e-9 USD): read exactly, reckoned exactly, rounded once."""

from __future__ import annotations

import re
from typing import Final

NANO: Final = 1_000_000_000
"""Nano-dollars of a dollar; and the one of a factor, which has as many digits."""

_DECIMAL: Final = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)


def parse_usd(text: object) -> int:
    """Dollars, or a factor, of a decimal text with up to 12 digits before the point and 9 after it.

    Raises ValueError, whose text can follow the name of a field. A number that is no text is refused: a float would
    already be another.
    """
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError("must be a decimal number in a text, such as '2.50'")
    whole, _, part = text.partition(".")
    return int(whole) * NANO + int(part.ljust(9, "0"))


def show_usd(nano: int) -> str:
    """Dollars with 6 to 9 digits after the point."""
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    part = f"{nano % NANO:09}"
    return f"{sign}{nano // NANO}.{part[:6]}{part[6:].rstrip('0')}"


def rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, half up; none of both is negative."""
    return (2 * numerator + denominator) // (2 * denominator)
