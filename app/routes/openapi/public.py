"""What anybody is told of the gateway, field by field: its statistics, how it is, and why a call is not served."""

from __future__ import annotations

from typing import Final

from app.core.channels.shape import KEY_COUNTS
from app.core.said.shapes import Anything, Listed, Named, OneOf, Real, Shape, Text, Whole, YesOrNo

_ROW: Final = Shape(
    {name: Whole() for name in ("count", "error_count", "last_request", "total", "today", "week", "month")}
)
STATISTICS: Final = Shape(
    {
        "enabled": YesOrNo(meaning="Whether requests are counted"),
        "total": Whole(),
        "errors": Whole(),
        "dropped_events": Whole(meaning="Requests that could not be counted"),
        "avg_response": Text(),
        "stale": YesOrNo(meaning="Whether the figures are old"),
        "generated_at_ms": Whole(is_null=True),
        "endpoints": Named(_ROW, meaning="By a mapping's prefix or a path of calls to channels"),
        "keys": KEY_COUNTS,
        "channels": Shape({"total": Whole(), "enabled": Whole()}),
        "requests": Listed(Named(Anything()), meaning="The last ones"),
        "performance": Shape(
            {
                "requests_per_sec": Real(),
                "avg_response_time_ms": Real(),
                "error_rate": Real(meaning="In per cent"),
                "memory_usage_mb": Real(),
                "goroutine_count": Whole(),
                "last_updated": Whole(),
                "processes": Whole(),
            }
        ),
        "totals": Named(Shape({"requests": Whole(), "errors": Whole()}), meaning="By window, where one is asked for"),
        "windows": Named(Named(Anything()), meaning="What charts show, by window"),
    },
    title="Statistics",
    optional=("totals",),
)
HEALTH: Final = Shape(
    {
        "status": OneOf(("ok", "degraded", "unavailable")),
        "reasons": Listed(Text()),
        "redis": YesOrNo(),
        "worker": Shape({"alive": YesOrNo(), "last_roll_up_age_s": Real(is_null=True)}),
        "mappings": Whole(),
        "rejected_mappings": Whole(),
        "keys": KEY_COUNTS,
        "version": Whole(),
    },
    title="Health",
)
CALL_ERROR: Final = Shape(
    {"error": Shape({"message": Text(), "type": Text(), "code": Text(), "request_id": Text()})}, title="CallError"
)
