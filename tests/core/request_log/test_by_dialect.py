"""What calls add up to for anybody: by dialect and quarter of an hour."""

from __future__ import annotations

from typing import Any

from app.core.request_log.by_dialect import MINUTE_MS, QUARTER_MS, DialectSums
from app.core.request_log.rows import rows_of
from app.core.usage import REPORTED, Usage
from tests.support.log_rows import NOON_MS, called, failed_attempt, mapped, refused

USED = Usage(100, 300, 20, 100, 50, 7, REPORTED, {})
BEGIN_MS = NOON_MS // QUARTER_MS * QUARTER_MS


def sums_of(*events: Any, now_ms: int = NOON_MS) -> DialectSums:
    sums = DialectSums(now_ms)
    for event in events:
        for row in rows_of(event, event.ended_at_ms):
            sums.add(row)
    return sums


def began(ms: int, id: str = "id", **use: Any) -> Any:
    """A call to channels that began then."""
    return called(id, use=use, ended_at_ms=ms + 500)


def test_calls_of_channels_that_succeeded_or_failed_are_counted() -> None:
    """Once each, by the attempt that the caller saw; not those that left, were refused, or went through a mapping."""
    sums = sums_of(
        called(
            "1", failed_attempt(100.0, usage=USED, cost_nano=9), use={"usage": USED, "cost_nano": 5, "dialect": "a"}
        ),
        called("2", use={"usage": USED, "cost_nano": 6, "dialect": "a"}),
        called("3", use={"dialect": "b", "outcome": "server_error"}, status=500),
        called("4", use={"dialect": "b", "outcome": "client_gone"}, status=499, error_code="client_gone"),
        called("5", use={"dialect": "b", "outcome": "answered_here", "channel": "", "channel_id": ""}),
        refused("6"),
        mapped("7"),
    )
    found = sums.between(0, NOON_MS * 2)
    assert set(found) == {"a", "b"}
    a, b = found["a"], found["b"]
    assert (a.good, a.errors, a.input, a.output, a.cached, a.written, a.nano) == (2, 0, 200, 114, 600, 240, 11)
    assert (b.good, b.errors, b.nano) == (0, 1, 0)


def test_a_span_holds_the_quarters_that_begin_in_it() -> None:
    """Half open, as days are; time zones that are half an hour off among them."""
    events = [began(BEGIN_MS + place * QUARTER_MS // 2, str(place)) for place in range(-4, 4)]
    sums = sums_of(*events)
    counts = [
        sum(part.good for part in sums.between(BEGIN_MS + begin * QUARTER_MS, BEGIN_MS + end * QUARTER_MS).values())
        for begin, end in ((-2, 2), (-1, 1), (0, 1), (1, 1), (2, 9))
    ]
    assert counts == [8, 4, 2, 0, 0]


def test_the_peak_is_the_fullest_minute_of_the_span() -> None:
    """Calls count in the minute in which they began."""
    minutes = [0, 0, 1, 1, 1, 14, 15, 15, 15, 15]
    sums = sums_of(*(began(BEGIN_MS + minute * MINUTE_MS, str(place)) for place, minute in enumerate(minutes)))
    assert sums.peak(BEGIN_MS, BEGIN_MS + QUARTER_MS) == 3
    assert sums.peak(BEGIN_MS, BEGIN_MS + 2 * QUARTER_MS) == 4
    assert sums.peak(0, BEGIN_MS) == 0


def test_the_last_minute_ends_now() -> None:
    """A call that has just begun counts, one of a minute ago does not."""
    sums = sums_of(began(NOON_MS), began(NOON_MS - MINUTE_MS + 1), began(NOON_MS - MINUTE_MS), now_ms=NOON_MS)
    assert sums.of_last_minute == 2
