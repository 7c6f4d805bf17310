"""A call has no room where one of its token's budgets has none, and is told of the one that is reset last."""

from __future__ import annotations

import pytest

from app.core.money.budget import Budget, Resets, Spent, lack_of

RESETS = Resets(day_at_ms=50_000, month_at_ms=900_500)
NOW_MS = 10_000


@pytest.mark.parametrize(
    ("budget", "spent", "held", "nano", "period", "retry_after_s"),
    [
        (Budget(100), Spent(60), 0, 40, None, 0),
        (Budget(100), Spent(60), 1, 40, "total", 86_400),
        (Budget(day_nano=100), Spent(1000, 60), 0, 41, "day", 40),
        (Budget(month_nano=100), Spent(1000, 0, 60), 20, 21, "month", 891),
        (Budget(100, 100, 100), Spent(100, 100, 100), 0, 1, "total", 86_400),
        (Budget(None, 100, 100), Spent(100, 100, 100), 0, 1, "month", 891),
        (Budget(0), Spent(), 0, 0, None, 0),
        (Budget(0), Spent(), 0, 1, "total", 86_400),
        (Budget(), Spent(10**15), 10**15, 10**15, None, 0),
    ],
)
def test_the_budget_that_lacks_room(
    budget: Budget, spent: Spent, held: int, nano: int, period: str | None, retry_after_s: int
) -> None:
    """What is spent, held for others and asked for must not pass a limit together; it may reach it."""
    lack = lack_of(budget, spent, RESETS, held, nano, NOW_MS)
    assert (lack.period if lack else None) == period
    assert (lack.retry_after_s if lack else 0) == retry_after_s
