"""What anybody may ask by ccLoad's calls: sums of calls, types of channels, the version. No names, no keys."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from flask import Blueprint, Response

from app.core.money.amounts import NANO
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Named, Real, Shape, Text, Whole, YesOrNo
from app.core.statistics.ranges import Range, range_of
from app.core.statistics.sums.cells import COST, COUNTS, ERRORS, GOODS, USAGE
from app.core.statistics.sums.question import Question
from app.core.statistics.sums.spans import covered
from app.core.statistics.sums.sums import SumOfSpan
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.ccload.envelope import CCLOAD_ERROR, answered, enveloped
from app.routes.openapi.operation import operation
from app.routes.public import STATS_ACCESS
from app.storage.sql.statistics.latest import LatestSums, Sums
from app.version import own_version
from app.wire.ccload import TYPES

Answer = Response | tuple[Response, int]

RANGES: Final = "today yesterday day_before_yesterday this_week last_week this_month last_month".split()
CURRENT: Final = ("today", "this_week", "this_month")
"""They end now."""
CACHING: Final = ("anthropic", "responses")
"""Dialects of which what caches did is told, as there."""
CHANNEL_TYPES: Final = (
    ("anthropic", "Claude Code", "Anthropic's Messages", ["/v1/messages"], "prefix"),
    ("codex", "Codex", "OpenAI's Responses", ["/v1/responses"], "prefix"),
    ("openai", "OpenAI", "OpenAI's API and those like it", ["/v1/"], "prefix"),
    ("gemini", "Google Gemini", "Gemini's API", ["/v1beta/"], "prefix"),
)
MS: Final = 1000

_RANGE: Final = Text(meaning=f"One of {', '.join(RANGES)}; any other means today")
_COUNTS: Final = {name: Whole() for name in ("total_requests", "success_requests", "error_requests")}
_TOKENS: Final = ("input", "output", "cache_read", "cache_creation")
_OF_A_TYPE: Final = Shape(
    {
        "channel_type": Text(),
        **_COUNTS,
        **{f"total_{name}_tokens": Whole() for name in _TOKENS},
        "total_cost": Real(meaning="In dollars, where the operator shows it"),
    },
    optional=("total_cache_read_tokens", "total_cache_creation_tokens", "total_cost"),
)
_SUMMARY: Final = Shape(
    {
        **_COUNTS,
        "range": Text(),
        "duration_seconds": Real(),
        "rpm_stats": Shape({f"{rate}_{unit}": Real() for unit in ("rpm", "qps") for rate in ("peak", "avg", "recent")}),
        "is_today": YesOrNo(),
        "by_type": Named(_OF_A_TYPE),
    },
    title="CcloadSummary",
)
_VERSION: Final = Shape({"version": Text(), "has_update": YesOrNo(), "latest_version": Text(), "release_url": Text()})
_TYPES: Final = Listed(
    Shape(
        {
            **{name: Text() for name in ("value", "display_name", "description", "match_type")},
            "path_patterns": Listed(Text()),
        }
    )
)
_operation = partial(operation, access=(), group="ccLoad", failure=CCLOAD_ERROR)


def add_public_routes(ccload: Blueprint, gateway: Gateway) -> None:
    latest = LatestSums(gateway.database)

    @ccload.get("/public/summary")
    @_operation(
        "Tells sums of a range of days by the gateway's time zone. Of one that nobody knows, today's.",
        query={"range": _RANGE},
        answer=enveloped(_SUMMARY),
    )
    def summary(asked: Said) -> Answer:
        settings = gateway.catalog.snapshot.settings
        name = asked.any("range") or ""
        name = name if name in RANGES else "today"
        now = now_ms()
        span = span_of(name, now, settings.time_zone)
        sums = latest.read(Question(span, now, ("dialect",), of_channels=True))
        return _for_anybody(summary_of(sums, name, span, now, with_cost=settings.public_cost))

    @ccload.get("/public/version")
    @_operation(
        "Tells the version. Nothing is asked of the network, so there never is an update.", answer=enveloped(_VERSION)
    )
    def version() -> Answer:
        own = own_version()
        return _for_anybody({"version": own, "has_update": False, "latest_version": own, "release_url": ""})

    @ccload.get("/public/channel-types")
    @_operation("Lists types of channels.", answer=enveloped(_TYPES))
    def channel_types() -> Answer:
        names = ("value", "display_name", "description", "path_patterns", "match_type")
        return _for_anybody([dict(zip(names, type, strict=True)) for type in CHANNEL_TYPES])


def _for_anybody(data: Any) -> Answer:
    response, status = answered(data)
    response.headers.update(STATS_ACCESS)
    return response, status


def summary_of(sums: Sums, name: str, span: Range, now: int, *, with_cost: bool) -> dict[str, Any]:
    """`sums`: those of each dialect."""
    types = {
        type: _of_type(type, sums.by_group.get((dialect,), SumOfSpan(span, now)), dialect in CACHING, with_cost)
        for dialect, type in TYPES.items()
    }
    requests = sum(one["total_requests"] for one in types.values())
    ends_ms = min(span.to_ms, now) if name in CURRENT else span.to_ms
    seconds = max(1.0, (ends_ms - span.from_ms) / MS)
    course = sums.totals.course()
    recent = course.now if name == "today" else 0
    peak = course.peak
    rates = {"peak_rpm": peak, "avg_rpm": requests * 60 / seconds, "recent_rpm": recent}
    return {
        "total_requests": requests,
        "success_requests": sum(one["success_requests"] for one in types.values()),
        "error_requests": sum(one["error_requests"] for one in types.values()),
        "range": name,
        "duration_seconds": round(seconds, 3),
        "rpm_stats": {
            **{rate: round(value, 3) for rate, value in rates.items()},
            **{rate.replace("rpm", "qps"): round(value / 60, 4) for rate, value in rates.items()},
        },
        "is_today": name == "today",
        "by_type": types,
    }


def span_of(name: str, now: int, time_zone: str) -> Range:
    """What one of RANGES means, in whole units."""
    if name == "day_before_yesterday":
        yesterday = range_of("yesterday", now, time_zone)
        span = range_of("yesterday", yesterday.from_ms, time_zone)
    else:
        span = range_of(name, now, time_zone)
    return covered(span, now, is_named=True)


def _of_type(type: str, of_it: SumOfSpan, is_caching: bool, with_cost: bool) -> dict[str, Any]:
    good, errors = of_it.numbers[GOODS], of_it.numbers[ERRORS]
    used = dict(zip(COUNTS, of_it.numbers[USAGE:], strict=False))
    told: dict[str, Any] = {
        "channel_type": type,
        "total_requests": good + errors,
        "success_requests": good,
        "error_requests": errors,
        "total_input_tokens": used["input"],
        "total_output_tokens": used["output"] + used["reasoning"],
    }
    if is_caching:
        written = used["cache_write_5m"] + used["cache_write_1h"]
        told |= {"total_cache_read_tokens": used["cached"], "total_cache_creation_tokens": written}
    if with_cost:
        told["total_cost"] = of_it.numbers[COST] / NANO
    return told
