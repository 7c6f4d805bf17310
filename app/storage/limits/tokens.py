"""The limits of access tokens over all processes: calls within any 60 s, and calls at once.

The same machinery as for channels: far from the edge they are leased, at the edge Redis is asked.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from app.core.model import AccessToken
from app.storage.limits.minutes import Counted, Minutes
from app.storage.limits.places import Place
from app.storage.limits.slots import Slot, Slots


class TokenLimit(Enum):
    """What leaves no room for a call."""

    RATE = "requests_per_minute"
    CONCURRENCY = "max_concurrency"
    STORAGE = "storage"
    """Redis is away, and the operator wants no call then whose limits cannot be held over all processes."""


class NoRoom(NamedTuple):
    limit: TokenLimit
    left_s: float = 0.0
    """Of RATE: until the oldest counted call leaves the window."""


class TokenLimits:
    """One for each process: `start` it after any fork."""

    def __init__(self, slots: Slots, minutes: Minutes, processes: int = 1) -> None:
        """`slots` are started by others. `processes`: among how many limits are shared out while Redis is away."""
        self._slots = slots
        self._minutes = minutes
        self._processes = max(1, processes)

    def start(self) -> None:
        self._minutes.start()

    def stop(self) -> None:
        self._minutes.stop()

    def take(self, token: AccessToken, *, goes_alone: bool) -> Place | NoRoom:
        """Room for a call, or what leaves none. Of a refused one nothing counts.

        `goes_alone`: while Redis is away this process has its share of each limit; else it has nothing.
        """
        counted: Counted | None = None
        if token.requests_per_minute:
            taken = self._count(token, goes_alone)
            if isinstance(taken, NoRoom):
                return taken
            counted = taken
        if not token.max_concurrency:
            return Place(None, counted, self._minutes)
        try:
            slot = self._take_slot(token, goes_alone)
        except BaseException:  # the call was killed as it waited
            Place(None, counted, self._minutes).cancel()
            raise
        if isinstance(slot, NoRoom):
            Place(None, counted, self._minutes).cancel()
            return slot
        return Place(slot, counted, self._minutes)

    def _count(self, token: AccessToken, goes_alone: bool) -> Counted | NoRoom:
        minutes = self._minutes
        if minutes.alone and not goes_alone:
            return NoRoom(TokenLimit.STORAGE)
        name = f"minute:token:{token.id}"
        counted = minutes.take(name, self._limit(token.requests_per_minute, minutes.alone))
        if minutes.alone and not goes_alone:  # it was found out just now
            if isinstance(counted, Counted):
                minutes.cancel(counted)
            return NoRoom(TokenLimit.STORAGE)
        return counted if isinstance(counted, Counted) else NoRoom(TokenLimit.RATE, counted)

    def _take_slot(self, token: AccessToken, goes_alone: bool) -> Slot | NoRoom:
        slots = self._slots
        if slots.alone and not goes_alone:
            return NoRoom(TokenLimit.STORAGE)
        slot = slots.acquire(f"token:{token.id}", self._limit(token.max_concurrency, slots.alone))
        if slots.alone and not goes_alone:
            if slot is not None:
                slot.release()
            return NoRoom(TokenLimit.STORAGE)
        return slot if slot is not None else NoRoom(TokenLimit.CONCURRENCY)

    def _limit(self, limit: int, is_alone: bool) -> int:
        return max(1, limit // self._processes) if is_alone else limit
