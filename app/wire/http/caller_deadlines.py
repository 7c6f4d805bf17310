"""How long a caller waits, by what its SDK or it itself says.

OpenAI's and Anthropic's SDKs send `x-stainless-timeout` and `x-stainless-read-timeout`, Google's `X-Server-Timeout`:
after so many seconds of silence they give up, so these bound the time to the first byte of an answer. `x-timeout-ms`
and `timeout_ms` in the query are the gateway's own, and bound the whole call.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from app.wire.http.headers import Headers, lower

_TO_THE_ANSWER: Final = frozenset({"x-stainless-timeout", "x-stainless-read-timeout", "x-server-timeout"})
_WHOLE: Final = "x-timeout-ms"
_QUERY: Final = "timeout_ms"
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)


class CallerDeadlines(NamedTuple):
    """In seconds from the call's begin; 0: not said."""

    answer_s: float
    """Until an answer begins."""
    whole_s: float


NONE: Final = CallerDeadlines(0.0, 0.0)


def deadlines_of(headers: Headers, query: str) -> CallerDeadlines:
    """The nearest that are said. What is no number above 0 (`NOT_GIVEN`) says nothing."""
    answer_s = whole_s = 0.0
    for name, value in headers:
        key = lower(name)
        if key in _TO_THE_ANSWER:
            answer_s = _nearer(answer_s, _number(value))
        elif key == _WHOLE:
            whole_s = _nearer(whole_s, _number(value) / 1000)
    if _QUERY in query:
        for member in query.split("&"):
            if member.startswith("timeout_ms="):
                whole_s = _nearer(whole_s, _number(member[11:]) / 1000)
    return CallerDeadlines(answer_s, whole_s) if answer_s or whole_s else NONE


def query_without_deadline(query: str) -> str:
    """The query without its `timeout_ms`, all else as it came."""
    if _QUERY not in query:
        return query
    return "&".join([member for member in query.split("&") if member.partition("=")[0] != _QUERY])


def _number(text: str) -> float:
    text = text.strip(" \t")
    return float(text) if _NUMBER.fullmatch(text) else 0.0


def _nearer(one: float, other: float) -> float:
    return min(one, other) if one and other else one or other
