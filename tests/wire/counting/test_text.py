"""Estimates of how many tokens texts have."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.counting.text import CLAUDE_2, STEP_CHARS, estimate_text_tokens, text_tokens
from tests.support.counted_texts import ENGLISH, TEXTS, Counted

TOLERANCE = 0.12
"""Of what the tokenizers say; docs/counting.md has the error of each."""


def for_claude(text: str) -> float:
    return sum(text_tokens(text, CLAUDE_2))


@pytest.mark.parametrize("counted", TEXTS, ids=lambda counted: counted.kind)
def test_each_kind_of_text_is_near_what_tokenizers_say(counted: Counted) -> None:
    """Of a hundred tokens and more; the counts are frozen from tokenizers that OpenAI and Anthropic have published."""
    assert abs(estimate_text_tokens(counted.text) / counted.o200k - 1) <= TOLERANCE
    assert abs(for_claude(counted.text) / counted.claude_2 - 1) <= TOLERANCE


def test_kinds_together_are_nearer() -> None:
    """Errors go both ways: what is mixed in one request comes out within a few parts in a hundred."""
    texts = [counted.text for counted in TEXTS]
    assert abs(sum(map(estimate_text_tokens, texts)) / sum(counted.o200k for counted in TEXTS) - 1) <= 0.02
    assert abs(sum(map(for_claude, texts)) / sum(counted.claude_2 for counted in TEXTS) - 1) <= 0.02


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("Hello, Claude", 3), ("You are a scientist", 4), ("2026", 2), ("\n\n\n", 1)],
)
def test_short_texts_are_counted_as_they_are_cut(text: str, tokens: int) -> None:
    """Few words are no reason for a large error."""
    assert estimate_text_tokens(text) == tokens


@pytest.mark.parametrize("counted", TEXTS, ids=lambda counted: counted.kind)
def test_a_long_text_is_as_long_as_its_parts(counted: Counted) -> None:
    """It is counted in steps, none longer than STEP_CHARS, and hardly any token is lost or won at their edges."""
    times = 3 * STEP_CHARS // len(counted.text) + 1
    steps = list(text_tokens(counted.text * times))
    assert len(steps) == -(-len(counted.text) * times // STEP_CHARS)
    assert sum(steps) == pytest.approx(times * sum(text_tokens(counted.text)), rel=0.06)


@given(st.text(max_size=300))
def test_a_text_and_its_bytes_have_the_same_tokens(text: str) -> None:
    """Whatever characters it holds."""
    assert estimate_text_tokens(text) == estimate_text_tokens(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=300))
def test_bytes_that_are_no_text_have_a_number_all_the_same(data: bytes) -> None:
    """At least one token, and at most some for each byte."""
    assert bool(data.translate(None, bytes(range(0x80, 0xC0)))) <= (estimate_text_tokens(data) > 0)
    assert estimate_text_tokens(data) <= 2 * len(data)


def test_an_english_word_more_is_no_token_less() -> None:
    """What a caller adds is never free."""
    words = ENGLISH.split()
    counts = [estimate_text_tokens(" ".join(words[:number])) for number in range(len(words) + 1)]
    assert all(after >= before - 1 for before, after in pairwise(counts))
    assert counts[-1] > counts[len(counts) // 2] > counts[1]
