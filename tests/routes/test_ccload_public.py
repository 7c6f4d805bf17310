"""What anybody may ask by ccLoad's calls, and what it does not tell."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.core.request_log.making import rows_of
from app.core.request_log.rows import LogRow
from app.core.usage import REPORTED, Usage
from app.routes.ccload.public import span_of, summary_of
from app.storage.connections import open_redis
from app.storage.sql.statistics.latest import Sums
from tests.support.added_up import sum_of
from tests.support.api_calls import BEARER, PATHS, Accounts
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import Log, called
from tests.support.upstream import Peer
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
NOW_MS = int(datetime(2026, 11, 25, 10, 7, 30, tzinfo=UTC).timestamp() * 1000)
"""A Wednesday."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
USED = Usage(100, 30, 20, 5, 50, 7, REPORTED, {})


def summary(name: str, *began_ms: int, time_zone: str = "UTC", **use: Any) -> dict[str, Any]:
    """Of calls that began then."""
    rows: list[LogRow] = []
    for place, at_ms in enumerate(began_ms):
        event = called(str(place), use={"usage": USED, "cost_nano": 1_500_000, **use}, ended_at_ms=at_ms + 500)
        rows += rows_of(event, at_ms + 500)
    span = span_of(name, NOW_MS, time_zone)
    by_dialect = {(one,): sum_of([row for row in rows if row.dialect == one], span, NOW_MS) for one in PATHS}
    return summary_of(Sums(by_dialect, sum_of(rows, span, NOW_MS), NOW_MS), name, span, NOW_MS, with_cost=False)


def days_ago(days: float) -> int:
    return int(NOW_MS - days * DAY_MS)


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("today", [0, 0.4]),
        ("yesterday", [0.5, 1]),
        ("day_before_yesterday", [2]),
        ("this_week", [0, 0.4, 0.5, 1, 2]),
        ("last_week", [3, 9]),
        ("this_month", [0, 0.4, 0.5, 1, 2, 3, 9]),
        ("last_month", [30]),
    ],
)
def test_ranges_are_days_of_the_calendar(name: str, counted: list[float]) -> None:
    """Those that go on end now: their mean is of the time that has passed."""
    ages = [0, 0.4, 0.5, 1, 2, 3, 9, 30]
    assert summary(name, *map(days_ago, ages))["total_requests"] == len(counted)


def test_a_day_begins_by_the_time_zone() -> None:
    """In Nepal a quarter of an hour off."""
    assert summary("today", NOW_MS, days_ago(0.4), time_zone="America/New_York")["total_requests"] == 1
    nepal = summary("today", NOW_MS, time_zone="Asia/Kathmandu")
    assert nepal["duration_seconds"] == (10 + 5) * 3600 + (7 + 45) * 60 + 30


def test_a_summary_has_ccloads_fields() -> None:
    """Its types, with what caches did of those that have some; no cost."""
    told = summary("today", NOW_MS, NOW_MS - 1000, days_ago(0.2), dialect="responses")
    types = told.pop("by_type")
    seconds = (10 * 60 + 7) * 60 + 30
    assert told == {
        "total_requests": 3,
        "success_requests": 3,
        "error_requests": 0,
        "range": "today",
        "duration_seconds": seconds,
        "rpm_stats": {
            "peak_rpm": 2,
            "avg_rpm": round(3 * 60 / seconds, 3),
            "recent_rpm": 0,
            "peak_qps": round(2 / 60, 4),
            "avg_qps": round(3 / seconds, 4),
            "recent_qps": 0,
        },
        "is_today": True,
    }
    assert types["codex"] == {
        "channel_type": "codex",
        "total_requests": 3,
        "success_requests": 3,
        "error_requests": 0,
        "total_input_tokens": 300,
        "total_output_tokens": 171,
        "total_cache_read_tokens": 90,
        "total_cache_creation_tokens": 75,
    }
    assert set(types) == {"anthropic", "codex", "openai", "gemini"}
    assert "total_cache_read_tokens" in types["anthropic"]
    assert "total_cache_read_tokens" not in types["openai"]


def test_recent_calls_are_those_of_the_last_full_minute() -> None:
    """And none of a range that has ended."""
    assert summary("today", NOW_MS - 40_000, NOW_MS - 50_000)["rpm_stats"]["recent_rpm"] == 2
    assert summary("yesterday", days_ago(1))["rpm_stats"]["recent_rpm"] == 0


def answer(peer: Peer) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 7}
    while peer.read_request() is not None:
        said = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": usage}
        peer.answer(json.dumps(said).encode())


@pytest.fixture
def log(accounts: Accounts) -> Iterator[Log]:
    """Of a gateway with a price for `m`."""
    accounts.upstream.handler = answer
    gateway = accounts.gateway
    assert (
        gateway.admin("PUT", "/api/prices", {"overrides": [{"model": "m", "input": "1", "output": "10"}]}).status == 200
    )
    with open_redis(gateway.redis_url) as client:
        yield Log(gateway, client)
    gateway.admin("PUT", "/api/prices", {"overrides": []})
    gateway.admin("PUT", "/api/settings", {"public_cost": None})


def test_anybody_may_ask_for_sums_and_only_public_cost_tells_money(accounts: Accounts, log: Log) -> None:
    """Of calls that were served; no name, model or key stands there."""
    accounts.add("a secret name", dialects=["openai"])
    log.of(accounts.gateway.request("POST", PATHS["openai"], '{"model": "m"}', BEARER))

    def told(range: str = "today") -> Any:
        reply = accounts.gateway.request("GET", f"/public/summary?range={range}")
        assert (reply.status, reply.field("access-control-allow-origin")) == (200, "*")
        assert b"secret" not in reply.body
        assert b"sk-" not in reply.body
        return reply.json()["data"]

    wait_until(lambda: told()["by_type"]["openai"]["total_input_tokens"] >= 1000, "it is added up", 30)
    assert "total_cost" not in told()["by_type"]["openai"]
    assert told("a-century")["range"] == "today"
    assert accounts.gateway.admin("PUT", "/api/settings", {"public_cost": True}).status == 200
    assert told()["by_type"]["openai"]["total_cost"] >= 0.00107


def test_the_version_is_ours_and_nothing_is_asked_of_the_network(gateway: GatewayProcess) -> None:
    """So there is never an update."""
    told = gateway.request("GET", "/public/version").json()
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert told["data"] == {"version": own, "has_update": False, "latest_version": own, "release_url": ""}


def test_types_of_channels_are_those_that_a_channel_may_have(gateway: GatewayProcess) -> None:
    """With the paths that they serve."""
    told = gateway.request("GET", "/public/channel-types").json()["data"]
    assert [one["value"] for one in told] == ["anthropic", "codex", "openai", "gemini"]
    for one in told:
        assert set(one) == {"value", "display_name", "description", "path_patterns", "match_type"}
