"""How numbers stand in our sentences."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """`1 call`, `2 calls`, `0.5 calls`. For nouns whose plural is made with an s."""
    return f"{number:,.16g} {noun}" if number == 1 else f"{number:,.16g} {noun}s"
