"""What anybody is told of the gateway, field by field: its statistics, how it is, and why a call is not served."""

from __future__ import annotations

from typing import Final

from app.core.channels.shape import KEY_COUNTS
from app.core.said.shapes import Anything, Listed, Named, OneOf, Real, Shape, Text, Whole, YesOrNo
from app.core.statistics.outcomes import OUTCOMES
from app.core.statistics.windows import PANEL_SPANS

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
_SPREAD: Final = Shape({name: Real(is_null=True) for name in ("avg", "p50", "p95", "p99")})
_SHARE: Final = Real(is_null=True, meaning="Of the requests, 0 to 1")
_FIGURES: Final = {
    "requests": Whole(),
    "errors": Whole(),
    "error_share": _SHARE,
    "outcomes": Shape({name: Whole() for name in OUTCOMES}, meaning="How requests ended; they add up to the requests"),
    "request_bytes": Whole(),
    "response_bytes": Whole(),
    "duration_ms": _SPREAD,
    "first_byte_ms": _SPREAD,
}
_TRAFFIC: Final = Shape(
    {
        "from_ms": Whole(),
        "to_ms": Whole(meaning="Exclusive"),
        "step_ms": Whole(meaning="Length of a point of the chart"),
        "first_point_ms": Whole(meaning="Where the first one begins: a mark of the clock, at or before from_ms"),
        "points": Whole(),
        "figures": Shape(_FIGURES),
        "before": Shape({"from_ms": Whole(), "to_ms": Whole(), **_FIGURES}, meaning="The same of the span before"),
        "change": Shape(
            {
                "requests": Real(is_null=True, meaning="0.5: half as many again"),
                "error_share": Real(is_null=True, meaning="The difference of the shares"),
                "p95_ms": Real(is_null=True, meaning="0.5: half as long again"),
            },
            meaning="Since the span before; null where that is not known",
        ),
        "chart": Named(Anything(), meaning="A number for each point by series; one without any is left out"),
    },
    title="Traffic",
)
_SEGMENTS: Final = Shape({name: Listed(Whole()) for name in ("requests", "errors")}, is_null=True)
PANEL: Final = Shape(
    {
        "enabled": YesOrNo(meaning="Whether requests are counted"),
        "stale": YesOrNo(meaning="Whether the figures are old"),
        "generated_at_ms": Whole(is_null=True),
        "total": Whole(meaning="Requests of all times"),
        "dropped_events": Whole(meaning="Requests that could not be counted"),
        "window": OneOf(tuple(PANEL_SPANS)),
        "endpoint": Text(is_null=True, meaning="Whose traffic is told; null: that of all"),
        "traffic": _TRAFFIC,
        "in_flight": Shape(
            {
                "now": Whole(),
                "highest": Whole(meaning="In the window, as often as it was looked at"),
                "highest_before": Whole(meaning="In the span before"),
                "points": Listed(Whole(), meaning="The highest in each point of the chart"),
            },
            meaning="Calls, of all endpoints",
        ),
        "requests_per_s": Real(meaning="Over the last minute"),
        "processes": Whole(),
        "segment_marks_ms": Listed(Whole(), meaning="Where each segment begins, and the last one ends"),
        "endpoints": Listed(
            Shape(
                {
                    "endpoint": Text(),
                    "state": OneOf(
                        ("ok", "degraded", "failing", "idle", "unused", "removed"),
                        meaning="How it did in the last 15 minutes; removed: not configured any more",
                    ),
                    "last_used_ms": Whole(is_null=True),
                    "requests": Whole(),
                    "errors": Whole(),
                    "error_share": _SHARE,
                    "p50_ms": Real(is_null=True),
                    "p95_ms": Real(is_null=True),
                    "segments": _SEGMENTS,
                }
            )
        ),
        "problems": Listed(
            Shape({"at_ms": Whole(), "endpoint": Text(), "status": Whole(), "code": Text(), "request_id": Text()}),
            meaning="The latest requests that failed",
        ),
    },
    title="Panel",
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
