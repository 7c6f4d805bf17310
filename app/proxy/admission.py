"""Whether a call may begin now: the rates and the slots of its upstream."""

from __future__ import annotations

import math

from app.core.errors import Busy
from app.core.settings import Limits, Settings, burst_of
from app.core.wording import counted
from app.storage.limits.rates import Rates
from app.storage.limits.slots import Slot, Slots

GLOBAL_KEY = "*"
"""The bucket of all mappings together; no prefix is called so."""
BUSY_RETRY_S = 1


class Admission:
    """Counts over all processes that share one Redis, as a rule without asking it."""

    def __init__(self, rates: Rates, slots: Slots) -> None:
        self._rates = rates
        self._slots = slots

    def start(self) -> None:
        self._slots.start()

    def stop(self) -> None:
        self._slots.stop()

    def check_rates(self, endpoint: str, limits: Limits, settings: Settings) -> None:
        """Raises Busy when the endpoint, or all of them together, have begun too many calls."""
        if settings.global_requests_per_second:
            self._take(GLOBAL_KEY, settings.global_requests_per_second, settings.global_burst, "this gateway")
        if limits.requests_per_second:
            self._take(endpoint, limits.requests_per_second, limits.burst, endpoint)

    def take_slot(self, endpoint: str, limits: Limits) -> Slot | None:
        """The right to one call in flight, to be released at its end; None where there is no limit.

        Waits for at most `queue_timeout`. Raises Busy when all are taken.
        """
        if not limits.max_concurrency:
            return None
        slot = self._slots.acquire(endpoint, limits.max_concurrency, limits.queue_timeout)
        if slot is None:
            calls = counted(limits.max_concurrency, "call")
            text = f"{endpoint} has {calls} in flight, and no more may be at once; try again"
            raise Busy(429, "upstream_busy", text, retry_after_s=BUSY_RETRY_S)
        return slot

    def take_place(self, settings: Settings) -> Slot | None:
        """A place among all calls of the gateway; None where those are not limited. Raises Busy when all are taken."""
        limit = settings.global_max_concurrency
        if not limit:
            return None
        slot = self._slots.acquire(GLOBAL_KEY, limit)
        if slot is None:
            text = f"this gateway has {counted(limit, 'call')} in flight, and no more may be at once; try again"
            raise Busy(429, "upstream_busy", text, retry_after_s=BUSY_RETRY_S)
        return slot

    def _take(self, key: str, rate: float, burst: int, what: str) -> None:
        wait_s = self._rates.take(key, rate, burst_of(rate, burst))
        if wait_s > 0:
            retry_after_s = max(1, math.ceil(wait_s))
            text = f"{what} takes {counted(rate, 'call')} a second; try again in {retry_after_s} s"
            raise Busy(429, "rate_limited", text, retry_after_s=retry_after_s)
