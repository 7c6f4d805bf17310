"""What a `<` begins, as the HTML standard's tokenizer (13.2.5.6 and 13.2.5.42) decides it."""

from __future__ import annotations

from typing import Final

UNTOLD: Final = 0
"""More must come before it can be told."""
TEXT: Final = 1
"""The sign alone."""
TAG: Final = 2
COMMENT: Final = 3
BOGUS_COMMENT: Final = 4
"""What is passed over up to the next `>`, a doctype among it."""
CDATA: Final = 5


def beginning(data: bytes, at: int, *, has_cdata: bool) -> tuple[int, int]:
    """What the `<` at `at` begins, and where its content does: there itself for a tag, and for what is untold."""
    second = data[at + 1 : at + 2]
    third = data[at + 2 : at + 3]
    if not second or (second == b"/" and not third):
        return UNTOLD, at
    if second.isalpha() or (second == b"/" and third.isalpha()):
        return TAG, at
    if second == b"!":
        return _declaration(data, at, has_cdata)
    if second == b"?" or (second == b"/" and third != b">"):
        return BOGUS_COMMENT, at + 2
    return TEXT, at + 1


def _declaration(data: bytes, at: int, has_cdata: bool) -> tuple[int, int]:
    begun = data[at : at + 9]
    if begun.startswith(b"<!--"):
        return COMMENT, at + 4
    if has_cdata and begun == b"<![CDATA[":
        return CDATA, at + 9
    if b"<!--".startswith(begun) or (has_cdata and b"<![CDATA[".startswith(begun)):
        return UNTOLD, at
    return BOGUS_COMMENT, at + 2
