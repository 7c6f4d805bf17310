"""What may be shown of a key, and which keys a text holds."""

from __future__ import annotations

import pytest

from app.core.keys import Key, hint_of, split_keys


@pytest.mark.parametrize(
    ("secret", "hint"),
    [
        ("sk-abcdefghijklmnop", "sk-a…mnop"),
        ("123456789012", "1234…9012"),
        ("12345678901", "…01"),
        ("abc", "…bc"),
    ],
)
def test_a_hint_shows_the_ends_and_of_a_short_key_the_last_two_characters(secret: str, hint: str) -> None:
    assert hint_of(secret) == hint


def test_a_key_shows_its_text_in_no_representation() -> None:
    key = Key("7", "sk-abcdefghijklmnop")
    assert "defgh" not in f"{key!r} {key}"
    assert not hasattr(key, "__dict__")


def test_keys_stand_one_a_line_or_between_commas_and_each_counts_once() -> None:
    assert split_keys("sk-1\n sk-2\r\n\nsk-1, sk-3;sk-4\tsk-5") == ["sk-1", "sk-2", "sk-3", "sk-4", "sk-5"]


def test_in_a_list_what_cannot_be_a_key_is_passed_over() -> None:
    said = [" sk-1 ", {"key": "sk-9"}, None, 7, "", "two words", "con\x00trol", "sk-1", "sk-2"]
    assert split_keys(said) == ["sk-1", "sk-2"]
