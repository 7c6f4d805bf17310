"""The latest requests that failed, as anybody may see them: where, when and how, and the id that finds it in the log.

No path, client, key, name or text of anybody: `/stats` is public. The list is short, so one trouble that comes a
thousand times a second must not push out the others: of each kind only the latest stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.core.request_log.making import label_of
from app.core.request_log.rows import UNKNOWN_CREDENTIALS
from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import believed_ms

MOST: Final = 100
MOST_OF_A_KIND: Final = 10
MAX_ENDPOINT: Final = 300
_OURS: Final = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
"""How codes and request ids of ours look: whatever does not is not told."""


class Problem(NamedTuple):
    """One request."""

    at_ms: int
    """When it ended."""
    endpoint: str
    status: int
    """As the client was told; 200 where the answer broke off later."""
    code: str
    """An error code of ours, else a label of `core.judging.outcome`."""
    request_id: str

    @property
    def kind(self) -> tuple[Any, ...]:
        """Requests with credentials that nobody knows are one kind: anybody can make them, anywhere."""
        return (self.code,) if self.code in UNKNOWN_CREDENTIALS else (self.endpoint, self.status, self.code)


def problems_of(events: Iterable[RequestEvent], now_ms: int) -> list[Problem]:
    """Those among events, in their order. What is no event is left out."""
    found = []
    for event in events:
        try:
            if event.is_error:
                code = next((one for one in (event.error_code, label_of(event)) if _OURS.fullmatch(one)), "")
                request_id = event.request_id if _ID.fullmatch(event.request_id) else ""
                at_ms = int(believed_ms(event.ended_at_ms, now_ms))
                found.append(Problem(at_ms, event.endpoint[:MAX_ENDPOINT], int(event.status), code, request_id))
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
            continue
    return found


def latest(problems: Sequence[Problem]) -> list[Problem]:
    """Those that stay, in their order: the latest MOST, of each kind MOST_OF_A_KIND."""
    kinds: Counter[tuple[Any, ...]] = Counter()
    stay: list[Problem] = []
    in_time = sorted(problems, key=lambda problem: problem.at_ms)  # of one moment the last is the one that came last
    for problem in reversed(in_time):
        kinds[problem.kind] += 1
        if kinds[problem.kind] <= MOST_OF_A_KIND:
            stay.append(problem)
            if len(stay) == MOST:
                break
    return stay[::-1]


def encode(problems: Sequence[Problem]) -> bytes:
    """As JSON, the latest first: what is stored, and what is told."""
    return orjson.dumps([problem._asdict() for problem in reversed(problems)])


def decode(encoded: bytes | None) -> list[Problem]:
    """The reverse of encode(); none where somebody wrote something else."""
    try:
        return [Problem(**{name: one[name] for name in Problem._fields}) for one in orjson.loads(encoded or b"[]")][
            ::-1
        ]
    except (LookupError, TypeError, ValueError):
        return []
