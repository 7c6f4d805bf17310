"""How long a caller waits, by what is said."""

from __future__ import annotations

import pytest

from app.wire.http.caller_deadlines import CallerDeadlines, deadlines_of, query_without_deadline


@pytest.mark.parametrize(
    ("headers", "query", "told"),
    [
        ([], "", (0, 0)),
        ([("X-Stainless-Timeout", "600")], "", (600, 0)),
        ([("x-stainless-read-timeout", "600.0"), ("x-stainless-timeout", "NOT_GIVEN")], "", (600, 0)),
        ([("X-Server-Timeout", " 30.5 ")], "", (30.5, 0)),
        ([("x-stainless-read-timeout", "60"), ("X-Server-Timeout", "30")], "", (30, 0)),
        ([("X-Timeout-Ms", "1500")], "", (0, 1.5)),
        ([("X-Timeout-Ms", "1500")], "a=1&timeout_ms=500", (0, 0.5)),
        ([], "my_timeout_ms=5", (0, 0)),
        ([("x-stainless-timeout", "0"), ("x-timeout-ms", "0")], "timeout_ms=", (0, 0)),
        ([("x-stainless-timeout", "-5"), ("x-server-timeout", "inf"), ("x-timeout-ms", "nan")], "", (0, 0)),
        ([("x-stainless-timeout", "1e3"), ("x-server-timeout", "٣"), ("x-timeout-ms", "1" * 400)], "", (0, 0)),
    ],
)
def test_the_nearest_number_above_0_counts(
    headers: list[tuple[str, str]], query: str, told: tuple[float, float]
) -> None:
    """SDKs bound the wait for an answer, the gateway's own field and query the whole call; all else says nothing."""
    assert deadlines_of(headers, query) == CallerDeadlines(*told)


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("timeout_ms=5", ""),
        ("a=%20&timeout_ms=5&b", "a=%20&b"),
        ("timeout_ms&x_timeout_ms=1", "x_timeout_ms=1"),
        ("a=timeout_ms", "a=timeout_ms"),
        ("", ""),
    ],
)
def test_the_deadline_leaves_the_query(query: str, rest: str) -> None:
    """All else stays as it came."""
    assert query_without_deadline(query) == rest
