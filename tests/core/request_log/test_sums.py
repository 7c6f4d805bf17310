"""What rows of the request log add up to."""

from __future__ import annotations

from app.core.request_log.rows import rows_of
from app.core.request_log.sums import SLICES, RowSums
from app.core.statistics.ranges import Range
from app.core.usage import REPORTED, Usage
from tests.support.log_rows import NOON_MS, called, failed_attempt, refused

HOUR_MS = 3_600_000
SPAN = Range(NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
USED = Usage(100, 300, 0, 100, 50, 7, REPORTED, {})


def sums_of(*events: object, now_ms: int = NOON_MS + 1000) -> dict[str, object]:
    sums = RowSums(SPAN, now_ms)
    for event in events:
        sums.add(rows_of(event, NOON_MS))  # type: ignore[arg-type]
    return sums.answer()


def test_calls_count_once_and_attempts_each() -> None:
    """Usage and cost are those of the final rows; refused calls and clients that left are neither good nor errors."""
    told = sums_of(
        called("1", failed_attempt(100.0, cost_nano=999), use={"usage": USED, "cost_nano": 1_500_000}),
        called("2", use={"usage": USED, "cost_nano": 500_000}),
        called("3", use={"outcome": "server_error"}, status=500),
        called("4", use={"outcome": "client_gone"}, status=499, error_code="client_gone"),
        refused("5"),
    )
    assert (told["requests"], told["errors"], told["attempts"]) == (5, 1, 5)
    assert told["success_rate"] == round(2 / 3, 4)
    assert told["cost_usd"] == "0.002000"
    assert told["usage"] == {
        "input": 200, "cached": 600, "cache_write_5m": 0, "cache_write_1h": 200, "output": 100, "reasoning": 14,
        "source": "reported", "other": {},
    }  # fmt: skip
    assert told["cache_hit_share"] == 0.6
    assert told["rpm"] == {"peak": 5, "mean": round(5 / (HOUR_MS + 1000) * 60_000, 3), "now": 5}


def test_health_is_told_for_slices_of_the_span() -> None:
    health = sums_of(called("1"), called("2", use={"outcome": "timeout"}))["health"]
    assert isinstance(health, list)
    assert len(health) == SLICES
    assert health[0] == {"at_ms": SPAN.from_ms, "requests": 0, "errors": 0}
    assert health[SLICES // 2 - 1]["requests"] == 2  # half a second before noon
    assert sum(slice["errors"] for slice in health) == 1


def test_nothing_is_told_as_nothing() -> None:
    """What nobody knows is null, and no zero."""
    told = sums_of()
    assert (told["requests"], told["cost_usd"], told["success_rate"], told["cache_hit_share"]) == (
        0,
        "0.000000",
        None,
        None,
    )
    assert told["duration_ms"] == {"p50": None, "p95": None, "p99": None}
    assert told["usage"]["source"] == "absent"  # type: ignore[index]
    assert told["usage"]["input"] is None  # type: ignore[index]
