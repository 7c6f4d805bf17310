"""What many rows of the request log have in common: who called what, where it led, and what became of it.

Each combination that occurs is kept once, and rows name it by its id. So rows are small, and whatever is asked for is
looked for among some thousands of combinations instead of among a million rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from app.core.request_log.rows import LogRow

TRAITS: Final = (
    "token_id", "channel_id", "key_id", "mapping", "model", "dialect", "status", "outcome", "stream", "final",
    "token", "client", "reason", "path", "method", "channel", "key_hint", "upstream_model", "unpriced",
    "price_version", "user_agent",
)  # fmt: skip
"""Fields of a row, in the order in which they are kept; first what is asked for most."""
SEARCHED: Final = ("model", "token", "client", "reason", "path")
"""In what `q` is looked for, beside the request's id, which no two calls have in common."""
MAX_SEARCHED: Final = 4_000
"""Longest text of these together."""

Traits = tuple[Any, ...]

traits_of: Final = itemgetter(*(LogRow._fields.index(name) for name in TRAITS))
"""Of a row."""
OWN: Final = (
    "at_ms", "request_id", "attempt", "first_byte_ms", "first_content_ms", "duration_ms", "usage", "cost_nano",
    "request_bytes", "response_bytes", "trace_id",
)  # fmt: skip
"""The other fields that are kept, in this order: what a row shares with no other."""
_own_of = itemgetter(*(LogRow._fields.index(name) for name in OWN))
_REQUEST_ID, _USAGE, _TRACE_ID = (OWN.index(name) for name in ("request_id", "usage", "trace_id"))
_searched_in = itemgetter(*(TRAITS.index(name) for name in SEARCHED))


class Apart(NamedTuple):
    """Rows as they are kept."""

    spans: dict[Traits, list[int]]
    """What they have in common: its id, and when the first and the last of them began."""
    values: list[Any]
    """Of one after another its id, that of its traits, and OWN: its usage as JSON."""


def apart(rows: Iterable[tuple[int, LogRow]], longest_id: int, longest_trace: int) -> Apart:
    """Takes rows with their ids apart. Of ids of requests and traces that are longer, the beginning."""
    spans: dict[Traits, list[int]] = {}
    values: list[Any] = []
    for id, row in rows:
        traits: Traits = traits_of(row)
        own: tuple[Any, ...] = _own_of(row)
        at_ms: int = own[0]
        span = spans.get(traits)
        if span is None:
            span = spans[traits] = [id_of(traits), at_ms, at_ms]
        elif at_ms > span[2]:
            span[2] = at_ms
        elif at_ms < span[1]:
            span[1] = at_ms
        if own[_USAGE] is not None or len(own[_REQUEST_ID]) > longest_id or len(own[_TRACE_ID]) > longest_trace:
            own = _as_kept(own, longest_id, longest_trace)
        values.append(id)
        values.append(span[0])
        values.extend(own)
    return Apart(spans, values)


def _as_kept(own: tuple[Any, ...], longest_id: int, longest_trace: int) -> tuple[Any, ...]:
    found = list(own)
    found[_REQUEST_ID], found[_TRACE_ID] = own[_REQUEST_ID][:longest_id], own[_TRACE_ID][:longest_trace]
    if own[_USAGE] is not None:
        found[_USAGE] = orjson.dumps(own[_USAGE]).decode()
    return tuple(found)


def id_of(traits: Traits) -> int:
    """63 bits of a hash, the same whoever asks: of a million combinations two have one id in 1 of 20 million logs."""
    return int.from_bytes(blake2b(orjson.dumps(traits), digest_size=8).digest(), "big") >> 1


def searched_text(traits: Traits) -> str:
    """Where `q` is looked for: folded, as `q` is. No text reaches from one field into the next."""
    return "\n".join(_searched_in(traits)).casefold()[:MAX_SEARCHED]
