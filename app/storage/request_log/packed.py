"""How Redis keeps a row of the request log: `at_ms id` in digits of a fixed width, then the row as a JSON list.

So the members of one sorted set stand in the order in which rows are listed, by time and then by id, and a place among
them that was told before is found again whatever came or went meanwhile.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

from app.core.request_log.rows import LogRow

TIME_DIGITS: Final = 13
ID_DIGITS: Final = 17
MARK_BYTES: Final = TIME_DIGITS + ID_DIGITS
LATEST_MS: Final = 10**TIME_DIGITS - 1

_FIELDS: Final = len(LogRow._fields)


class KeptRow(NamedTuple):
    """A row, and the id by which it is told from all others."""

    id: int
    row: LogRow

    @property
    def place(self) -> str:
        """Where it stands, for whoever asks for what follows: digits."""
        return mark(self.row.at_ms, self.id).decode()


def mark(at_ms: int, id: int) -> bytes:
    """How its member begins, which no other's does."""
    return b"%013d%017d" % (min(max(at_ms, 0), LATEST_MS), id)


def packed(row: LogRow, id: int) -> bytes:
    """Raises TypeError for what JSON cannot express."""
    return mark(row.at_ms, id) + orjson.dumps(tuple(row))


def unpacked(member: bytes) -> KeptRow | None:
    """The reverse; None for bytes that are no row. Fields that we do not know yet are left out, lacking ones empty."""
    try:
        id = int(member[TIME_DIGITS:MARK_BYTES])
        values = orjson.loads(member[MARK_BYTES:])
        return KeptRow(id, LogRow(*values[:_FIELDS])) if isinstance(values, list) else None
    except (TypeError, ValueError):
        return None
