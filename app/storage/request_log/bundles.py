"""Bundles: what was booked together, on its way into the request log.

A bundle is a JSON list: the first of the ids of its rows, how many ids these are, when it was booked, and the envelopes
as web processes sent them. Its rows are made where it is opened, so that whoever books hands on what came as it came.
Each attempt has its id whether a row can be made of it or not: whoever opens a bundle again finds the same rows with
the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import orjson

from app.core.request_log.making import rows_of
from app.core.request_log.rows import LogRow
from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import believed_ms
from app.storage.request_log.kept_row import KeptRow
from app.storage.statistics.envelopes import envelope_of

FULL_ROWS: Final = 1_000
"""The envelope that brings a bundle to so many is its last."""

LARGEST: Final = 1 << 62, 1 << 24, 1 << 62
"""The first id, how many there are, and the time of a bundle of ours are below; 64 bits hold what they add up to."""


def ids_of(events: Iterable[RequestEvent]) -> int:
    """How many ids their rows need."""
    return sum(map(ids_of_one, events))


def ids_of_one(event: RequestEvent) -> int:
    """One for each attempt, and one for a call of which none was made."""
    api = event.api
    return 1 if api is None else 1 + len(api.failed)


def rows_at(event: RequestEvent, now_ms: int) -> list[LogRow]:
    """The rows of a call that is booked now; none of what is no event of ours."""
    try:
        return rows_of(event, believed_ms(event.ended_at_ms, now_ms))
    # As VALUE_FAULTS has it: compiled code takes no name for several exceptions.
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        return []


class Bundling:
    """Makes bundles of envelopes."""

    def __init__(self, first_id: int, now_ms: int) -> None:
        self.next_id = first_id
        self._now_ms = now_ms
        self._bundles: list[bytes] = []
        self._first_id = first_id
        self._envelopes: list[bytes] = []

    def add(self, packed: bytes, ids: int) -> None:
        """An envelope, and how many ids its rows need."""
        if ids:
            self._envelopes.append(packed)
            self.next_id += ids
            if self.next_id - self._first_id >= FULL_ROWS:
                self._close()

    def end(self) -> list[bytes]:
        """All bundles."""
        self._close()
        return self._bundles

    def _close(self) -> None:
        if self._envelopes:
            head = self._first_id, self.next_id - self._first_id, self._now_ms
            self._bundles.append(b"[%d,%d,%d,[%b]]" % (*head, b",".join(self._envelopes)))
            self._first_id, self._envelopes = self.next_id, []


class Opened(NamedTuple):
    """What stands in a bundle."""

    rows: list[KeptRow]
    ids: int
    """So many were set aside for them."""
    lost: int
    """Of so many entries and rows nothing can be made that a database takes."""


def opened(bundle: bytes) -> Opened:
    """Its rows. What is no bundle has none; what we do not know yet is left out."""
    try:
        first_id, count, now_ms, envelopes = orjson.loads(bundle)[:4]
        numbers = zip((first_id, count, now_ms), LARGEST, strict=True)
        if not (all(type(one) is int and 0 <= one < most for one, most in numbers) and type(envelopes) is list):
            raise TypeError
    except (LookupError, TypeError, ValueError):
        return Opened([], 0, 1)
    rows: list[KeptRow] = []
    lost = _open(rows, first_id, now_ms, envelopes)
    return Opened(rows, count, lost)


class Parts:
    """The rows of bundles, each opened when it is asked for; `ids` and `lost` are of those that were."""

    def __init__(self, bundles: Sequence[bytes]) -> None:
        self.ids = 0
        self.lost = 0
        self._bundles = bundles

    def __iter__(self) -> Iterator[list[KeptRow]]:
        self.ids = self.lost = 0
        for bundle in self._bundles:
            rows, ids, lost = opened(bundle)
            self.ids += ids
            self.lost += lost
            yield rows


def _open(rows: list[KeptRow], first_id: int, now_ms: int, envelopes: list[Any]) -> int:
    """Adds the rows of a bundle. Returns how many no database would take."""
    lost = 0
    id = first_id
    for values in envelopes:
        envelope = envelope_of(values)
        for event in [] if envelope is None else envelope.events:
            ids = ids_of_one(event)
            lost += ids
            for place, row in enumerate(rows_at(event, now_ms)):
                # Of a call to a mapping the event alone decides of what kinds the values of its row are.
                if _fits(event if event.api is None else row, row):
                    rows.append(tuple.__new__(KeptRow, (id + place, row)))
                    lost -= 1
            id += ids
    return lost


def _kinds(hint: Any) -> frozenset[type]:
    """Of values that may stand in a field with this annotation."""
    kinds = {get_origin(one) or one for one in (get_args(hint) if isinstance(hint, UnionType) else (hint,))}
    return frozenset(kinds | {int} if float in kinds else kinds)


_ALLOWED: Final = tuple(map(_kinds, get_type_hints(LogRow).values()))
"""Nothing else may come to a database: it would refuse whole batches."""
_fitting: Final[set[tuple[Any, ...]]] = set()
"""Kinds of the values that were looked at; there are few."""
MOST_FITTING: Final = 1_000


def _fits(values: tuple[Any, ...], row: LogRow) -> bool:
    """`values`: of whose kinds those of the row follow."""
    kinds = tuple(map(type, values))
    if kinds in _fitting:
        return True
    if not all(type(value) in allowed for value, allowed in zip(row, _ALLOWED, strict=True)):
        return False
    if len(_fitting) < MOST_FITTING:
        _fitting.add(kinds)
    return True
