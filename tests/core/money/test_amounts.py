"""Money is read and shown exactly, and rounded half up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money.amounts import parse_usd, rounded, show_usd


@pytest.mark.parametrize(
    ("text", "nano"),
    [("0", 0), ("1", 10**9), ("2.50", 2_500_000_000), ("0.000000001", 1), ("999999999999.999999999", 10**21 - 1)],
)
def test_dollars_are_read_to_the_nano_dollar(text: str, nano: int) -> None:
    assert parse_usd(text) == nano


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", ".5", "1.", "1,5", " 1", "1.0000000001", "1" * 13, "NaN", "١", 1, 1.5, None, True]
)
def test_what_is_no_plain_decimal_text_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="decimal number"):
        parse_usd(text)


@given(st.integers(0, 10**21 - 1))
def test_what_is_shown_is_the_same_dollars_with_six_to_nine_digits(nano: int) -> None:
    text = show_usd(nano)
    assert Decimal(text) == Decimal(nano).scaleb(-9)
    assert 6 <= len(text.partition(".")[2]) <= 9
    assert parse_usd(text) == nano


def test_what_is_owed_is_shown_with_its_sign() -> None:
    assert show_usd(-1_500_000) == "-0.001500"


@pytest.mark.parametrize(
    ("numerator", "denominator", "whole"),
    [(0, 7, 0), (1, 2, 1), (3, 2, 2), (5, 2, 3), (49, 100, 0), (10**30 + 1, 2, 5 * 10**29 + 1)],
)
def test_halves_go_up(numerator: int, denominator: int, whole: int) -> None:
    assert rounded(numerator, denominator) == whole
