"""Counts as bytes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.statistics.sums.vectors import BINS, MINUTES, Packing

COUNTS = st.dictionaries(st.integers(0, BINS.numbers - 1), st.integers(1, 1 << 35), max_size=20)
PACKINGS = pytest.mark.parametrize("packing", [BINS, MINUTES])


@PACKINGS
@given(st.lists(COUNTS, max_size=5))
def test_vectors_add_up_one_after_the_other(packing: Packing, parts: list[dict[int, int]]) -> None:
    """However large a count is, and whether they come together or as the bytes of one."""
    wanted: Counter[int] = Counter()
    for part in parts:
        wanted.update(part)
    vectors = [packing.packed(part) for part in parts]
    for given_vectors in (vectors, [b"".join(vectors)]):
        found: dict[int, int] = {}
        packing.add(found, given_vectors)
        assert found == wanted


@PACKINGS
def test_bytes_that_are_no_pair_count_nothing(packing: Packing) -> None:
    assert packing.added({1: 2}, packing.packed({1: 3}) + b"x") == {1: 5}
    assert packing.added({}, b"xyz") == {}
