"""Names as operators write them with stars."""

from __future__ import annotations

from collections.abc import Sequence


def fits(texts: Sequence[str], name: str) -> bool:
    """Whether the texts between a pattern's stars stand in a name in their order, the first and last at its ends.

    Each star stands for anything, or nothing; a pattern has at least one. Takes linear time.
    """
    first, *middle, last = texts
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for text in middle:
        at = name.find(text, at, end)
        if at < 0:
            return False
        at += len(text)
    return True
