"""The request log as the API answers it: rows and calls."""

from __future__ import annotations

from typing import Final

from app.core.request_log.rows import LogRow
from app.core.said.shapes import Anything, Field, Named, OneOf, Real, Shape, Text, Usd, Whole, YesOrNo
from app.core.usage import ESTIMATED, NOT_TOLD, REPORTED

COUNTS: Final = ("input", "cached", "cache_write_5m", "cache_write_1h", "output", "reasoning")
TEXTS: Final = (
    "token_id", "token", "client", "method", "path", "mapping", "channel_id", "channel", "key_id", "key_hint",
    "dialect", "model", "upstream_model", "outcome", "reason", "price_version", "trace_id", "user_agent",
)  # fmt: skip
"""Fields of a row of which an empty one is not known: null in an answer."""

USAGE: Final = Shape(
    {
        **{name: Whole(is_null=True) for name in COUNTS},
        "source": OneOf((REPORTED, ESTIMATED, NOT_TOLD)),
        "other": Named(Anything(), meaning="As reported, what six counts cannot hold"),
    },
    title="Usage",
)
_OF_A_ROW: Final[dict[str, Field]] = {
    **{name: Text(is_null=True) for name in TEXTS},
    "at_ms": Whole(meaning="When it began"),
    "request_id": Text(),
    "attempt": Whole(meaning="0: nothing was sent"),
    "final": YesOrNo(meaning="Whether this is what the caller got"),
    "status": Whole(is_null=True),
    "stream": YesOrNo(),
    "first_byte_ms": Real(is_null=True),
    "first_content_ms": Real(is_null=True),
    "duration_ms": Real(),
    "usage": USAGE,
    "cost_usd": Usd(is_null=True),
    "unpriced": YesOrNo(),
    "request_bytes": Whole(),
    "response_bytes": Whole(),
}
_TOLD: Final = ("cost_usd" if name == "cost_nano" else name for name in LogRow._fields)
ROW: Final = Shape(
    {"id": Text()} | {name: _OF_A_ROW[name] for name in _TOLD if name in _OF_A_ROW},
    title="LogRow",
)
CALL: Final = Shape(
    {name: one for name, one in ROW.fields.items() if name not in ("id", "attempt", "final")} | {"attempts": Whole()},
    title="LoggedCall",
)

_BODY: Final = Shape(
    {
        "content_type": Text(),
        "bytes": Whole(meaning="Of the whole body"),
        "text": Text(
            is_null=True, meaning="As it came, out of its coding, with hints for secrets; null: it is no text"
        ),
        "is_cut": YesOrNo(meaning="Whether that is its beginning only"),
    },
    title="KeptBody",
)
BODIES: Final = Shape(
    {"request": _BODY, "answer": _BODY, "kept_until_ms": Whole()},
    is_null=True,
    meaning="What the client sent and what it got, while log_bodies_minutes keeps them; else null",
)
