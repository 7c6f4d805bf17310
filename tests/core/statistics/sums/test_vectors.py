"""Counts as bytes."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.core.statistics.sums.vectors import NUMBERS, add, added, packed

COUNTS = st.dictionaries(st.integers(0, NUMBERS - 1), st.integers(1, 1 << 40), max_size=20)


@given(st.lists(COUNTS, max_size=5))
def test_vectors_add_up_one_after_the_other(parts: list[dict[int, int]]) -> None:
    """However large a count is, and whether they come together or as the bytes of one."""
    wanted: Counter[int] = Counter()
    for part in parts:
        wanted.update(part)
    vectors = [packed(part) for part in parts]
    for given_vectors in (vectors, [b"".join(vectors)]):
        found: dict[int, int] = {}
        add(found, given_vectors)
        assert found == wanted


def test_bytes_that_are_no_pair_count_nothing() -> None:
    assert added({1: 2}, packed({1: 3}) + b"x") == {1: 5}
    assert added({}, b"xyz") == {}
