"""The lines of a file of keys."""

from __future__ import annotations

import codecs

import pytest

from app.core.channels.keys import LONGEST
from app.core.channels.keys_file import Line, lines_of, told_lines


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"sk-1\nsk-2", [(1, "sk-1"), (2, "sk-2")]),
        (b"\n# mine\n\r\n  sk-1\t\r\n#sk-2\n", [(4, "sk-1")]),
        (b"sk-1 # of my own\nsk#2\n  # none", [(1, "sk-1"), (2, "sk#2")]),
        (codecs.BOM_UTF8 + b"sk-1\n", [(1, "sk-1")]),
        (b"sk-1\nsk-1\n", [(1, "sk-1"), (2, "sk-1")]),
        (b"sk 1\nsk-2\nsk-3,sk-4\nsk-5;\n", [(1, ""), (2, "sk-2"), (3, ""), (4, "")]),
        ("schlüssel\n\x00sk\n".encode(), [(1, ""), (2, "")]),
        ("sk-1\n".encode("utf-16"), [(1, ""), (2, "")]),
        (b"k" * LONGEST + b"\n" + b"k" * (LONGEST + 1), [(1, "k" * LONGEST), (2, "")]),
        (b"k " * 1_000_000 + b"\nsk-1", [(1, ""), (2, "sk-1")]),
    ],
)
def test_each_line_holds_one_key_or_a_comment(data: bytes, expected: list[tuple[int, str]]) -> None:
    """Whatever an editor or a system puts around it; what can be no key is told by its number."""
    assert list(lines_of(data)) == [Line(*one) for one in expected]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([3], "line 3"),
        ([3, 1200], "lines 3 and 1,200"),
        ([1, 2, 3], "lines 1, 2 and 3"),
        (list(range(1, 13)), "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"),
    ],
)
def test_lines_are_told_by_their_numbers(numbers: list[int], expected: str) -> None:
    """A few of them, and how many more."""
    assert told_lines(numbers) == expected
