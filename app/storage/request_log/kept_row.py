"""A row of the request log with its id, and its place: `at_ms id` in digits of a fixed width.

Rows are listed by time and then by id, so a place that was told before is found again whatever came or went meanwhile.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from app.core.request_log.rows import LogRow

TIME_DIGITS: Final = 13
ID_DIGITS: Final = 17
PLACE_DIGITS: Final = TIME_DIGITS + ID_DIGITS
LATEST_MS: Final = 10**TIME_DIGITS - 1


class KeptRow(NamedTuple):
    """A row, and the id by which it is told from all others."""

    id: int
    row: LogRow

    @property
    def place(self) -> str:
        """Where it stands, for whoever asks for what follows: digits, and no other row's."""
        return f"{min(max(self.row.at_ms, 0), LATEST_MS):0{TIME_DIGITS}}{self.id:0{ID_DIGITS}}"
