"""W3C Trace Context: the `traceparent` field, read, continued and begun (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import re
from typing import NamedTuple

from app.wire.http.headers import Headers, lower

# Version 00 has exactly these four parts; a later version may have more, and is continued as 00 (section 4.3).
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TraceParent(NamedTuple):
    trace_id: str
    """32 hexadecimal digits, the same for all that belongs to one call."""
    span_id: str
    """16 hexadecimal digits: the step that made the request."""
    flags: str
    parent_span_id: str = ""
    """The caller's step that ours belongs to; empty when ours is the first. It is in no `traceparent` of ours."""

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


NO_TRACE = TraceParent("", "", "")
"""In place of one where there is none."""


def parse_traceparent(value: str) -> TraceParent | None:
    """The field's value taken apart; None for what is none, which is then passed on as it came."""
    match = _TRACEPARENT.fullmatch(value)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if not match[2].strip("0") or not match[3].strip("0"):
        return None
    return TraceParent(match[2], match[3], match[4])


def continue_trace(parent: TraceParent, random_bits: int) -> TraceParent:
    """Our own step in the caller's trace. `random_bits`: 64 fresh random bits."""
    return TraceParent(parent.trace_id, f"{random_bits or 1:016x}", parent.flags, parent.span_id)


def traced(headers: Headers, trace: TraceParent | None) -> Headers:
    """A request's fields with our step in place of the caller's; as they came where there is no trace."""
    if trace is None:
        return headers
    step = ("traceparent", str(trace))
    passed = [step if lower(field[0]) == "traceparent" else field for field in headers]
    return passed if step in passed else [*passed, step]


def begin_trace(random_bits: int) -> TraceParent:
    """A trace of our own, not sampled. `random_bits`: 192 fresh random bits."""
    return TraceParent(f"{random_bits >> 64 or 1:032x}", f"{random_bits & (2**64 - 1) or 1:016x}", "00")
