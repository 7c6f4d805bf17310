"""How numbers stand in our sentences."""

from __future__ import annotations

import pytest

from app.core.wording import counted


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 calls"),
        (1, "1 call"),
        (1.0, "1 call"),
        (2, "2 calls"),
        (0.5, "0.5 calls"),
        (2**40, "1,099,511,627,776 calls"),
    ],
)
def test_one_is_one_and_all_else_is_many(number: float, said: str) -> None:
    """The noun stands in the singular beside 1 alone, and numbers are written out."""
    assert counted(number, "call") == said
