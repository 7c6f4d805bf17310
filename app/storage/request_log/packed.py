"""A row of the request log with its id, and its place: `at_ms id` in digits of a fixed width.

Rows are listed by time and then by id, so a place that was told before is found again whatever came or went meanwhile.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from app.core.request_log.rows import LogRow

TIME_DIGITS: Final = 13
ID_DIGITS: Final = 17
MARK_BYTES: Final = TIME_DIGITS + ID_DIGITS
LATEST_MS: Final = 10**TIME_DIGITS - 1


class KeptRow(NamedTuple):
    """A row, and the id by which it is told from all others."""

    id: int
    row: LogRow

    @property
    def place(self) -> str:
        """Where it stands, for whoever asks for what follows: digits."""
        return mark(self.row.at_ms, self.id).decode()


def mark(at_ms: int, id: int) -> bytes:
    """The place of a row, which no other has."""
    return b"%013d%017d" % (min(max(at_ms, 0), LATEST_MS), id)
