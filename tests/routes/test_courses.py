"""`/api/series` by endpoint: minutes of the last day, hours of two months."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import HOUR_MS, MINUTE_MS
from app.storage.connections import open_redis
from tests.support.envelopes import send_events
from tests.support.gateway import GatewayProcess
from worker.roll_up import RollUp


@pytest.fixture
def endpoint(gateway: GatewayProcess) -> str:
    """One that was called three hours ago, two minutes ago and, in vain, just now."""
    name, now_ms = f"/course-{uuid4().hex}", time.time_ns() // 1_000_000
    calls = [(3 * HOUR_MS, 200), (2 * MINUTE_MS, 200), (0, 502)]
    events = [RequestEvent("id", now_ms - age, name, "GET", status, "", 1, 2, 50.0, 5.0) for age, status in calls]
    with open_redis(gateway.redis_url) as client:
        send_events(client, uuid4().hex, 1, events)
        RollUp(client).run(now_ms)
    return name


def ask(gateway: GatewayProcess, query: str) -> dict[str, Any]:
    reply = gateway.admin("GET", f"/api/series?by=endpoint&{query}")
    assert reply.status == 200, reply.body
    answer: dict[str, Any] = reply.json()
    return answer


@pytest.mark.parametrize(
    ("bucket", "range_", "step_ms"),
    [
        ("minute", "24h", MINUTE_MS),
        ("5m", "24h", 5 * MINUTE_MS),
        ("hour", "24h", HOUR_MS),
        ("day", "30d", 24 * HOUR_MS),
    ],
)
def test_a_series_by_endpoint_has_all_points(
    gateway: GatewayProcess, endpoint: str, bucket: str, range_: str, step_ms: int
) -> None:
    """On marks of the clock, and they add up."""
    told = ask(gateway, f"range={range_}&bucket={bucket}&endpoint={quote(endpoint)}")
    (series,) = told["series"]
    assert (series["endpoint"], told["count"]) == (endpoint, 1)
    points = series["points"]
    assert all(point["at_ms"] % step_ms == 0 for point in points)
    assert {after["at_ms"] - one["at_ms"] for one, after in pairwise(points)} == {step_ms}
    assert (sum(point["requests"] for point in points), sum(point["errors"] for point in points)) == (3, 1)
    assert points[0]["at_ms"] <= told["from_ms"] + step_ms
    assert set(points[0]) == {"at_ms", "requests", "errors", "usage", "cost_usd", "first_byte_ms", "duration_ms"}


def test_without_an_endpoint_the_busiest_are_told(gateway: GatewayProcess, endpoint: str) -> None:
    """As many as the limit says; `count` says how many there are."""
    told = ask(gateway, "range=24h&bucket=5m&limit=1")
    assert len(told["series"]) == 1
    assert told["count"] >= 1
    names = {one["endpoint"] for one in ask(gateway, "range=24h&bucket=hour&limit=50")["series"]}
    assert endpoint in names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("bucket=minute&range=24h", "bucket"),
        ("bucket=5m&range=24h&by=channel", "bucket"),
        ("by=endpoint,channel&range=24h", "by"),
        ("by=endpoint&bucket=minute&range=7d", "range"),
        ("by=endpoint&bucket=5m&range=1-1000", "range"),
        ("by=endpoint&bucket=hour&range=1-1000", "range"),
        ("by=endpoint&bucket=hour&range=9000000000000-9000000000001", "range"),
        ("by=endpoint&range=24h&bucket=minute&limit=50", "range"),
        ("by=endpoint&range=24h&model=m", "model"),
        ("by=endpoint&bucket=year", "bucket"),
    ],
)
def test_what_is_not_kept_is_refused(gateway: GatewayProcess, query: str, field: str) -> None:
    """Minutes by endpoint only and for a day, hours for 62 days; nothing is told as zero that nobody knows."""
    reply = gateway.admin("GET", f"/api/series?{query}")
    assert (reply.status, reply.json()["field"]) == (400, field)


def test_a_series_by_endpoint_is_for_the_operator(gateway: GatewayProcess) -> None:
    """Whoever shows no credential is told nothing."""
    assert gateway.request("GET", "/api/series?by=endpoint&bucket=minute&range=24h").status == 401
