"""/api/series: the course of what calls add up to, hour by hour or day by day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson
from flask import Blueprint, Response

from app.core.said.reading import Said
from app.core.said.shapes import Listed, OneOf, Shape, SomeOf, Text, Whole
from app.core.statistics.sums.asked import MAX_TEXT, POINT, QUERY, ROW, SPAN, parse, time_zone_of
from app.core.statistics.sums.question import BY, Question
from app.core.statistics.sums.spans import points
from app.core.statistics.sums.sums import Sum
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.lists import COUNT
from app.routes.admin.statistics.courses import STEPS_MS, endpoint_series
from app.routes.admin.statistics.stats import Answer, Named, naming, told_too_much
from app.routes.openapi.operation import operation
from app.waiting import Turns

if TYPE_CHECKING:
    from sqlalchemy import Connection

MAX_SERIES: Final = 50
MOST_POINTS: Final = 20_000
"""Of all series of an answer together: 5 MB."""

_QUERY: Final = {
    **QUERY,
    "by": SomeOf((*BY, "endpoint"), meaning="By what series are told apart; key with channel only, endpoint alone"),
    "endpoint": Text(MAX_TEXT, meaning="The one that is asked for, where by is endpoint"),
    "bucket": OneOf(
        (*STEPS_MS, "hour", "day"),
        "hour",
        meaning="How long a point is, by the clock of the time zone; minute and 5m by endpoint, for the last 24 h",
    ),
    "limit": Whole(10, 1, MAX_SERIES, meaning="How many series at most: those with the most requests"),
}
_NAMES: Final = {field: ROW.fields[field] for fields in BY.values() for field in fields} | {"endpoint": Text()}
_UNKNOWN_OF_ENDPOINTS: Final = {name: replace(POINT.fields[name], is_null=True) for name in ("usage", "cost_usd")}
_POINT: Final = Shape({**POINT.fields, **_UNKNOWN_OF_ENDPOINTS}, title="Point")
_SERIES: Final = Shape({**_NAMES, "points": Listed(_POINT)}, optional=tuple(_NAMES), title="Series")


def add_series_routes(admin: Blueprint, gateway: Gateway) -> None:
    @admin.get("/series")
    @operation(
        "Tells the course of what calls add up to. Each series has all points of the span.",
        query=_QUERY,
        answer={"count": COUNT, "series": Listed(_SERIES), **SPAN},
    )
    def show_series(asked: Said) -> Answer:
        snapshot = gateway.catalog.snapshot
        time_zone = time_zone_of(asked, snapshot.settings.time_zone)
        by, bucket = asked.words("by"), asked.choice("bucket")
        if "endpoint" in by:
            if len(by) > 1:
                raise asked.wrong("by", "names nothing else where it names endpoint")
            return endpoint_series(gateway, asked, time_zone)
        if bucket in STEPS_MS:
            raise asked.wrong("bucket", "must be hour or day, unless by is endpoint")
        question = parse(asked, now_ms(), time_zone)
        most = MOST_POINTS // (question.limit if question.by else 1)
        begins = points(question.span, bucket, time_zone, most, Turns().passed)
        if len(begins) > most:
            reason = f"makes more than {most:,} points of each series: ask for a shorter one, days, or a lower limit"
            raise asked.wrong("range", reason)
        with told_too_much(asked):
            answer = gateway.database.run(_answering(question, begins, naming(question, snapshot)))
        return Response(answer, mimetype="application/json")


def _answering(asked: Question, begins: Sequence[int], named: Named) -> Callable[[Connection], bytes]:
    def answer(connection: Connection) -> bytes:
        from app.storage.sql.statistics.reading import series  # imports SQLAlchemy

        found = series(connection, asked, begins)
        told: list[Any] = []
        for group, names, sums in found.groups:
            points = [orjson.Fragment(orjson.dumps(_point(*one))) for one in zip(begins, sums, strict=True)]
            told.append(orjson.Fragment(orjson.dumps({**named(group, names), "points": points})))
        return orjson.dumps({"success": True, "count": found.count, "series": told, **asked.span._asdict()})

    return answer


def _point(at_ms: int, sum: Sum | None) -> dict[str, Any]:
    return {"at_ms": at_ms, **(sum or Sum()).point()}
