"""What may be shown of a key, and which keys a text holds."""

from __future__ import annotations

import pytest

from app.core.channels.keys import InvalidKey, Key, hint_of, keys_in


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


def test_keys_stand_one_a_line_or_between_commas() -> None:
    """Or as a list, also one in a text; doubles stay, so that they can be counted."""
    five = ["sk-1", "sk-2", "sk-1", "sk-3", "sk-4", "sk-5"]
    assert keys_in("sk-1\n sk-2\r\n\nsk-1, sk-3;sk-4\tsk-5", "text") == five
    assert keys_in([" sk-1 ", "sk-2"], "keys") == keys_in('["sk-1", "sk-2"]', "text") == ["sk-1", "sk-2"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (["sk-1", {"key": "sk-secret"}], "keys[1]"),
        (["sk-1", None], "keys[1]"),
        (["two sk-secret"], "keys[0]"),
        ([""], "keys[0]"),
        (["con\x00trol-sk-secret"], "keys[0]"),
        ("sk-1\nsk-secr…cret", "keys"),
        ("sk-secret" * 1000, "keys"),
        ('["sk-secret', "keys"),
        (7, "keys"),
    ],
)
def test_what_cannot_be_a_key_is_refused_and_not_shown(said: object, field: str) -> None:
    """None is passed over in silence; the error names its place."""
    with pytest.raises(InvalidKey) as refused:
        keys_in(said, "keys")
    assert refused.value.field == field
    assert "secr" not in str(refused.value)


@pytest.mark.parametrize("cut", range(5, 18))
def test_a_text_that_was_cut_off_within_the_key_is_masked(cut: int) -> None:
    """No more of it is shown than the hint shows, with and without the sign that a text was cut."""
    key = Key("1", "sk-0123456789abcdef")
    for text in (f"no credit on {key.secret[:cut]}", f"no credit on {key.secret[:cut]}…"):
        assert key.masked(text) == "no credit on sk-0…cdef"
    assert key.masked("no credit on sk-0") == "no credit on sk-0"
