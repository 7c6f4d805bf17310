"""What many rows of the request log have in common: who called what, where it led, and what became of it.

Each combination that occurs is kept once, and rows name it by its id. So rows are small, and whatever is asked for is
looked for among some thousands of combinations instead of among a million rows.
"""

from __future__ import annotations

from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final

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
_searched_in = itemgetter(*(TRAITS.index(name) for name in SEARCHED))


def id_of(traits: Traits) -> int:
    """63 bits of a hash, the same whoever asks: of a million combinations two have one id in 1 of 20 million logs."""
    return int.from_bytes(blake2b(orjson.dumps(traits), digest_size=8).digest(), "big") >> 1


def searched_text(traits: Traits) -> str:
    """Where `q` is looked for: folded, as `q` is. No text reaches from one field into the next."""
    return "\n".join(_searched_in(traits)).casefold()[:MAX_SEARCHED]
