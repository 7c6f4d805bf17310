"""What units of cells add up to, and how that is told."""

from __future__ import annotations

from typing import Any

from app.core.request_log.making import rows_of
from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import HOUR_MS
from app.core.statistics.sums.sums import SLICES, Sum, SumOfSpan
from app.core.statistics.tallies import RELATIVE_ERROR
from app.core.usage import ESTIMATED, REPORTED, Usage
from tests.support import added_up
from tests.support.log_rows import NOON_MS, called, failed_attempt, mapped, refused

HOUR_OF_NOON_MS = NOON_MS - NOON_MS % HOUR_MS
SPAN = Range(HOUR_OF_NOON_MS, HOUR_OF_NOON_MS + HOUR_MS)
USED = Usage(100, 300, 0, 100, 50, 7, REPORTED, {})


def sum_of(*events: Any, span: Range = SPAN, now_ms: int = NOON_MS + 60_000) -> SumOfSpan:
    rows = (row for event in events for row in rows_of(event, event.ended_at_ms))
    return added_up.sum_of(rows, span, now_ms)


def test_a_row_tells_what_its_calls_add_up_to() -> None:
    """Usage and cost are those of the final rows; refused calls and clients that left are neither good nor errors."""
    found = sum_of(
        called("1", failed_attempt(100.0, cost_nano=999), use={"usage": USED, "cost_nano": 1_500_000}),
        called("2", use={"usage": USED, "cost_nano": 500_000}),
        called("3", use={"outcome": "server_error"}, status=500),
        called("4", use={"outcome": "client_gone"}, status=499, error_code="client_gone"),
        refused("5"),
    )
    told = found.answer(made_there=False)
    assert (told["requests"], told["errors"], told["attempts"]) == (5, 1, 5)
    assert told["success_rate"] == round(2 / 3, 4)
    assert told["cost_usd"] == "0.002000"
    assert told["usage"] == {
        "input": 200, "cached": 600, "cache_write_5m": 0, "cache_write_1h": 200, "output": 100, "reasoning": 14,
        "source": "reported", "other": {},
    }  # fmt: skip
    assert told["cache_hit_share"] == 0.6
    past_ms = NOON_MS + 60_000 - HOUR_OF_NOON_MS
    assert told["rpm"] == {"peak": 5, "mean": round(5 / past_ms * 60_000, 3), "now": 5}


def test_percentiles_are_within_the_error_of_a_bin() -> None:
    found = sum_of(*(mapped(str(n), duration_ms=float(n), first_byte_ms=None) for n in range(1, 1001)))
    told = found.answer(made_there=True)
    for name, exact in (("p50", 500), ("p95", 950), ("p99", 990)):
        assert abs(told["duration_ms"][name] - exact) <= exact * RELATIVE_ERROR + 0.1
    assert told["first_byte_ms"] == {"p50": None, "p95": None, "p99": None}


def test_health_is_told_by_the_minute() -> None:
    """Slices may be shorter than hours and quarters; their sums are those of the span."""
    events = [called(str(n), ended_at_ms=HOUR_OF_NOON_MS + n * 60_000 + 500) for n in range(48)]
    events.append(called("bad", use={"outcome": "timeout"}, ended_at_ms=HOUR_OF_NOON_MS + 47 * 60_000 + 500))
    span = Range(HOUR_OF_NOON_MS, HOUR_OF_NOON_MS + 48 * 60_000)
    health = sum_of(*events, span=span).answer(made_there=True)["health"]
    assert [slice["at_ms"] for slice in health] == [span.from_ms + n * 60_000 for n in range(SLICES)]
    assert [slice["requests"] for slice in health] == [1] * 47 + [2]
    assert [slice["errors"] for slice in health] == [0] * 47 + [1]
    whole = sum_of(*events, span=Range(HOUR_OF_NOON_MS - 47 * HOUR_MS, HOUR_OF_NOON_MS + HOUR_MS))
    assert whole.answer(made_there=True)["health"][-1] == {"at_ms": HOUR_OF_NOON_MS, "requests": 49, "errors": 1}


def test_the_peak_is_of_all_cells_of_a_minute_together() -> None:
    """And one minute is counted with none of another hour."""
    at_ms = HOUR_OF_NOON_MS + 30_000
    events = [called("1"), mapped("2"), mapped("3", endpoint="/other"), mapped("4", ended_at_ms=at_ms - HOUR_MS)]
    events = [event._replace(ended_at_ms=at_ms) if event.request_id != "4" else event for event in events]
    assert sum_of(*events, span=Range(SPAN.from_ms - HOUR_MS, SPAN.to_ms)).course().peak == 3


def test_nothing_is_told_as_nothing() -> None:
    """What nobody knows is null, and no zero."""
    told = sum_of().answer(made_there=True)
    assert (told["requests"], told["cost_usd"], told["success_rate"], told["cache_hit_share"]) == (
        0,
        "0.000000",
        None,
        None,
    )
    assert told["duration_ms"] == {"p50": None, "p95": None, "p99": None}
    assert told["usage"]["source"] == "absent"
    assert told["usage"]["input"] is None


def test_usage_is_estimated_where_that_of_any_call_is() -> None:
    estimated = USED._replace(source=ESTIMATED)
    told = sum_of(called("1", use={"usage": USED}), called("2", use={"usage": estimated})).usage()
    assert (told["source"], told["input"]) == ("estimated", 200)


def test_a_point_tells_no_more_than_a_series_needs() -> None:
    assert set(Sum().point()) == {"requests", "errors", "usage", "cost_usd", "first_byte_ms", "duration_ms"}
