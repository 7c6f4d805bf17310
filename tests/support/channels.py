"""What an operator says of a channel."""

from __future__ import annotations

from typing import Any


def said_of_channel(name: str, **said: Any) -> dict[str, Any]:
    """The least that a channel needs, and what is said besides."""
    least = {
        "name": name,
        "dialects": ["openai"],
        "urls": [{"url": "https://one.example"}],
        "models": [{"name": "m"}],
    }
    return least | said
