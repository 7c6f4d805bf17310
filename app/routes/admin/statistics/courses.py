"""/api/series by endpoint, which is the one way to ask for minutes: Redis keeps those of the last day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from flask import Response

from app.core.said.reading import Said
from app.core.statistics.ranges import Range, range_of
from app.core.statistics.sums.asked import FILTERS
from app.core.statistics.sums.spans import points
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.storage.statistics.accounts import HOURS_KEPT_MS
from app.storage.statistics.course import Courses
from app.waiting import Turns

STEPS_MS: Final = {"minute": MINUTE_MS, "5m": 5 * MINUTE_MS}
"""Buckets that are told by endpoint only."""
MOST_POINTS: Final = 20_000
"""Of all series of an answer together."""


def endpoint_series(gateway: Gateway, asked: Said, time_zone: str) -> Response:
    """What endpoints did in the course of a span. Raises Invalid and RedisError."""
    for name in FILTERS:
        if asked.text(name):
            raise asked.wrong(name, "goes with no series by endpoint, for which there is endpoint")
    bucket, limit, only = asked.choice("bucket"), asked.number("limit"), asked.text("endpoint")
    unit_ms = MINUTE_MS if bucket in STEPS_MS else HOUR_MS
    span = _span(asked, bucket, unit_ms, time_zone)
    begins = _begins(span, bucket, time_zone)
    if len(begins) * (1 if only else limit) > MOST_POINTS:
        text = f"makes {len(begins):,} points of each series: ask for a shorter one, one endpoint, or a lower limit"
        raise asked.wrong("range", text)
    courses = Courses(gateway.redis, Turns().passed)
    busiest = [only] if only else courses.busiest(*span)
    found = courses.read(begins, span.to_ms, unit_ms, busiest[:limit])
    series = [{"endpoint": course.endpoint, "points": course.points} for course in found]
    told = {"success": True, "count": len(busiest), "series": series, **span._asdict()}
    return Response(orjson.dumps(told), mimetype="application/json")


def _span(asked: Said, bucket: str, unit_ms: int, time_zone: str) -> Range:
    """What of the span is told, in whole units, up to now. Raises Invalid for one of which nothing is kept."""
    now = now_ms()
    span = range_of(asked.text("range"), now, time_zone)
    kept_ms = DAY_MS if unit_ms == MINUTE_MS else HOURS_KEPT_MS
    if span.from_ms < now - kept_ms - HOUR_MS:
        if unit_ms == MINUTE_MS:
            raise asked.wrong("range", f"must lie in the last 24 hours for points of {bucket}; hours go back 62 days")
        raise asked.wrong("range", "must lie in the last 62 days: so long endpoints are kept")
    step_ms = STEPS_MS.get(bucket, HOUR_MS)
    to_ms = -(-min(span.to_ms, now + 1) // step_ms) * step_ms
    from_ms = span.from_ms // step_ms * step_ms
    if from_ms >= to_ms:
        raise asked.wrong("range", "must not lie in the future")
    return Range(from_ms, to_ms)


def _begins(span: Range, bucket: str, time_zone: str) -> Sequence[int]:
    if bucket in STEPS_MS:
        return range(span.from_ms, span.to_ms, STEPS_MS[bucket])
    return points(span, bucket, time_zone, MOST_POINTS)
