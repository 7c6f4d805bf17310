"""A file of keys, one a line, as GPT-Load has it. `#` begins a comment: where a line begins, or behind a blank."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Final, NamedTuple

from app.core.channels.keys import LONGEST

_COMMENT: Final = re.compile(rb"(?:^|\s)#.*")
_KEY: Final = re.compile(rb"[\x21-\x2b\x2d-\x3a\x3c-\x7e]+")
"""Visible ASCII characters. Commas and semicolons stand between keys elsewhere, so a line with one holds several."""
_LONGEST_LINE: Final = 4 * LONGEST
_SHOWN: Final = 10


class Line(NamedTuple):
    """One that holds something."""

    number: int
    """From 1."""
    key: str
    """Empty: what stands there cannot be a key."""


def lines_of(data: bytes) -> Iterator[Line]:
    """The lines of a file that hold something, each when it is asked for."""
    for number, line in enumerate(BytesIO(data.removeprefix(BOM_UTF8)), 1):
        if len(line) > _LONGEST_LINE:
            yield Line(number, "")
            continue
        text = _COMMENT.sub(b"", line, count=1).strip()
        if text:
            is_key = len(text) <= LONGEST and _KEY.fullmatch(text)
            yield Line(number, text.decode() if is_key else "")


def told_lines(numbers: Sequence[int]) -> str:
    """Which lines are meant: `line 3`, or `lines 3, 5 and 1,200 more`."""
    shown = [f"{number:,}" for number in numbers[:_SHOWN]]
    if len(numbers) == 1:
        return f"line {shown[0]}"
    if len(numbers) > _SHOWN:
        return f"lines {', '.join(shown)} and {len(numbers) - _SHOWN:,} more"
    return f"lines {', '.join(shown[:-1])} and {shown[-1]}"
