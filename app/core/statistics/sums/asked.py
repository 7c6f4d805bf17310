"""What a query asks of the statistics, and how the API tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.core.channels.time_zones import zone_of
from app.core.request_log.shapes import USAGE
from app.core.said.reading import Said
from app.core.said.shapes import Field, Listed, Real, Shape, SomeOf, Text, Usd, Whole
from app.core.statistics.ranges import NAMES, is_named, range_of
from app.core.statistics.sums.cells import Dimensions
from app.core.statistics.sums.question import BY, Question
from app.core.statistics.sums.spans import covered

MAX_TEXT: Final = 300
MAX_ROWS: Final = 500

RANGE: Final = Text(
    MAX_TEXT, "today", example="7d", meaning=f"{', '.join(NAMES)}, or two times in ms: 1767225600000-1767312000000"
)
TIME_ZONE: Final = Text(64, example="Europe/Berlin", meaning="Whose days count; empty: that of the setting time_zone")
FILTERS: Final[dict[str, Field]] = {name: Text(MAX_TEXT) for name in Dimensions._fields}
"""What must be as it is asked for."""
QUERY: Final[dict[str, Field]] = {
    "range": RANGE,
    "by": SomeOf(tuple(BY), meaning="By what rows are told apart; key with channel only. Left out: totals alone"),
    "tz": TIME_ZONE,
    **FILTERS,
    "limit": Whole(50, 1, MAX_ROWS, meaning="How many rows at most: those with the most requests"),
}

_TIMES: Final = Shape({name: Real(is_null=True) for name in ("p50", "p95", "p99")})
_SHARE: Final = Real(is_null=True, meaning="From 0 to 1")
_SUMS: Final[dict[str, Field]] = {
    "requests": Whole(),
    "errors": Whole(),
    "success_rate": _SHARE,
    "usage": USAGE,
    "cost_usd": Usd(),
    "first_byte_ms": _TIMES,
    "first_content_ms": _TIMES,
    "duration_ms": _TIMES,
    "attempts": Whole(meaning="By channel or key those made there, else those of the requests"),
    "cache_hit_share": _SHARE,
    "rpm": Shape({"peak": Whole(), "mean": Real(), "now": Whole()}, meaning="Requests a minute"),
    "health": Listed(Shape({"at_ms": Whole(), "requests": Whole(), "errors": Whole()}), meaning="Of 48 equal parts"),
}
SUMS: Final = Shape(_SUMS, title="Sums")
_OF_A_ROW: Final[dict[str, Field]] = {field: Text(is_null=True) for fields in BY.values() for field in fields}
ROW: Final = Shape(_OF_A_ROW | _SUMS, optional=tuple(_OF_A_ROW), title="StatisticsRow")
POINT: Final = Shape(
    {"at_ms": Whole()}
    | {name: _SUMS[name] for name in ("requests", "errors", "usage", "cost_usd", "first_byte_ms", "duration_ms")},
    title="Point",
)
SPAN: Final[dict[str, Field]] = {
    "from_ms": Whole(meaning="What is told begins here: with a quarter of an hour, or an hour where those are gone"),
    "to_ms": Whole(meaning="Exclusive"),
}


def parse(asked: Said, now_ms: int, time_zone: str, filters: Mapping[str, str] | None = None) -> Question:
    """What a query asks for; `time_zone` counts where it names none. Raises Invalid.

    `filters`: those, and nothing but the span is asked.
    """
    text = asked.text("range")
    span = range_of(text, now_ms, time_zone_of(asked, time_zone))
    whole = covered(span, now_ms, is_named=is_named(text))
    if filters is not None:
        return Question(whole, now_ms, filters=filters)
    by = asked.words("by")
    if "key" in by and "channel" not in by:
        raise asked.wrong("by", "must name channel, too, where it names key")
    texts = {name: asked.text(name) for name in FILTERS}
    return Question(whole, now_ms, by, {name: text for name, text in texts.items() if text}, asked.number("limit"))


def time_zone_of(asked: Said, default: str) -> str:
    """Raises Invalid for one that does not exist."""
    time_zone = asked.text("tz") or default
    try:
        zone_of(time_zone)
    except ValueError as error:
        raise asked.wrong("tz", str(error)) from None
    return time_zone
