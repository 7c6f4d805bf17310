"""/api/stats: what calls add up to, by whatever rows are to be told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
from flask import Blueprint, Response

from app.core.model import Snapshot
from app.core.said.reading import Said
from app.core.said.shapes import Listed
from app.core.snapshot import ACCESS_TOKENS, CHANNELS
from app.core.statistics.sums.asked import QUERY, ROW, SPAN, SUMS, parse
from app.core.statistics.sums.cells import Names
from app.core.statistics.sums.question import Group, Question, TooMuch
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.lists import COUNT
from app.routes.openapi.operation import operation

if TYPE_CHECKING:
    from sqlalchemy import Connection

Answer = Response | tuple[Response, int]
Named = Callable[[Group, Names], dict[str, str | None]]


def add_stats_routes(admin: Blueprint, gateway: Gateway) -> None:
    @admin.get("/stats")
    @operation(
        "Tells what the calls of a span add up to, by channel, model, token, mapping, key or dialect.",
        query=QUERY,
        answer={"count": COUNT, "rows": Listed(ROW), "totals": SUMS, **SPAN},
    )
    def show_stats(asked: Said) -> Answer:
        snapshot = gateway.catalog.snapshot
        question = parse(asked, now_ms(), snapshot.settings.time_zone)
        with told_too_much(asked):
            answer = gateway.database.run(_answering(question, naming(question, snapshot)))
        return Response(answer, mimetype="application/json")


@contextmanager
def told_too_much(asked: Said) -> Iterator[None]:
    """Raises Invalid where the span that was asked for holds too much."""
    try:
        yield
    except TooMuch as error:
        raise asked.wrong("range", f"{error}: ask for a shorter one, or for one channel, token or model") from None


def naming(asked: Question, snapshot: Snapshot) -> Named:
    """Says what the rows are called: by the names of today where there are any, else by those of then."""
    channels, tokens = CHANNELS.of(snapshot).by_id, ACCESS_TOKENS.of(snapshot).by_id

    def named(group: Group, names: Names) -> dict[str, str | None]:
        told = asked.told(group, names)
        if channel := channels.get(told.get("channel_id") or ""):
            told["channel"] = channel.name
        if token := tokens.get(told.get("token_id") or ""):
            told["token"] = token.name
        return told

    return named


def _answering(asked: Question, named: Named) -> Callable[[Connection], bytes]:
    """What a thread does, up to the JSON: that of 500 rows would take the loop's time."""

    def answer(connection: Connection) -> bytes:
        from app.storage.sql.statistics.reading import sums  # imports SQLAlchemy

        found = sums(connection, asked)
        made_there = asked.counts_made
        rows: list[Any] = []
        for group, names, sum in found.groups:
            row = {**named(group, names), **sum.answer(made_there=made_there)}
            rows.append(orjson.Fragment(orjson.dumps(row)))  # one by one: JSON holds the interpreter while it is made
        totals = found.totals.answer(made_there=made_there)
        told = {"count": found.count, "rows": rows, "totals": totals, **asked.span._asdict()}
        return orjson.dumps({"success": True, **told})

    return answer
