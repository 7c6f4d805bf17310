"""W3C traceparent, read, continued and begun."""

from __future__ import annotations

import pytest

from app.wire.http.trace import TraceParent, begin_trace, continue_trace, parse_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("value", [f"00-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-the-future-holds"])
def test_a_valid_field_is_taken_apart(value: str) -> None:
    """Version 00, and the known part of a later version, are read."""
    assert parse_traceparent(value) == TraceParent(TRACE, SPAN, "01")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_none_is_not_taken_for_one(value: str) -> None:
    """Malformed, all-zero and forbidden values are no trace."""
    assert parse_traceparent(value) is None


def test_a_trace_is_continued_with_a_step_of_ours() -> None:
    """Trace id and flags stay, the span is new and never all zeros."""
    parent = TraceParent(TRACE, SPAN, "01")
    assert str(continue_trace(parent, 0xABC)) == f"00-{TRACE}-0000000000000abc-01"
    assert continue_trace(parent, 0).span_id == "0000000000000001"
    assert continue_trace(parent, 0xABC).parent_span_id == SPAN


def test_a_trace_is_begun_valid() -> None:
    """A trace of our own can be read again, whatever the random bits."""
    for bits in (0, 1, 2**192 - 1):
        begun = begin_trace(bits)
        assert parse_traceparent(str(begun)) == begun
