"""`/api/stats` and `/api/series`: what is asked, what is told, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from app.storage.connections import open_redis
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.database import WorkerDatabase
from tests.support.databases import add_rows, prepared, row
from tests.support.gateway import GatewayProcess

HOUR_MS = 3_600_000
SUMS = set(
    "requests errors success_rate usage cost_usd first_byte_ms first_content_ms duration_ms attempts cache_hit_share"
    " rpm health".split()
)
"""Of chapter 7."""


class Calls:
    """Of an access token that nobody else has."""

    def __init__(self, gateway: GatewayProcess, database: WorkerDatabase) -> None:
        self.gateway, self.database = gateway, database
        self.token_id = uuid4().hex[:12]
        self.now_ms = time.time_ns() // 1_000_000

    def add(self, **changes: Any) -> None:
        given = {"at_ms": self.now_ms - 1000, "token_id": self.token_id, "token": "team", "dialect": "openai"}
        rows: list[KeptRow] = [row(1, **given | changes)]
        self.database.run(lambda connection: add_rows(connection, rows))

    def ask(self, path: str, query: str) -> dict[str, Any]:
        reply = self.gateway.admin("GET", f"{path}?token_id={self.token_id}&range=24h&{query}")
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = reply.json()
        return answer


@pytest.fixture
def calls(gateway: GatewayProcess) -> Iterator[Calls]:
    with open_redis(gateway.redis_url) as client, prepared(client, gateway.redis_url) as database:
        yield Calls(gateway, database)


def test_rows_and_totals_have_all_that_is_promised(calls: Calls) -> None:
    """Each row what it is told apart by, ids and names; what a call does not have is null."""
    calls.add(channel_id="9999", channel="gone", model="m", key_id="3", key_hint="sk-1…2345", cost_nano=1_500_000)
    calls.add(channel_id="", model="", outcome="refused", attempt=0, usage=None)
    told = calls.ask("/api/stats", "by=channel,key,model,token,mapping,dialect")
    assert told["count"] == 2
    first, second = sorted(told["rows"], key=lambda one: one["channel_id"] or "", reverse=True)
    assert set(first) - SUMS == set("channel_id channel key_id key_hint model token_id token mapping dialect".split())
    assert set(told["totals"]) == SUMS
    assert set(first) > SUMS
    assert (first["channel_id"], first["channel"], first["key_hint"]) == ("9999", "gone", "sk-1…2345")
    assert (second["channel_id"], second["channel"], second["model"], second["mapping"]) == (None,) * 4
    assert (first["cost_usd"], first["attempts"], second["attempts"]) == ("0.001500", 1, 0)
    assert told["totals"]["requests"] == 2
    assert told["to_ms"] - told["from_ms"] == 24 * HOUR_MS
    assert len(told["totals"]["health"]) == 48
    assert sum(slice["requests"] for slice in told["totals"]["health"]) == 2


def test_totals_alone_are_told_where_nothing_is_told_apart(calls: Calls) -> None:
    calls.add()
    told = calls.ask("/api/stats", "")
    assert (told["rows"], told["count"], told["totals"]["requests"]) == ([], 0, 1)


def test_channels_are_called_as_they_are_called_today(calls: Calls) -> None:
    """Not as they were called when calls came."""
    said = {"dialects": ["openai"], "urls": [{"url": "http://127.0.0.1:9"}], "keys": [], "models": [{"name": "m"}]}
    made = calls.gateway.admin("POST", "/api/channels", said | {"name": uuid4().hex})
    channel = made.json()["channel"]
    calls.add(channel_id=channel["id"], channel="before")
    (one,) = calls.ask("/api/stats", "by=channel")["rows"]
    assert one["channel"] == channel["name"]
    calls.gateway.admin("DELETE", f"/api/channels/{channel['id']}")
    (one,) = calls.ask("/api/stats", "by=channel")["rows"]
    assert one["channel"] == "before"


def test_a_series_has_all_points_of_its_span(calls: Calls) -> None:
    """Also those in which nothing was; hours and days begin with those of the time zone."""
    calls.add(at_ms=calls.now_ms - 3 * HOUR_MS)
    told = calls.ask("/api/series", "by=model&bucket=hour&tz=Asia/Kathmandu")
    (series,) = told["series"]
    assert set(series) == {"model", "points"}
    assert 24 <= len(series["points"]) <= 25
    assert all(point["at_ms"] % HOUR_MS == HOUR_MS // 4 for point in series["points"])
    (point,) = [point for point in series["points"] if point["requests"]]
    assert point["at_ms"] <= calls.now_ms - 3 * HOUR_MS < point["at_ms"] + HOUR_MS
    assert set(point) == {"at_ms", "requests", "errors", "usage", "cost_usd", "first_byte_ms", "duration_ms"}
    told = calls.ask("/api/series", "bucket=day&tz=Europe/Berlin")
    ends_s = told["from_ms"] / 1000, told["to_ms"] / 1000 - 1
    days = {datetime.fromtimestamp(end_s, ZoneInfo("Europe/Berlin")).date() for end_s in ends_s}
    assert [len(one["points"]) for one in told["series"]] == [len(days)]  # two, but for a quarter of an hour each day


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("range=tomorrow", "range"),
        ("range=9-5", "range"),
        ("by=colour", "by"),
        ("by=key", "by"),
        ("tz=Mars/Olympus", "tz"),
        ("limit=0", "limit"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(gateway: GatewayProcess, query: str, field: str) -> None:
    for path in ("/api/stats", "/api/series"):
        reply = gateway.admin("GET", f"{path}?{query}")
        assert (reply.status, reply.json()["field"]) == (400, field)


def test_a_series_of_too_many_points_is_refused(gateway: GatewayProcess) -> None:
    reply = gateway.admin("GET", "/api/series?range=1-1790000000000&bucket=hour&by=model")
    assert (reply.status, reply.json()["field"]) == (400, "range")


@pytest.mark.parametrize("path", ["/api/stats", "/api/series"])
def test_statistics_are_for_the_operator(gateway: GatewayProcess, path: str) -> None:
    assert gateway.request("GET", path).status == 401
