"""What an access token may spend, what it has spent, and what is told when that is too much."""

from __future__ import annotations

from typing import Final, NamedTuple

TOTAL_RETRY_S: Final = 86_400
"""A total has no reset. Who is told nothing asks again at once."""
PERIODS: Final = ("total", "month", "day")
"""The one that lasts longest first: what lacks there is not mended by the turn of another."""


class Budget(NamedTuple):
    """In nano-dollars; None: no limit."""

    total_nano: int | None = None
    day_nano: int | None = None
    month_nano: int | None = None
    time_zone: str = ""
    """In which days and months turn; an IANA name, empty for UTC."""

    @property
    def is_limited(self) -> bool:
        return self.total_nano is not None or self.day_nano is not None or self.month_nano is not None


UNLIMITED: Final = Budget()


class Spent(NamedTuple):
    """By one token, over all processes."""

    total_nano: int = 0
    day_nano: int = 0
    month_nano: int = 0
    reserved_nano: int = 0
    """Held for calls in flight."""


class Resets(NamedTuple):
    """When what is spent counts from nothing again, in ms since the epoch."""

    day_at_ms: int
    month_at_ms: int


class Lack(NamedTuple):
    """Which budget has no room for a call."""

    period: str
    """One of PERIODS."""
    limit_nano: int
    spent_nano: int
    retry_after_s: int
    """Until it is reset, rounded up."""


def lack_of(budget: Budget, spent: Spent, resets: Resets, held_nano: int, nano: int, now_ms: int) -> Lack | None:
    """What lacks room for `nano` more, where `held_nano` are held for others; None: nothing does."""
    limits = (budget.total_nano, budget.month_nano, budget.day_nano)
    so_far = (spent.total_nano, spent.month_nano, spent.day_nano)
    ends_ms = (0, resets.month_at_ms, resets.day_at_ms)
    for period, limit, used, end_ms in zip(PERIODS, limits, so_far, ends_ms, strict=True):
        if limit is not None and used + held_nano + nano > limit:
            wait_s = -(-(end_ms - now_ms) // 1000) if end_ms else TOTAL_RETRY_S
            return Lack(period, limit, used, max(1, wait_s))
    return None
