"""The request log is read by web processes, from places that were told before."""

from __future__ import annotations

import pytest

from app.core.request_log.rows import LogRow
from app.storage.request_log.kept_row import KeptRow
from app.storage.request_log.reading import is_place


@pytest.mark.parametrize("text", ["", "1", "a" * 30, "٣" * 30, "-" * 30, "1" * 31])
def test_what_was_never_told_is_no_place(text: str) -> None:
    """Only what a page said as its next is one."""
    assert not is_place(text)
    assert is_place(KeptRow(2, LogRow(1, "id", 0)).place)
